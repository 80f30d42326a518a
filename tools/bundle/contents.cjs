'use strict';
// Lays out what a bundle holds in a folder: it looks like the project, with Node, the libraries and compiled tests in it.
const { execFileSync } = require('node:child_process');
const { chmodSync, cpSync, existsSync, mkdirSync, readFileSync, writeFileSync } = require('node:fs');
const path = require('node:path');
const { closure, copyPackages } = require('./packages.cjs');

const root = path.join(__dirname, '..', '..');
const TRACKED = ['LICENSE', 'README.md', 'CMakeLists.txt', 'package.json', 'bin', 'configs', 'include', 'native'];
const ALSO_TRACKED = ['bench/peers', 'docs/cuda.md', 'test/fixtures', 'test/emulator', 'tools'];
const TESTED = ['ops', 'optim', 'models', 'nn', 'cuda', 'c_api', 'support'];
// jest runs the tests; what compiles TypeScript for it stays at home. cmake-js needs CMake.
const TEST_PACKAGES = ['jest', 'fast-check'];
const NOT_NEEDED = ['cmake-js'];
// Tests that take minutes, and the one of files of weights, which no device has a part in and whose fixtures are megabytes.
const NOT_BUNDLED = /\.(full|soak|timed)\.test\.ts$|\/models\/weights\.test\.ts$/;
// Fixtures that no test of the others reads.
const UNTOUCHED = /^test\/fixtures\/(augment|pytorch|safetensors|reference\/checkpoints)\//;

const git = (...args) => execFileSync('git', args, { cwd: root, encoding: 'utf8', maxBuffer: 1 << 28 }).trim();
const tracked = (...paths) =>
  git('ls-files', '-z', '--', ...paths)
    .split('\0')
    .filter(Boolean);

/** The commit, with -dirty where files differ from it, and its time in seconds. */
function commit() {
  const dirty = git('status', '--porcelain', '--untracked-files=no') ? '-dirty' : '';
  return { commit: `${git('rev-parse', 'HEAD')}${dirty}`, time: Number(git('log', '-1', '--format=%ct')) };
}

function copy(file, to) {
  mkdirSync(path.dirname(path.join(to, file)), { recursive: true });
  cpSync(path.join(root, file), path.join(to, file), { recursive: true });
}

// Where a test names a module of src/, the bundle has it in dist/.
const FROM_SRC = /(['"](?:\.\.\/)+)src\//g;

/** The tests as JavaScript; what goes with them (Python, .cjs) as it is. */
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

/** The newest glibc, and libstdc++ where it is named, that any of the programs asks for: { glibc: '2.28', libstdcxx: '3.4.30' }. */
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

/** Lays everything out in `to`. `libraries` is the folder of morphmlp.node and libmorphmlp.so. Returns what the programs need. */
function layOut(to, libraries) {
  if (!existsSync(path.join(root, 'dist', 'cli', 'main.js')))
    throw new Error('dist/ is not there: run npm run build:ts');
  for (const file of tracked(...TRACKED, ...ALSO_TRACKED)) if (!UNTOUCHED.test(file)) copy(file, to);
  copy('dist', to);
  compileTests(to);
  const { dependencies } = JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8'));
  const wanted = Object.keys(dependencies).filter((name) => !NOT_NEEDED.includes(name));
  copyPackages(root, closure(root, [...wanted, ...TEST_PACKAGES]), to);
  const programs = [
    [process.execPath, 'runtime/node'],
    ...['morphmlp.node', 'libmorphmlp.so'].map((name) => [path.join(libraries, name), `build/Release/${name}`]),
  ];
  for (const [from, file] of programs) stripped(from, path.join(to, file));
  const found = needs(programs.map(([, file]) => path.join(to, file)));
  writeFileSync(path.join(to, 'runtime', 'glibc'), `${found.glibc}\n`);
  cpSync(path.join(__dirname, 'run'), path.join(to, 'run'));
  chmodSync(path.join(to, 'run'), 0o755);
  return found;
}

module.exports = { root, commit, layOut };
