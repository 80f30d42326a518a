'use strict';
// Builds dist/ from src/: runs tsc, then copies the files that are not TypeScript (templates, styles, tables).
const { spawnSync } = require('node:child_process');
const { cpSync, existsSync, readdirSync, rmSync, statSync } = require('node:fs');
const path = require('node:path');
const copyAssets = require('./copy_assets.cjs');

const root = path.join(__dirname, '..', '..');
const src = path.join(root, 'src');
const dist = path.join(root, 'dist');

function newest(folder) {
  if (!existsSync(folder)) return 0;
  const files = readdirSync(folder, { recursive: true }).map((f) => statSync(path.join(folder, String(f))).mtimeMs);
  return Math.max(0, ...files);
}

/** Builds dist/. Returns false on type errors; the JavaScript is written nevertheless. */
function build() {
  rmSync(dist, { recursive: true, force: true });
  const tsc = [require.resolve('typescript/bin/tsc'), '-p', path.join(root, 'tsconfig.build.json')];
  const { status } = spawnSync(process.execPath, tsc, { stdio: 'inherit' });
  cpSync(src, dist, { recursive: true, filter: (file) => !/\.[cm]?ts$/.test(file) });
  copyAssets();
  return status === 0;
}

/** Builds dist/ if src/ is newer, for tests that run the command line. */
function buildIfStale() {
  if (newest(dist) >= newest(src)) return;
  if (!build()) console.warn('dist/ was built despite type errors');
}

module.exports = buildIfStale;
if (require.main === module) process.exitCode = build() ? 0 : 1;
