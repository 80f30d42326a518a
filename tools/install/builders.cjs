'use strict';
// The two ways to build the addon, CMake and node-gyp: missing prerequisites (`missing`) and build commands (`commands`).
const {
  accessSync,
  constants,
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
} = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { root, cmakeBuild, gypBuild } = require('../../native/find_addon.cjs');

function isExecutable(file) {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** Path of the first of the named programs that is on the PATH, or undefined. */
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

const findNodeGyp = () => resolve('node-gyp/bin/node-gyp.js');

const python = () => process.env.npm_config_python ?? process.env.PYTHON ?? which('python3', 'python');

// Names of the missing tools.
function lacking(tools) {
  return Object.entries(tools)
    .filter(([, found]) => !found)
    .map(([name]) => name);
}

function filesBelow(folder, name) {
  if (!existsSync(folder)) return [];
  const files = readdirSync(folder, { recursive: true }).map(String);
  return files.filter((file) => name.test(file)).map((file) => path.join(folder, file));
}

const countIn = (files, line) =>
  files.flatMap((file) => readFileSync(file, 'utf8').split('\n')).filter((text) => line.test(text)).length;

// Number of files that a configured build compiles; 0 if unknown.
function countObjects(folder) {
  const ninja = countIn(filesBelow(folder, /^build\.ninja$/), /^build \S+\.o: /);
  return ninja || countIn(filesBelow(folder, /[\\/]build\.make$/), /Building \w+ object/);
}

// gyp's makefiles do not support spaces in paths (nodejs/node-gyp#65), so sources and headers in such a folder are copied to a
// path without spaces.
const isPlain = (folder) => /^[\w./+@~-]*$/.test(folder);

let copied;
function gypFolder() {
  if (isPlain(root)) return path.join(root, 'native');
  return (copied ??= copySources());
}

function copySources() {
  const folder = mkdtempSync(path.join(isPlain(os.tmpdir()) ? os.tmpdir() : '/tmp', 'morphmlp-gyp-'));
  process.on('exit', () => rmSync(folder, { recursive: true, force: true }));
  const skipped = path.join(root, 'native', 'build');
  for (const name of ['native', 'include'])
    cpSync(path.join(root, name), path.join(folder, name), { recursive: true, filter: (file) => file !== skipped });
  for (const name of ['node-addon-api', 'node-api-headers'])
    cpSync(path.dirname(resolve(`${name}/package.json`)), path.join(folder, 'node_modules', name), {
      ...{ recursive: true, dereference: true },
    });
  return path.join(folder, 'native');
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
  objects: () => countObjects(path.join(root, 'build')),
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
      'the npm package node-gyp': findNodeGyp(),
      python3: python(),
      make: which('make', 'gmake'),
      'a C++ compiler (g++ or clang++)': which('g++', 'clang++', 'c++'),
    }),
    ...missingHeaders(),
  ],
  objects: () => countIn(filesBelow(path.join(gypFolder(), 'build'), /\.target\.mk$/), /\.o( \\)?$/),
  commands() {
    const folder = gypFolder();
    const headers = ['--nodedir', path.join(folder, 'gyp'), '--force-process-config'];
    return [[findNodeGyp(), 'rebuild', '-C', folder, ...headers, '--jobs', 'max']];
  },
  // Copies the result of a build in another folder to its path here.
  finish() {
    const built = path.join(gypFolder(), 'build', 'Release', 'morphmlp.node');
    if (built === gypBuild) return;
    mkdirSync(path.dirname(gypBuild), { recursive: true });
    copyFileSync(built, gypBuild);
  },
};

module.exports = { cmake, gyp };
