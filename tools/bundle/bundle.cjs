'use strict';
// npm run bundle: makes one archive for a machine with a GPU, but without Node and network. See docs/cuda.md.
const { existsSync, readdirSync, rmSync, statSync } = require('node:fs');
const path = require('node:path');
const { parseArgs } = require('node:util');
const cmake = require('../build/cmake.cjs');
const smoke = require('../build/smoke.cjs');
const { pack } = require('./archive.cjs');
const { commit, layOut, root } = require('./contents.cjs');
const { writeManifest } = require('./manifest.cjs');

const LIMIT = 40e6;
const TOP = 'morphmlp-bundle';

const HELP = `usage: npm run bundle -- [options]

Makes one archive of at most 40 MB: Node, dist/, npm packages, both libraries, native sources, tests, fixtures, bench.
Needs CMake (unless --libraries is given), GNU tar, xz, strip and readelf here; tar and xz, or python3, to unpack. The same
libraries give the same archive, byte for byte.

  --cuda AUTO|ON|OFF   compile for CUDA (AUTO: if nvcc is found)
  --libraries FOLDER   use morphmlp.node, libmorphmlp.so and, if it is there, smoke of this folder instead of compiling them
  --out FILE           archive (default: build-bundle/morphmlp-bundle-COMMIT.tar.xz)
  --level 0..9         xz level (default: 6)
  --jobs N             parallel compilations

Examples:
  npm run bundle
  npm run bundle -- --cuda OFF --level 1
  npm run bundle -- --libraries build/Release --out /tmp/bundle.tar.xz`;

const megabytes = (bytes) => `${(bytes / 1e6).toFixed(1)} MB`;

function sizeOf(folder) {
  const sizes = readdirSync(folder, { recursive: true }).map((file) => statSync(path.join(folder, String(file))));
  return sizes.reduce((sum, stat) => sum + (stat.isFile() ? stat.size : 0), 0);
}

function printSummary(stage, out, facts) {
  const folder = path.join(stage, TOP);
  console.log(
    `\n${path.relative(process.cwd(), out)}: ${megabytes(statSync(out).size)}, unpacked ${megabytes(sizeOf(folder))}`,
  );
  const parts = readdirSync(folder, { withFileTypes: true }).filter((entry) => entry.isDirectory());
  for (const { name } of parts)
    console.log(`  ${name.padEnd(14)}${megabytes(sizeOf(path.join(folder, name))).padStart(9)}`);
  console.log(
    `commit ${facts.commit}, Node ${facts.node}, libraries for ${facts.libraries}, glibc ${facts.glibc} or newer`,
  );
  console.log(`to use it: tar xf ${path.basename(out)} && ${TOP}/run --help`);
}

const targetOf = (folder) => require(path.join(folder, 'morphmlp.node')).cudaCompiled() || 'the CPU';

/** { folder, target } of both libraries, compiled here unless `libraries` names a folder. */
function librariesOf({ libraries, cuda = 'AUTO', jobs }) {
  if (libraries !== undefined) {
    const folder = path.resolve(libraries);
    for (const name of ['morphmlp.node', 'libmorphmlp.so'])
      if (!existsSync(path.join(folder, name))) throw new Error(`--libraries: there is no ${name} in ${folder}`);
    return { folder, target: targetOf(folder) };
  }
  const folder = path.join(root, 'build-bundle');
  // Uncompressed kernels make a smaller archive: xz finds what they have in common.
  const defines = { CMAKE_CUDA_FLAGS: '--no-compress' };
  cmake.build({ folder, cuda, defines, ...(jobs === undefined ? {} : { jobs: Number(jobs) }) });
  const release = path.join(folder, 'Release');
  const target = targetOf(release);
  if (target !== 'the CPU') smoke.build(path.join(release, 'smoke'));
  return { folder: release, target };
}

const TEXT = ['cuda', 'libraries', 'out', 'level', 'jobs'];

function main() {
  const options = { help: { type: 'boolean' }, ...Object.fromEntries(TEXT.map((name) => [name, { type: 'string' }])) };
  const { values } = parseArgs({ options });
  if (values.help) return console.log(HELP);
  if (!/^[0-9]$/.test(values.level ?? '6')) throw new Error(`--level: expected 0 to 9, got '${values.level}'`);
  const from = librariesOf(values);
  const head = commit();
  const name = `${TOP}-${head.commit.slice(0, 10)}${head.commit.endsWith('-dirty') ? '-dirty' : ''}.tar.xz`;
  const out = path.resolve(values.out ?? path.join(root, 'build-bundle', name));
  const stage = `${out}.files`;
  rmSync(stage, { recursive: true, force: true });
  try {
    const needed = layOut(path.join(stage, TOP), from.folder);
    const facts = { commit: head.commit, node: process.version, libraries: from.target, ...needed };
    writeManifest(path.join(stage, TOP), facts);
    pack(stage, TOP, out, head.time, values.level ?? '6');
    printSummary(stage, out, facts);
  } finally {
    rmSync(stage, { recursive: true, force: true });
  }
  const { size } = statSync(out);
  if (size > LIMIT) throw new Error(`archive: expected at most ${megabytes(LIMIT)}, got ${megabytes(size)}`);
}

try {
  main();
} catch (error) {
  console.error(`bundle: ${error.message}`);
  process.exitCode = 1;
}
