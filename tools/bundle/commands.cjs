'use strict';
// Commands of the steps of a bundle, as argument lists.
const { spawnSync } = require('node:child_process');
const path = require('node:path');
const machine = require('./machine.cjs');

const { root } = machine;
const node = process.execPath;
const morphmlp = (...args) => [node, path.join(root, 'bin', 'morphmlp.js'), ...args];
const reference = (name) => path.join(root, 'test', 'fixtures', 'reference', name);
const peer = (name, ...args) => [machine.python(), path.join(root, 'bench', 'peers', name), ...args];
const jestBin = path.join(root, 'node_modules', 'jest', 'bin', 'jest.js');
const runTests = (...args) => [node, jestBin, '-c', path.join(__dirname, 'jest.config.cjs'), '--runInBand', ...args];
const againstTorch = (device, out, ...args) => peer('ctypes_check.py', '--device', device, '--out', out, ...args);

/** Element types of activations on a device. */
const typesOf = (device) => (device === 'cuda' ? ['f32', 'bf16'] : ['f32']);

/** Profiles forward and training step in the type that networks are trained in. */
const profile = ({ device, out, extra }) =>
  ['forward', 'train'].map((work) =>
    morphmlp(
      ...['bench', 'profile', '--work', work, '--device', device, '--precision', typesOf(device).at(-1)],
      ...(device === 'cpu' ? ['--model', 'quickstart', '--steps', '1'] : ['--batch', '32']),
      ...['--out', path.join(out, `profile_${work}.json`), ...extra],
    ),
  );

/** Finds a program of the CUDA toolkit on the PATH or in /usr/local/cuda/bin; undefined if it is in neither. */
const findTool = (name) =>
  [name, `/usr/local/cuda/bin/${name}`].find((file) => spawnSync(file, ['--version']).status === 0);

/** The command under compute-sanitizer; findings give exit status 86. */
const sanitized = (file, tool, command) => [
  ...[file, '--tool', tool, '--error-exitcode', '86', '--print-limit', '20', ...command],
];

module.exports = {
  root,
  node,
  morphmlp,
  reference,
  peer,
  runTests,
  againstTorch,
  typesOf,
  profile,
  findTool,
  sanitized,
};
