'use strict';
// npm run bundle: one archive for a machine with a GPU and nvcc, but without Node and network. docs/cuda.md says how to use it.
const { existsSync, readdirSync, rmSync, statSync } = require('node:fs');
const path = require('node:path');
const { parseArgs } = require('node:util');
const { compile } = require('../build/compile.cjs');
const { pack } = require('./archive.cjs');
const { commit, layOut, root } = require('./contents.cjs');
const { writeManifest } = require('./manifest.cjs');

const LIMIT = 40e6;
const TOP = 'morphmlp-bundle';

const HELP = `usage: npm run bundle -- [options]

Makes one archive of at most 40 MB: Node, dist/, the packages it needs, both libraries, native sources, tests, fixtures, bench.
Needs GNU tar, xz, strip and readelf here; where it is unpacked tar and xz, or python3 alone. The same libraries give the same
archive, byte for byte.

  --cuda AUTO|ON|OFF   compile for CUDA (AUTO: where nvcc is)
  --libraries FOLDER   take morphmlp.node and libmorphmlp.so from there instead of compiling them
  --out FILE           (build-bundle/morphmlp-bundle-COMMIT.tar.xz)
  --level 0..9         of xz (6)
  --jobs N             compilers at once

Examples:
  npm run bundle
  npm run bundle -- --cuda OFF --level 1
  npm run bundle -- --libraries build/Release --out /tmp/bundle.tar.xz`;

const megabytes = (bytes) => `${(bytes / 1e6).toFixed(1)} MB`;

function sizeOf(folder) {
  const sizes = readdirSync(folder, { recursive: true }).map((file) => statSync(path.join(folder, String(file))));
  return sizes.reduce((sum, stat) => sum + (stat.isFile() ? stat.size : 0), 0);
}

function say(stage, out, facts) {
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
  console.log(`there: tar xf ${path.basename(out)} && ${TOP}/run --help`);
}

/** The folder of both libraries, and for what they are. */
async function librariesOf({ libraries, cuda = 'AUTO', jobs }) {
  if (libraries !== undefined) {
    const folder = path.resolve(libraries);
    for (const name of ['morphmlp.node', 'libmorphmlp.so'])
      if (!existsSync(path.join(folder, name))) throw new Error(`--libraries: there is no ${name} in ${folder}`);
    return { folder, words: require(path.join(folder, 'morphmlp.node')).cudaCompiled() || 'the CPU alone' };
  }
  const folder = path.join(root, 'build-bundle');
  await compile({ folder, cuda, ...(jobs === undefined ? {} : { jobs: Number(jobs) }) });
  const release = path.join(folder, 'Release');
  return { folder: release, words: require(path.join(release, 'morphmlp.node')).cudaCompiled() || 'the CPU alone' };
}

const TEXT = ['cuda', 'libraries', 'out', 'level', 'jobs'];

async function main() {
  const options = { help: { type: 'boolean' }, ...Object.fromEntries(TEXT.map((name) => [name, { type: 'string' }])) };
  const { values } = parseArgs({ options });
  if (values.help) return console.log(HELP);
  if (!/^[0-9]$/.test(values.level ?? '6')) throw new Error(`--level: expected 0 to 9, got '${values.level}'`);
  const from = await librariesOf(values);
  const made = commit();
  const name = `${TOP}-${made.commit.slice(0, 10)}${made.commit.endsWith('-dirty') ? '-dirty' : ''}.tar.xz`;
  const out = path.resolve(values.out ?? path.join(root, 'build-bundle', name));
  const stage = `${out}.files`;
  rmSync(stage, { recursive: true, force: true });
  try {
    const needed = layOut(path.join(stage, TOP), from.folder);
    const facts = { commit: made.commit, node: process.version, libraries: from.words, ...needed };
    writeManifest(path.join(stage, TOP), facts);
    pack(stage, TOP, out, made.time, values.level ?? '6');
    say(stage, out, facts);
  } finally {
    rmSync(stage, { recursive: true, force: true });
  }
  const { size } = statSync(out);
  if (size > LIMIT) throw new Error(`the archive has ${megabytes(size)}, at most ${megabytes(LIMIT)} are allowed`);
}

main().catch((error) => {
  console.error(`bundle: ${error.message}`);
  process.exitCode = 1;
});
