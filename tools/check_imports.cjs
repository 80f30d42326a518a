'use strict';
// Fails where an import of src/ points up, or where files import each other in a circle (types count too). docs/design.md draws the rooms.
const { existsSync, readFileSync, readdirSync } = require('node:fs');
const path = require('node:path');
const ts = require('typescript');

const src = path.join(__dirname, '..', 'src');

/** The rooms from the bottom up: a room imports from those before it and from itself. */
const ROOMS = 'terminal core formats data ops nn optim models distributed train bench study report cli'.split(' ');
/** The package's roots, which export from any room. */
const ROOT = ['index.ts', 'main.ts'];

const room = (file) => (ROOT.includes(file) ? 'cli' : file.split(path.sep)[0]);

/** The file of src/ that an import names, or null for a package or a file outside. */
function target(from, specifier) {
  if (!specifier.startsWith('.')) return null;
  const base = path.join(src, path.dirname(from), specifier);
  const file = [base, `${base}.ts`, path.join(base, 'index.ts'), base.replace(/\.js$/, '.ts')].find(
    (name) => /\.ts$/.test(name) && existsSync(name),
  );
  return path.relative(src, file ?? base);
}

/** file -> the files that it imports. */
function importGraph() {
  const files = readdirSync(src, { recursive: true })
    .map(String)
    .filter((file) => file.endsWith('.ts'));
  return new Map(
    files.map((file) => {
      const { importedFiles } = ts.preProcessFile(readFileSync(path.join(src, file), 'utf8'));
      return [file, [...new Set(importedFiles.map(({ fileName }) => target(file, fileName)).filter(Boolean))]];
    }),
  );
}

/** The one file outside that src/ may import: it finds the addon. */
const FINDER = path.join('..', 'native', 'find_addon.cjs');

function pointsUp([from, imports]) {
  return imports
    .filter((to) => to !== FINDER)
    .filter((to) => !(ROOMS.indexOf(room(to)) <= ROOMS.indexOf(room(from))) || !ROOMS.includes(room(to)))
    .map((to) => `src/${from} imports ${to.startsWith('..') ? path.join('src', to) : `src/${to}`}, which is above it`);
}

/** The strongly connected components of more than one file (Tarjan 1972). */
function circles(graph) {
  const [order, low, stack, found] = [new Map(), new Map(), [], []];
  const visit = (file) => {
    order.set(file, order.size);
    low.set(file, order.get(file));
    stack.push(file);
    for (const next of graph.get(file) ?? []) {
      if (!graph.has(next)) continue;
      if (!order.has(next)) visit(next);
      if (stack.includes(next)) low.set(file, Math.min(low.get(file), low.get(next)));
    }
    if (low.get(file) !== order.get(file)) return;
    const circle = stack.splice(stack.indexOf(file));
    if (circle.length > 1) found.push(`circle: ${circle.map((name) => `src/${name}`).join(', ')}`);
  };
  for (const file of graph.keys()) if (!order.has(file)) visit(file);
  return found;
}

const graph = importGraph();
const unknown = [...graph.keys()]
  .filter((file) => !ROOMS.includes(room(file)))
  .map((file) => `src/${file}: not in a room of ${ROOMS.join(', ')}`);
const faults = [...unknown, ...[...graph].flatMap(pointsUp), ...circles(graph)];
for (const fault of faults) console.error(fault);
if (faults.length === 0) console.log(`imports: ${graph.size} files, none points up, no circle`);
process.exitCode = faults.length ? 1 : 0;
