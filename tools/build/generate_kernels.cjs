'use strict';
// Writes what is made from native/ops/*.def beside the C++ that includes them (native/ops/structs.h, native/bindings/readers.cc):
//   native/ops/<op>.h, all.h, ops.def      the include files
//   src/core/kernels.ts                    the typed calls
//   bench/peers/kernel_arguments.py        the names of arguments, in order
// With --check it writes nothing and fails where a file is stale.
const { existsSync, readFileSync, readdirSync, writeFileSync } = require('node:fs');
const path = require('node:path');
const prettier = require('prettier');

const root = path.join(__dirname, '..', '..');
const folder = path.join(root, 'native', 'ops');
const NOTE = 'Written by tools/build/generate_kernels.cjs from native/ops/*.def: do not edit.';

const fail = (file, what) => {
  throw new Error(`${file}: ${what}`);
};

/** Splits `text` at commas that stand in no parentheses and no string. */
function splitArguments(text) {
  const parts = [''];
  let [depth, quoted] = [0, false];
  for (const c of text) {
    if (c === '"') quoted = !quoted;
    if (!quoted) depth += c === '(' || c === '[' ? 1 : c === ')' || c === ']' ? -1 : 0;
    if (c === ',' && depth === 0 && !quoted) parts.push('');
    else parts[parts.length - 1] += c;
  }
  return parts.map((part) => part.trim());
}

/** The calls `NAME(arguments)` and bare words that `text` is made of. */
function callsIn(file, text) {
  const calls = [];
  for (let at = 0; at < text.length;) {
    const word = /^\s*(\w+)/.exec(text.slice(at));
    if (!word) {
      if (text.slice(at).trim()) fail(file, `expected NAME(...), got "${text.slice(at, at + 40).trim()}"`);
      break;
    }
    at += word[0].length;
    if (text[at] !== '(') {
      calls.push({ name: word[1], args: null });
      continue;
    }
    let [end, depth, quoted] = [at, 0, false];
    do {
      if (end === text.length) fail(file, `${word[1]}: a parenthesis is not closed`);
      const c = text[end++];
      if (c === '"') quoted = !quoted;
      if (!quoted) depth += c === '(' ? 1 : c === ')' ? -1 : 0;
    } while (depth > 0);
    calls.push({ name: word[1], args: splitArguments(text.slice(at + 1, end - 1)) });
    at = end;
  }
  return calls;
}

/** A .def file: its macros, and its calls with the comments before them. */
function parseFile(op) {
  const file = `native/ops/${op}.def`;
  const lines = readFileSync(path.join(folder, `${op}.def`), 'utf8')
    .replace(/\\\n/g, ' ')
    .split('\n');
  const macros = new Map();
  const code = [];
  for (const line of lines) {
    const define = /^#define (\w+)\s+(.*)$/.exec(line);
    if (define) macros.set(define[1], define[2]);
    else code.push(line.replace(/\/\/.*$/, ''));
  }
  const contract = lines.slice(
    0,
    lines.findIndex((line) => !line.startsWith('//')),
  );
  return { op, file, macros, contract: contract.map((line) => line.slice(3)), calls: callsIn(file, code.join('\n')) };
}

const TENSORS = new Map([
  ...['IN', 'OUT', 'UPDATE'].map((name) => [name, { role: name.toLowerCase(), type: 0, at: 1 }]),
  ...['IN', 'OUT'].map((name) => [`${name}_OPT`, { role: name.toLowerCase(), type: 0, at: 1, optional: true }]),
  ['WEIGHT', { role: 'in', dtype: 'float', at: 0 }],
  ['INDEX', { role: 'in', dtype: 'int32_t', at: 0 }],
]);
const LISTS = new Map([
  ['IN_LIST', 'in'],
  ['UPDATE_LIST', 'update'],
]);
const SCALARS = new Map([
  ['SIZE', 'number'],
  ['REAL', 'number'],
  ['SIZES', 'readonly number[]'],
  ['FLAG', 'boolean'],
]);
const CHECKS = ['REQUIRE', 'CHECK', 'FIELD', 'METHOD', 'LENGTHS'];

