'use strict';
// Builds the addon with AddressSanitizer and UndefinedBehaviorSanitizer into build-asan/ and runs tests against it. Arguments go to
// jest; without a path among them, the tests of the operations, of the addon and of the C library run.
const { spawnSync } = require('node:child_process');
const path = require('node:path');

const root = path.join(__dirname, '..');
const folder = path.join(root, 'build-asan');

function run(command, args, env) {
  const { status, error } = spawnSync(command, args, { cwd: root, stdio: 'inherit', env: { ...process.env, ...env } });
  if (error) throw error;
  if (status !== 0) process.exit(status ?? 1);
}

// The sanitizer must be loaded before Node, and the C++ library with it, or it cannot follow exceptions.
function preload(name) {
  return spawnSync('g++', [`-print-file-name=${name}`], { encoding: 'utf8' }).stdout.trim();
}

const cmakeJs = require.resolve('cmake-js/bin/cmake-js');
const options = ['-d', root, '-O', folder, '--CDMORPHMLP_SANITIZE=ON', '--CDMORPHMLP_CUDA=OFF'];
run(process.execPath, [cmakeJs, 'build', '--log-level', 'error', ...options]);

const given = process.argv.slice(2);
const tests = given.every((arg) => arg.startsWith('-')) ? ['/test/(ops|native|c_api)/'] : [];
run(process.execPath, [require.resolve('jest/bin/jest'), ...given, ...tests], {
  MORPHMLP_ADDON: path.join(folder, 'Release', 'morphmlp.node'),
  MORPHMLP_SANITIZED: '1', // compiled with other flags, so that sums round elsewhere
  LD_PRELOAD: `${preload('libasan.so')} ${preload('libstdc++.so.6')}`,
  // Node keeps memory to the end on purpose, so leaks say nothing here.
  ASAN_OPTIONS: 'detect_leaks=0',
  UBSAN_OPTIONS: 'print_stacktrace=1',
});
