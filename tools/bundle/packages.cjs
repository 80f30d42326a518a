'use strict';
// Selects and copies the npm packages of a bundle with their dependencies, without files that are unused at run time:
// documentation, types, ES module copies of CommonJS files, and browser data.
const { cpSync, existsSync, readFileSync } = require('node:fs');
const path = require('node:path');

const UNUSED =
  /\.(md|markdown|map|flow|[cm]?ts)$|[/\\](build|dist)[/\\]esm$|[/\\]caniuse-lite[/\\]data[/\\](features|regions)$/i;

/** Folder of a package as Node resolves it from `from`, or undefined. */
function locate(name, from, root) {
  for (let folder = from; ; folder = path.dirname(folder)) {
    const found = path.join(folder, 'node_modules', name);
    if (existsSync(path.join(found, 'package.json'))) return found;
    if (folder === root || folder === path.dirname(folder)) return undefined;
  }
}

/** Sorted folders, relative to root, of packages and their dependencies. Optional dependencies may be missing. */
function closure(root, names) {
  const found = new Set();
  const visit = (name, from, optional) => {
    const folder = locate(name, from, root);
    if (!folder && !optional) throw new Error(`${name} is not in node_modules: run npm ci`);
    if (!folder || found.has(folder)) return;
    found.add(folder);
    const { dependencies = {}, optionalDependencies = {} } = JSON.parse(
      readFileSync(path.join(folder, 'package.json')),
    );
    for (const other of Object.keys(dependencies)) visit(other, folder, Object.hasOwn(optionalDependencies, other));
    for (const other of Object.keys(optionalDependencies)) visit(other, folder, true);
  };
  for (const name of names) visit(name, root, false);
  return [...found].map((folder) => path.relative(root, folder)).sort();
}

/** Copies packages to `to` without nested packages, which are listed separately if needed. */
function copyPackages(root, folders, to) {
  for (const folder of folders) {
    const from = path.join(root, folder);
    const filter = (file) => {
      const inside = path.relative(from, file);
      return inside.split(path.sep)[0] !== 'node_modules' && !UNUSED.test(file.slice(root.length));
    };
    cpSync(from, path.join(to, folder), { recursive: true, filter, dereference: true });
  }
}

module.exports = { closure, copyPackages };