/** Reads the arguments of a kernel. */
class Reader {
  constructor(file, macros, shapes) {
    Object.assign(this, { file, macros, shapes, lets: new Map(), arguments: [] });
  }

  read(text) {
    for (const { name, args } of callsIn(this.file, text)) this.add(name, args);
    return this.arguments;
  }

  add(name, args) {
    if (args === null) {
      if (!this.macros.has(name)) fail(this.file, `${name} is not defined`);
      this.read(this.macros.get(name));
    } else if (name === 'AT') {
      if (!this.shapes.has(args[0])) fail(this.file, `no SHAPE ${args[0]}`);
      this.read(this.shapes.get(args[0]));
    } else if (name === 'LET') this.lets.set(args[0], args[1]);
    else if (name === 'EACH') this.each(args);
    else if (SCALARS.has(name)) this.arguments.push({ kind: name, name: args[0], ts: SCALARS.get(name) });
    else if (TENSORS.has(name)) this.arguments.push(this.tensor(name, args));
    else if (LISTS.has(name))
      this.arguments.push({ kind: 'LIST', name: args[0], role: LISTS.get(name), dtype: 'float' });
    else if (!CHECKS.includes(name)) fail(this.file, `${name} is not a known argument`);
  }

  tensor(name, args) {
    const { role, optional = false, at, type, dtype = args[type] } = TENSORS.get(name);
    return { kind: 'TENSOR', name: args[at], role, optional, dtype, sizes: this.sizesOf(args[at + 1]) };
  }

  each([count, ...rest]) {
    const calls = callsIn(this.file, rest.join(', '));
    const members = calls.map(({ name, args }) => this.tensor(name.replace(/^EACH_/, ''), args));
    this.arguments.push({ kind: 'EACH', count: this.shown(count), members });
  }

  /** The sizes that an expression multiplies. */
  sizesOf(expression) {
    if (this.lets.has(expression)) return this.sizesOf(this.lets.get(expression));
    const product = /^N\((.*)\)$/.exec(expression);
    return product ? splitArguments(product[1]).flatMap((part) => this.sizesOf(part)) : [this.shown(expression)];
  }

  shown(expression) {
    return expression.replace(/\bat\./g, '');
  }
}

const ops = readdirSync(folder)
  .filter((name) => name.endsWith('.def') && name !== 'ops.def')
  .map((name) => name.slice(0, -4))
  .sort();
const files = ops.map(parseFile);
const macros = new Map(files.flatMap((file) => [...file.macros]));
const shapes = new Map(
  files.flatMap(({ calls }) =>
    calls.filter((c) => c.name === 'SHAPE').map(({ args }) => [args[0], args.slice(1).join(', ')]),
  ),
);
const constants = new Map(
  files.flatMap(({ calls }) => calls.filter((c) => c.name === 'CONSTANT').map(({ args }) => [args[1], args[2]])),
);

/** Every kernel of a file: `{ name, type, bf16, arguments }`. */
const kernelsOf = ({ op, file, calls }) =>
  calls
    .filter(({ name }) => name.startsWith('KERNEL'))
    .map(({ name, args: [kernel, type, ...rest] }) => {
      if (!kernel.startsWith(`${op}_`)) fail(file, `the name of kernel ${kernel} does not begin with ${op}_`);
      const reader = new Reader(file, macros, shapes);
      return { name: kernel, type, bf16: name === 'KERNEL_BF16', arguments: reader.read(rest.join(', ')) };
    });
const table = files.map((file) => ({ ...file, kernels: kernelsOf(file) }));
const kernels = table.flatMap((file) => file.kernels);

// -- C++ --

/** The files whose macros and shapes this one uses. */
function uses({ op }) {
  const text = readFileSync(path.join(folder, `${op}.def`), 'utf8');
  const names = new Set(text.match(/\w+/g));
  const has = (other) =>
    [...other.macros.keys()].some((name) => names.has(name)) ||
    other.calls.some(({ name, args }) => name === 'SHAPE' && names.has(args[0]));
  return files.filter((other) => other.op !== op && has(other)).map((other) => other.op);
}

