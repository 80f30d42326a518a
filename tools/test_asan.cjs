'use strict';
// Builds the addon with AddressSanitizer and UndefinedBehaviorSanitizer into build-asan/ and runs tests with it. Arguments are
// passed to jest; the default tests are those of ops, the addon and the C library. With the best instruction set
// of the machine, that of MORPHMLP_ISA, or with --every-isa each in turn.
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

const addon = path.join(folder, 'Release', 'morphmlp.node');
const preloaded = `${preload('libasan.so')} ${preload('libstdc++.so.6')}`;
const sanitized = {
  MORPHMLP_ADDON: addon,
  MORPHMLP_SANITIZED: '1', // other compiler flags change the rounding of sums
  LD_PRELOAD: preloaded,
  // Node does not free all memory at exit, so leak reports are meaningless.
  ASAN_OPTIONS: 'detect_leaks=0',
  UBSAN_OPTIONS: 'print_stacktrace=1:halt_on_error=1',
};

/** The instruction sets of this machine; all of them where MORPHMLP_ISA does not name one. */
function isas() {
  if (process.env.MORPHMLP_ISA) return [process.env.MORPHMLP_ISA];
  const program = 'console.log(require(process.env.MORPHMLP_ADDON).isas().join())';
  const env = { ...process.env, ...sanitized };
  const { stdout, stderr, status } = spawnSync(process.execPath, ['-e', program], { encoding: 'utf8', env });
  if (status !== 0) throw new Error(`cannot load ${addon}: ${stderr}`);
  return stdout.trim().split(',');
}

const every = process.argv.includes('--every-isa');
const given = process.argv.slice(2).filter((arg) => arg !== '--every-isa');
const chosen = given.some((arg) => !arg.startsWith('-'));
const best = isas().at(-1);
for (const isa of every ? isas() : [best]) {
  // Code outside the kernels is the same for all instruction sets: tested once.
  const tests = chosen ? [] : [isa === best ? '/test/(ops|native|c_api)/' : '/test/ops/'];
  console.log(`instruction set ${isa}`);
  run(process.execPath, [require.resolve('jest/bin/jest'), ...given, ...tests], { ...sanitized, MORPHMLP_ISA: isa });
}
