'use strict';
// Builds dist/ from src/: tsc, then a copy of what tsc leaves behind (templates, styles, tables: whatever is not TypeScript).
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

/** Builds dist/ and returns whether the types are right; with wrong types the JavaScript is there all the same. */
function build() {
  rmSync(dist, { recursive: true, force: true });
  const tsc = [require.resolve('typescript/bin/tsc'), '-p', path.join(root, 'tsconfig.build.json')];
  const { status } = spawnSync(process.execPath, tsc, { stdio: 'inherit' });
  cpSync(src, dist, { recursive: true, filter: (file) => !/\.[cm]?ts$/.test(file) });
  copyAssets();
  return status === 0;
}

/** For the tests, which run the command line out of dist/: builds it where src/ has changed since. */
function buildIfStale() {
  if (newest(dist) >= newest(src)) return;
  if (!build()) console.warn('dist/ was built in spite of type errors');
}

module.exports = buildIfStale;
if (require.main === module) process.exitCode = build() ? 0 : 1;