const header = (file) =>
  [
    `// ${NOTE}`,
    '#pragma once',
    ...uses(file).map((op) => `#include "ops/${op}.h"`),
    `#define OP_DEF "ops/${file.op}.def"`,
    '#include "ops/structs.h"',
    '',
  ].join('\n');

const allHeaders = () =>
  [
    `// ${NOTE}`,
    '// The argument structs of all kernels.',
    '#pragma once',
    ...ops.map((op) => `#include "ops/${op}.h"`),
    '',
  ].join('\n');

const GIVEN = ['SHAPE', 'CONSTANT'];
const allDefinitions = () =>
  [
    `// ${NOTE}`,
    '// Every kernel: the includer defines KERNEL(name, argument struct, arguments...), and KERNEL_BF16 where kernels that take bf16 too',
    '// are something else.',
    '#ifndef KERNEL_BF16',
    '#define KERNEL_BF16(...) KERNEL(__VA_ARGS__)',
    '#endif',
    ...GIVEN.flatMap((name) => [`#ifndef ${name}`, `#define ${name}(...)`, '#endif']),
    ...ops.map((op) => `#include "ops/${op}.def"`),
    ...['KERNEL', 'KERNEL_BF16', ...GIVEN].map((name) => `#undef ${name}`),
    '',
  ].join('\n');

// -- TypeScript --

const camel = (name) => name.replace(/_(\w)/g, (_, letter) => letter.toUpperCase());
const flat = (list) => list.flatMap((a) => (a.kind === 'EACH' ? a.members.map((m) => ({ ...m, each: a.count })) : [a]));
const ROLES = { in: 'read', out: 'written', update: 'read and written' };
const DTYPES = { float: 'f32', int32_t: 'i32', uint8_t: 'u8', Bf16: 'bf16' };

function field(a) {
  if (!a.role) return `${camel(a.name)}: ${a.ts};`;
  const dtype = a.dtype === 'T' ? 'T' : DTYPES[a.dtype];
  const sizes = a.sizes ? ` [${a.sizes.map((size) => constants.get(size) ?? size).join(', ')}]` : '';
  const operand = `Operand${a.optional ? ' | null' : ''}`;
  const many = a.kind === 'LIST' || a.each;
  const type = many ? `readonly ${a.optional ? `(${operand})` : operand}[]` : operand;
  return `/** ${dtype}${sizes}${a.each ? `, one for each of ${a.each}` : ''}: ${ROLES[a.role]}. */\n${camel(a.name)}: ${type};`;
}

const comment = ({ op, contract }) => `/*\n * ${op}\n${contract.map((line) => ` * ${line}\n`).join('')} */\n`;

const interfaceOf = ({ name, type, arguments: list }) =>
  `/** The arguments of ${name}. */\nexport interface ${type} {\n${flat(list).map(field).join('\n')}\n}\n`;

function passed(a) {
  if (a.kind === 'EACH') return `...each([${a.members.map((m) => `a.${camel(m.name)}`).join(', ')}])`;
  const value = `a.${camel(a.name)}`;
  if (a.kind === 'SIZES') return `...${value}`;
  if (a.kind === 'LIST') return `${value}.map(handleOf)`;
  if (a.kind === 'TENSOR') return a.optional ? `${value} && ${value}.handle` : `${value}.handle`;
  return value;
}

const launcher = ({ name, type, arguments: list }) =>
  `${name}: (a: ${type}) => addon.${name}(${list.map(passed).join(', ')}),`;

const roles = ({ name, arguments: list }) => {
  const named = (role) =>
    flat(list)
      .filter((a) => a.role === role)
      .map((a) => `'${camel(a.name)}'`);
  return `${name}: { in: [${named('in')}], out: [${named('out')}], update: [${named('update')}] },`;
};

