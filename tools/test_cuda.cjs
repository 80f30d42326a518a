'use strict';
// Runs the suite `cuda` of jest.config.cjs with all tensors on the device `cuda`.
//   node tools/test_cuda.cjs [--emulated] [--asan] [--per-file] [jest arguments]
// Without --emulated: on this machine's GPU, with the addon as it was built, each file in a process of its own: an error of CUDA, which lasts
// as long as its process, or a hang costs one file. --per-file does the same in the emulation. With --emulated: the CUDA kernels compiled for the CPU
// (test/emulator), a test of their logic on any machine. --asan: that with AddressSanitizer, in build-asan/.
const { spawnSync } = require('node:child_process');
const os = require('node:os');
const path = require('node:path');

const root = path.join(__dirname, '..');
const take = (flag) => process.argv.includes(flag) && process.argv.splice(process.argv.indexOf(flag), 1).length > 0;
const asan = take('--asan');
const perFile = take('--per-file');
const emulated = take('--emulated') || asan;
const FILE_LIMIT = 600_000; // milliseconds
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
const jest = require.resolve('jest/bin/jest');
const rest = process.argv.slice(2);

/** Runs each test file alone, for at most FILE_LIMIT; ends with status 1 after all if any failed. */
function runPerFile() {
  const options = { cwd: root, env: { ...process.env, ...env } };
  const { stdout, status } = spawnSync(process.execPath, [jest, '--listTests', ...rest], {
    ...options,
    encoding: 'utf8',
  });
  if (status !== 0) process.exit(status ?? 1);
  const failed = [];
  for (const file of stdout.split('\n').filter((line) => line.endsWith('.ts'))) {
    const flags = rest.filter((word) => word.startsWith('-'));
    const limits = { stdio: 'inherit', timeout: FILE_LIMIT, killSignal: 'SIGKILL' };
    const { status, signal } = spawnSync(process.execPath, [jest, '--runInBand', ...flags, '--runTestsByPath', file], {
      ...options,
      ...limits,
    });
    if (status !== 0) failed.push(`${path.relative(root, file)}${signal ? ` (ended by ${signal})` : ''}`);
  }
  console.log(failed.length === 0 ? 'every file passed' : `failed:\n  ${failed.join('\n  ')}`);
  process.exit(failed.length === 0 ? 0 : 1);
}

if (perFile || (!emulated && !asan)) runPerFile();
run(process.execPath, [jest, ...(asan ? ['--runInBand'] : []), ...rest], env);
