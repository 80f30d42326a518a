'use strict';
// Formats the C++ and CUDA sources; with --check, fails if one is not formatted. Needs clang-format.
const { spawnSync } = require('node:child_process');
const { readdirSync } = require('node:fs');
const path = require('node:path');

const root = path.join(__dirname, '..');
const folders = ['native', 'include', 'examples', 'test/emulator', 'test/native', 'test/smoke'].map((f) =>
  path.join(root, f),
);
const isSource = (f) => /\.(cc|h|cu|cuh)$/.test(f) && !f.includes('/build/');

function sources(folder) {
  try {
    return readdirSync(folder, { recursive: true }).map((f) => path.join(folder, String(f)));
  } catch {
    return [];
  }
}

const files = folders.flatMap(sources).filter(isSource);
const mode = process.argv.includes('--check') ? ['--dry-run', '--Werror'] : ['-i'];
const run = files.length ? spawnSync('clang-format', [...mode, ...files], { stdio: 'inherit' }) : { status: 0 };
if (run.error) {
  console.log('clang-format is not installed: the C++ sources were not checked (Debian: apt-get install clang-format)');
  process.exit(process.env.CI ? 1 : 0);
}
process.exit(run.status ?? 1);