const typescript = () => `/* eslint-disable max-lines */
/**
 * ${NOTE}
 *
 * The kernels and the arguments of each, by name. T is f32, or bf16 where the kernel takes it.
 */
import type { Handle, KernelArgument, Operand } from './operand';

/** Every op, with its kernels: a kernel's name is \`<op>_<kernel>\`. */
export const OPS = {
${table.map(({ op, kernels: own }) => `${op}: [${own.map(({ name }) => `'${name.slice(op.length + 1)}'`).join(', ')}],`).join('\n')}
} as const;

/** The ops whose activations may be bf16, on CUDA; an op that asks \`expectFloats\` for more does not compile. */
export const BF16_OPS = [
${table
  .filter((file) => file.kernels.some(({ bf16 }) => bf16))
  .map(({ op }) => `'${op}',`)
  .join('\n')}
] as const satisfies readonly (keyof typeof OPS)[];

/** One of \`BF16_OPS\`. */
export type Bf16Op = (typeof BF16_OPS)[number];

${table.map((file) => comment(file) + file.kernels.map(interfaceOf).join('\n')).join('\n')}
/** The arguments of each kernel. */
export interface KernelArguments {
${kernels.map(({ name, type }) => `${name}: ${type};`).join('\n')}
}

/** The names of all kernels, such as \`layer_norm_forward\`. */
export type KernelName = keyof KernelArguments;

/** Which arguments a kernel reads, writes, and reads and writes again. */
export const ROLES: Readonly<Record<KernelName, Readonly<Record<'in' | 'out' | 'update', readonly string[]>>>> = {
${kernels.map(roles).join('\n')}
};

/** All kernel names, in the addon's order. */
export const KERNEL_NAMES = Object.keys(ROLES) as KernelName[];

/** The addon's functions: each takes its kernel's arguments in the order of the .def file. */
export type NativeKernels = Record<KernelName, (...args: KernelArgument[]) => void>;

const handleOf = (t: Operand | null): Handle | null => t && t.handle;

/** The tensors of lists in turn: the first of each list, then the second of each. */
function each(lists: readonly (readonly (Operand | null)[])[]): (Handle | null)[] {
  return lists[0]!.flatMap((_, i) => lists.map((list) => handleOf(list[i] ?? null)));
}

/** For each kernel a function that passes named arguments to the addon. */
export const launchers = (addon: NativeKernels): { [K in KernelName]: (a: KernelArguments[K]) => void } => ({
${kernels.map(launcher).join('\n')}
});

/** The kernels as methods that hand their name and arguments to \`launch\`. */
export const methods = (launch: <K extends KernelName>(kernel: K, a: KernelArguments[K]) => void) => ({
${kernels.map(({ name, type }) => `${camel(name)}: (a: ${type}) => launch('${name}', a),`).join('\n')}
});
`;

// -- Python --

const python = () => {
  const tuple = (names) => `(${names.map((name) => (Array.isArray(name) ? tuple(name) : `'${name}'`)).join(', ')},)`;
  const names = (list) => list.map((a) => (a.kind === 'EACH' ? a.members.map((m) => m.name) : a.name));
  const rows = kernels.map(({ name, arguments: list }) => `    '${name}': ${tuple(names(list))},`);
  return `"""${NOTE}\n\nThe arguments of each kernel, in order. Those of a tuple take turns."""\n\nKERNELS = {\n${rows.join('\n')}\n}\n`;
};

async function main() {
  const options = await prettier.resolveConfig(path.join(root, 'src/core/kernels.ts'));
  const made = new Map([
    ...files.map((file) => [`native/ops/${file.op}.h`, header(file)]),
    ['native/ops/all.h', allHeaders()],
    ['native/ops/ops.def', allDefinitions()],
    ['src/core/kernels.ts', await prettier.format(typescript(), { ...options, parser: 'typescript' })],
    ['bench/peers/kernel_arguments.py', python()],
  ]);
  const stale = [...made].filter(([file, text]) => {
    const full = path.join(root, file);
    return !existsSync(full) || readFileSync(full, 'utf8') !== text;
  });
  if (!process.argv.includes('--check')) for (const [file, text] of stale) writeFileSync(path.join(root, file), text);
  else if (stale.length > 0) {
    console.error(`stale: ${stale.map(([file]) => file).join(', ')}; npm run generate`);
    process.exitCode = 1;
  }
}

main();
