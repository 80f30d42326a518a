'use strict';
// Manifest of a bundle: MANIFEST.json lists size and checksum of every file, and the commit and Node version.
//   node tools/bundle/manifest.cjs FOLDER   compares the folder with its manifest; exit status 1 if they differ
const { createHash } = require('node:crypto');
const { readdirSync, readFileSync, statSync, writeFileSync } = require('node:fs');
const path = require('node:path');

const NAME = 'MANIFEST.json';
// Written by the steps of a bundle.
const GENERATED = /^(results|build)\//;

/** Sorted paths, with /, of the files below a folder, without the manifest. */
function filesOf(folder) {
  const all = readdirSync(folder, { recursive: true }).map((file) => String(file).replaceAll(path.sep, '/'));
  return all.filter((file) => file !== NAME && statSync(path.join(folder, file)).isFile()).sort();
}

function describe(file) {
  const bytes = readFileSync(file);
  return { bytes: bytes.length, sha256: createHash('sha256').update(bytes).digest('hex') };
}

/** Writes FOLDER/MANIFEST.json with `facts` (commit, Node version, …) and returns its contents. */
function writeManifest(folder, facts) {
  const files = Object.fromEntries(filesOf(folder).map((file) => [file, describe(path.join(folder, file))]));
  const manifest = { ...facts, files };
  writeFileSync(path.join(folder, NAME), `${JSON.stringify(manifest, null, 1)}\n`);
  return manifest;
}

function readManifest(folder) {
  const manifest = JSON.parse(readFileSync(path.join(folder, NAME), 'utf8'));
  if (typeof manifest.files !== 'object' || manifest.files === null)
    throw new Error(`${NAME}: expected an object with files, got ${JSON.stringify(manifest).slice(0, 60)}`);
  return manifest;
}

/** One message per missing, changed or new file, sorted; empty if the folder matches its manifest. */
function differences(folder) {
  const { files } = readManifest(folder);
  const found = new Set(filesOf(folder));
  const changed = Object.entries(files).flatMap(([file, known]) => {
    if (!found.has(file)) return [`${file}: missing`];
    const { bytes, sha256 } = describe(path.join(folder, file));
    if (bytes !== known.bytes) return [`${file}: expected ${known.bytes} bytes, got ${bytes}`];
    return sha256 === known.sha256 ? [] : [`${file}: changed`];
  });
  const extra = [...found].filter((file) => !Object.hasOwn(files, file)).map((file) => `${file}: not in the manifest`);
  return [...changed, ...extra].filter((line) => !GENERATED.test(line)).sort();
}

module.exports = { NAME, filesOf, writeManifest, readManifest, differences };
if (require.main === module) {
  const found = differences(path.resolve(process.argv[2] ?? '.'));
  console.log(found.join('\n') || 'every file is as the manifest says');
  process.exitCode = found.length > 0 ? 1 : 0;
}
