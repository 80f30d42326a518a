/** Embeds compiled modules of the library in a page, so that a page computes with the library's own code. */
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';

/** Folders of compiled modules: that of this file, or in a checkout the last build. */
const ROOTS = [path.join(__dirname, '..'), path.join(__dirname, '../../dist')];

/** JavaScript of a module such as `models/flops`. */
function compiled(id: string): string {
  const file = ROOTS.map((root) => path.join(root, `${id}.js`)).find((name) => existsSync(name));
  if (!file) throw new Error(`the page needs ${id}.js, which is in none of ${ROOTS.join(', ')}: run npm run build:ts`);
  return readFileSync(file, 'utf8').replace(/\r\n?/g, '\n');
}

/** Adds a module and what it requires. A package is refused: its code would not run in a page. */
function collect(id: string, found: Map<string, string>): void {
  if (found.has(id)) return;
  const wanted: string[] = [];
  const code = compiled(id).replace(/require\("([^"]+)"\)/g, (_, specifier: string) => {
    if (!specifier.startsWith('.')) throw new Error(`${id} requires ${specifier}, so that it cannot run in a page`);
    const other = path.posix.join(path.posix.dirname(id), specifier);
    wanted.push(other);
    return `require("${other}")`;
  });
  found.set(id, code);
  for (const other of wanted) collect(other, found);
}

/**
 * A script that defines `library(id)`, which returns the exports of a module, for the page's own scripts.
 * @param ids modules of src/ without extension, such as `models/flops`; what they require comes with them
 * @throws if a module is missing or requires a package
 */
export function pageModules(ids: readonly string[]): string {
  const found = new Map<string, string>();
  for (const id of ids) collect(id, found);
  const entries = [...found].map(([id, code]) => `'${id}': (exports, require) => {\n${code}\n},`);
  return `/* The library's own modules, as compiled. */
globalThis.library = (() => {
  const modules = {
${entries.join('\n')}
  };
  const loaded = {};
  return function load(id) {
    if (!(id in loaded)) modules[id]((loaded[id] = {}), load);
    return loaded[id];
  };
})();`;
}
