'use strict';
// Runs the suite `cuda` of jest.config.cjs with all tensors on the device `cuda`.
//   node tools/test_cuda.cjs [--emulated] [--asan] [jest arguments]
// Without --emulated: on this machine's GPU, with the existing addon. --emulated: with the CUDA kernels compiled for the CPU
// (test/emulator), which tests their logic on any machine. --asan: the latter with AddressSanitizer, in build-asan/.
const { spawnSync } = require('node:child_process');
const os = require('node:os');
const path = require('node:path');

const root = path.join(__dirname, '..');
const take = (flag) => process.argv.includes(flag) && process.argv.splice(process.argv.indexOf(flag), 1).length > 0;
const asan = take('--asan');
const emulated = take('--emulated') || asan;
const folder = path.join(root, asan ? 'build-asan' : 'build');

function run(command, args, env) {
  const { status, error } = spawnSync(command, args, { cwd: root, stdio: 'inherit', env: { ...process.env, ...env } });
  if (error) throw error;
  if (status !== 0) process.exit(status ?? 1);
}

function preload(name) {
  return spawnSync('g++', [`-print-file-name=${name}`], { encoding: 'utf8' }).stdout.trim();
}

function build() {
  const options = asan ? ['--CDMORPHMLP_SANITIZE=ON', '--CDMORPHMLP_CUDA=OFF'] : [];
  const parallel = ['--parallel', String(os.availableParallelism())];
  const common = ['-d', root, '-O', folder, '--log-level', 'error', '--target', 'emulated', ...parallel, ...options];
  run(process.execPath, [require.resolve('cmake-js/bin/cmake-js'), 'build', ...common]);
  return { MORPHMLP_ADDON: path.join(folder, 'emulated', 'morphmlp.node') };
}

// The sanitizer must be loaded before Node, and libstdc++ with it, or it cannot intercept exceptions.
const sanitizer = () => ({
  LD_PRELOAD: `${preload('libasan.so')} ${preload('libstdc++.so.6')}`,
  ASAN_OPTIONS: 'detect_leaks=0',
  UBSAN_OPTIONS: 'print_stacktrace=1',
});

const env = {
  MORPHMLP_SUITE: 'cuda',
  MORPHMLP_TEST_DEVICE: 'cuda',
  ...(emulated ? build() : {}),
  ...(asan ? sanitizer() : {}),
};
const serial = asan || !emulated ? ['--runInBand'] : [];
run(process.execPath, [require.resolve('jest/bin/jest'), ...serial, ...process.argv.slice(2)], env);
