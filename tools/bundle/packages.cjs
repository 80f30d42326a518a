'use strict';
// The npm packages that a bundle carries: those that were asked for and all that they need, without what nobody reads there:
// texts, types, copies as ES modules beside those that `require` finds, and which browser can what.
const { cpSync, existsSync, readFileSync } = require('node:fs');
const path = require('node:path');

const UNREAD =
  /\.(md|markdown|map|flow|[cm]?ts)$|[/\\](build|dist)[/\\]esm$|[/\\]caniuse-lite[/\\]data[/\\](features|regions)$/i;

/** The folder of a package as Node finds it from `from`, or undefined. */
function locate(name, from, root) {
  for (let folder = from; ; folder = path.dirname(folder)) {
    const found = path.join(folder, 'node_modules', name);
    if (existsSync(path.join(found, 'package.json'))) return found;
    if (folder === root || folder === path.dirname(folder)) return undefined;
  }
}

/** The folders of packages and of what they depend on, relative to root and sorted. What is optional may be missing. */
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

/** Copies packages into `to`, each without the packages inside it (which are listed on their own, where they are needed). */
function copyPackages(root, folders, to) {
  for (const folder of folders) {
    const from = path.join(root, folder);
    const filter = (file) => {
      const inside = path.relative(from, file);
      return inside.split(path.sep)[0] !== 'node_modules' && !UNREAD.test(file.slice(root.length));
    };
    cpSync(from, path.join(to, folder), { recursive: true, filter, dereference: true });
  }
}

module.exports = { closure, copyPackages };
