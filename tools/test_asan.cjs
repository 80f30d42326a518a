'use strict';
// Builds the addon with AddressSanitizer and UndefinedBehaviorSanitizer into build-asan/ and runs tests with it. Arguments are
// passed to jest; the default tests are those of ops, the addon and the C library.
const { spawnSync } = require('node:child_process');
const path = require('node:path');

const root = path.join(__dirname, '..');
const folder = path.join(root, 'build-asan');

function run(command, args, env) {
  const { status, error } = spawnSync(command, args, { cwd: root, stdio: 'inherit', env: { ...process.env, ...env } });
  if (error) throw error;
  if (status !== 0) process.exit(status ?? 1);
}

// The sanitizer must be loaded before Node, and libstdc++ with it, or it cannot intercept exceptions.
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
  MORPHMLP_SANITIZED: '1', // other compiler flags change the rounding of sums
  LD_PRELOAD: `${preload('libasan.so')} ${preload('libstdc++.so.6')}`,
  // Node does not free all memory at exit, so leak reports are meaningless.
  ASAN_OPTIONS: 'detect_leaks=0',
  UBSAN_OPTIONS: 'print_stacktrace=1',
});
