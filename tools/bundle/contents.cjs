'use strict';
// Lays out the contents of a bundle: the tree of the project with Node, both libraries and compiled tests.
const { execFileSync } = require('node:child_process');
const { chmodSync, cpSync, existsSync, mkdirSync, readFileSync, writeFileSync } = require('node:fs');
const path = require('node:path');
const { closure, copyPackages } = require('./packages.cjs');

const root = path.join(__dirname, '..', '..');
const TRACKED = ['LICENSE', 'README.md', 'CMakeLists.txt', 'package.json', 'bin', 'configs', 'include', 'native'];
const ALSO_TRACKED = ['bench/peers', 'docs/cuda.md', 'test/fixtures', 'test/emulator', 'test/smoke', 'tools'];
const TESTED = ['ops', 'optim', 'models', 'nn', 'cuda', 'c_api', 'support'];
// Tests are compiled to JavaScript, so jest needs no ts-jest. tools/build/cmake.cjs replaces cmake-js.
const TEST_PACKAGES = ['jest', 'fast-check'];
const UNUSED_PACKAGES = ['cmake-js'];
// Excludes tests that take minutes, and that of weight files, which needs no device and has large fixtures.
const NOT_BUNDLED = /\.(full|soak|timed)\.test\.ts$|\/models\/weights\.test\.ts$/;
// Fixtures of tests that are not in the bundle.
const UNUSED_FIXTURES = /^test\/fixtures\/(augment|pytorch|safetensors|reference\/checkpoints)\//;

const git = (...args) => execFileSync('git', args, { cwd: root, encoding: 'utf8', maxBuffer: 1 << 28 }).trim();
const tracked = (...paths) =>
  git('ls-files', '-z', '--', ...paths)
    .split('\0')
    .filter(Boolean);

/** { commit, time }: the current commit, with the suffix -dirty if tracked files differ, and its time in seconds. */
function commit() {
  const dirty = git('status', '--porcelain', '--untracked-files=no') ? '-dirty' : '';
  return { commit: `${git('rev-parse', 'HEAD')}${dirty}`, time: Number(git('log', '-1', '--format=%ct')) };
}

function copy(file, to) {
  mkdirSync(path.dirname(path.join(to, file)), { recursive: true });
  cpSync(path.join(root, file), path.join(to, file), { recursive: true });
}

// Imports of src/ in tests become imports of dist/.
const FROM_SRC = /(['"](?:\.\.\/)+)src\//g;

/** Compiles the tests to JavaScript and copies their other files (Python, .cjs). */
function compileTests(to) {
  const ts = require('typescript');
  const compilerOptions = { module: 'CommonJS', target: 'ES2022', esModuleInterop: true };
  for (const file of tracked(...TESTED.map((folder) => `test/${folder}`))) {
    if (NOT_BUNDLED.test(file)) continue;
    if (!/\.ts$/.test(file)) copy(file, to);
    else {
      const { outputText } = ts.transpileModule(readFileSync(path.join(root, file), 'utf8'), { compilerOptions });
      const target = path.join(to, file.replace(/\.ts$/, '.js'));
      mkdirSync(path.dirname(target), { recursive: true });
      writeFileSync(target, outputText.replaceAll(FROM_SRC, '$1dist/'));
    }
  }
}

function stripped(from, to) {
  mkdirSync(path.dirname(to), { recursive: true });
  cpSync(from, to, { dereference: true });
  chmodSync(to, 0o755);
  execFileSync('strip', ['--strip-unneeded', to]);
}

/** The newest glibc and libstdc++ versions that the programs require: { glibc: '2.28', libstdcxx: '3.4.30' }. */
function needs(files) {
  const text = files
    .map((file) => execFileSync('readelf', ['-W', '--version-info', file], { maxBuffer: 1 << 28 }))
    .join('');
  const newest = (pattern) =>
    [...text.matchAll(pattern)]
      .map((m) => m[1])
      .sort((a, b) => a.localeCompare(b, 'en', { numeric: true }))
      .at(-1) ?? '';
  return { glibc: newest(/\bGLIBC_(\d[\d.]*)/g), libstdcxx: newest(/\bGLIBCXX_(\d[\d.]*)/g) };
}

/** Lays out the bundle in `to`. `libraries` is the folder of both libraries and, for CUDA, of the smoke test. Returns the required library versions. */
function layOut(to, libraries) {
  if (!existsSync(path.join(root, 'dist', 'cli', 'main.js'))) throw new Error('dist/ is missing: run npm run build:ts');
  for (const file of tracked(...TRACKED, ...ALSO_TRACKED)) if (!UNUSED_FIXTURES.test(file)) copy(file, to);
  copy('dist', to);
  compileTests(to);
  const { dependencies } = JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8'));
  const wanted = Object.keys(dependencies).filter((name) => !UNUSED_PACKAGES.includes(name));
  copyPackages(root, closure(root, [...wanted, ...TEST_PACKAGES]), to);
  const built = ['morphmlp.node', 'libmorphmlp.so', 'smoke'].map((name) => [
    path.join(libraries, name),
    `build/Release/${name}`,
  ]);
  // The smoke test is only there for CUDA and for the emulation.
  const programs = [
    [process.execPath, 'runtime/node'],
    ...built.filter(([from]) => existsSync(from) || !from.endsWith('smoke')),
  ];
  for (const [from, file] of programs) stripped(from, path.join(to, file));
  const found = needs(programs.map(([, file]) => path.join(to, file)));
  writeFileSync(path.join(to, 'runtime', 'glibc'), `${found.glibc}\n`);
  cpSync(path.join(__dirname, 'run'), path.join(to, 'run'));
  chmodSync(path.join(to, 'run'), 0o755);
  return found;
}

module.exports = { root, commit, layOut };
