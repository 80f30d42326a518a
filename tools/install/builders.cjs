'use strict';
// The two ways to build the addon: what each needs (`missing` answers in words), and the commands that do it.
const { accessSync, constants, existsSync, realpathSync } = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { root, cmakeBuild, gypBuild } = require('./find_addon.cjs');

function isExecutable(file) {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** The first of the named programs that is on the PATH, as a path, or undefined. */
function which(...names) {
  const folders = (process.env.PATH ?? '').split(path.delimiter).filter(Boolean);
  return names.flatMap((name) => folders.map((folder) => path.join(folder, name))).find(isExecutable);
}

function resolve(request) {
  try {
    return require.resolve(request, { paths: [root] });
  } catch {
    return undefined;
  }
}

const missingHeaders = () =>
  ['node-addon-api', 'node-api-headers'].filter((name) => !resolve(name)).map((name) => `the npm package ${name}`);

// npm names the node-gyp it bundles in its scripts' environment; elsewhere it lies beside npm.
function findNodeGyp() {
  const npm = which('npm');
  const bundled = 'node_modules/node-gyp/bin/node-gyp.js';
  const places = [
    process.env.npm_config_node_gyp,
    resolve('node-gyp/bin/node-gyp.js'),
    npm && path.join(path.dirname(realpathSync(npm)), '..', bundled),
    path.join(path.dirname(process.execPath), '..', 'lib', 'node_modules', 'npm', bundled),
  ];
  return places.find((file) => file && existsSync(file));
}

const python = () => process.env.npm_config_python ?? process.env.PYTHON ?? which('python3', 'python');

// The words for each tool that is not there.
function lacking(tools) {
  return Object.entries(tools)
    .filter(([, found]) => !found)
    .map(([name]) => name);
}

const cmake = {
  name: 'CMake',
  output: cmakeBuild,
  missing: () => [
    ...lacking({
      cmake: which('cmake'),
      'a C++ compiler (g++ or clang++)': which('g++', 'clang++'),
      'make or ninja': which('ninja', 'make'),
      'the npm package cmake-js': resolve('cmake-js/package.json'),
    }),
    ...missingHeaders(),
  ],
  commands() {
    const tool = path.join(path.dirname(resolve('cmake-js/package.json')), 'bin', 'cmake-js');
    const common = ['-d', root, '-O', path.join(root, 'build')];
    const cuda = `--CDMORPHMLP_CUDA=${process.env.MORPHMLP_CUDA || 'AUTO'}`;
    return [
      [tool, 'configure', ...common, cuda],
      [tool, 'build', ...common, '--parallel', String(os.availableParallelism())],
    ];
  },
};

const gyp = {
  name: 'node-gyp',
  output: gypBuild,
  missing: () => [
    ...lacking({
      'node-gyp (it comes with npm)': findNodeGyp(),
      python3: python(),
      make: which('make', 'gmake'),
      'a C++ compiler (g++ or clang++)': which('g++', 'clang++', 'c++'),
    }),
    ...missingHeaders(),
  ],
  commands() {
    const folder = path.join(root, 'native');
    const headers = ['--nodedir', path.join(folder, 'gyp'), '--force-process-config'];
    return [[findNodeGyp(), 'rebuild', '-C', folder, ...headers, '--jobs', 'max']];
  },
};

module.exports = { cmake, gyp };
