import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import ts from 'typescript';
import * as m from '../../src';

const x = m.ones([2, 2]);
const wrong = <T>(options: unknown) => options as T;

test.each([
  [
    () => m.models.create('image-t', wrong({ num_classes: 3 })),
    "model 'image-t': unknown option 'num_classes', expected kind",
  ],
  [() => m.zeros([1], wrong({ dtyp: 'i32' })), "zeros: unknown option 'dtyp', expected device, dtype, requiresGrad"],
  [() => m.tensor([1], [1], wrong(true)), 'tensor: expected an object of options, got true'],
  [() => m.sum(x, wrong({ dim: 1 })), "sum: unknown option 'dim', expected axis, keepDims"],
  [() => m.max(x, wrong({ axes: 1 })), "max: unknown option 'axes', expected axis, keepDims"],
  [
    () => m.variance(x, wrong({ unbiased: false })),
    "variance: unknown option 'unbiased', expected axis, keepDims, correction",
  ],
  [() => m.crossEntropy(x, x, wrong({ label_smoothing: 0.1 })), "crossEntropy: unknown option 'label_smoothing'"],
  [() => m.crossEntropy(x, x, wrong(0.1)), 'crossEntropy: expected an object of options, got 0.1'],
  [() => m.mseLoss(x, x, wrong({ reduce: 'sum' })), "mseLoss: unknown option 'reduce', expected reduction"],
  [
    () => m.conv2d(x, x, null, wrong({ dilation: 2 })),
    "conv2d: unknown option 'dilation', expected stride, padding, groups",
  ],
  [
    () => new m.nn.Linear(2, 2, wrong({ biases: false })),
    "Linear: unknown option 'biases', expected bias, truncatedStd",
  ],
  [() => new m.optim.AdamW([], wrong({ weight_decay: 0 })), "AdamW: unknown option 'weight_decay'"],
  [() => new m.optim.SGD([], wrong({ lr: 1, dampening: 0 })), "SGD: unknown option 'dampening'"],
  [
    () => new m.DataLoader<number>([1], wrong<object>({ batch_size: 2 })),
    "DataLoader: unknown option 'batch_size', expected batchSize",
  ],
  [
    () => m.backward(x, x, wrong({ retain_graph: true })),
    "backward: unknown option 'retain_graph', expected retainGraph",
  ],
  [
    () => new m.nn.ReLU().loadStateDict(new Map(), wrong({ stict: false })),
    "loadStateDict: unknown option 'stict', expected strict",
  ],
])('%s is refused', (call, message) => {
  expect(call).toThrow(message);
});

test('methods refuse arguments that they would ignore', () => {
  const call = (name: string, ...args: unknown[]) =>
    (x as unknown as Record<string, (...a: unknown[]) => unknown>)[name]!(...args);
  expect(() => call('softmax', 0, 1)).toThrow('softmax: expected at most 1 argument, got 2');
  expect(() => call('sum', 0, true)).toThrow('sum: expected at most 1 argument, got 2');
  expect(() => call('reshape', 2, 2)).toThrow('reshape: expected at most 1 argument, got 2');
  expect(m.softmax(x, 0).toArray()).toEqual([[0.5, 0.5], [0.5, 0.5]]); // prettier-ignore
});

const library = jest.requireActual<typeof m>('../../src/main');

type Call = (...args: unknown[]) => unknown;
/** Every public function and class by its name in the package, as something to call. */
const calls: [name: string, call: Call][] = Object.entries({
  '': library,
  'nn.': library.nn,
  'optim.': library.optim,
  'models.': library.models,
}).flatMap(([within, exports]) =>
  Object.entries(exports)
    .filter(([, value]) => typeof value === 'function')
    .map(([name, value]: [string, Call]): [string, Call] => [
      within + name,
      (...args) =>
        Object.getOwnPropertyDescriptor(value, 'prototype')?.writable === false
          ? Reflect.construct(value, args)
          : value(...args),
    ]),
);

/** The parameters of each exported function or class, by name: the text of their types. */
function parameterTypes(): Map<string, string[]> {
  const src = path.join(__dirname, '..', '..', 'src');
  const types = new Map<string, string[]>();
  const note = (name: ts.Node | undefined, from: ts.Node, source: ts.SourceFile) =>
    name &&
    types.set(
      name.getText(source),
      (from as ts.FunctionDeclaration).parameters.map((p) => p.type?.getText(source) ?? ''),
    );
  for (const file of readdirSync(src, { recursive: true }).map(String)) {
    if (!/^(core|ops|nn|optim|models|data|train)\b.*\.ts$/.test(file)) continue;
    const source = ts.createSourceFile(file, readFileSync(path.join(src, file), 'utf8'), ts.ScriptTarget.ES2022);
    for (const node of source.statements) {
      if (ts.isFunctionDeclaration(node)) note(node.name, node, source);
      if (ts.isClassDeclaration(node)) node.members.filter(ts.isConstructorDeclaration).forEach((made) => note(node.name, made, source)); // prettier-ignore
      if (ts.isVariableStatement(node))
        for (const { name, initializer } of node.declarationList.declarations)
          if (initializer && ts.isArrowFunction(initializer)) note(name, initializer, source);
    }
  }
  return types;
}

describe('every public function', () => {
  test.each(calls)('%s refuses surplus arguments', async (name, call) => {
    if (/^(checkpoint|nn\.Sequential)$/.test(name)) return; // take any number
    const called = name.replace(/^nn\.(gelu|softmax|crossEntropy|softCrossEntropy)$/, '$1');
    const refused = async () => call(...Array<undefined>(9).fill(undefined));
    await expect(refused()).rejects.toThrow(
      new RegExp(`^${called}: expected (no arguments|at most \\d arguments?), got 9$`),
    );
  });

  const types = parameterTypes();
  const optional = calls.flatMap(([name, call]) => {
    const given = types.get(name.split('.').at(-1)!) ?? [];
    const at = given.findIndex((type) => /(Options|Settings|Hints|CosineSchedule|OpDefinition|Reduced|MorphMlpConfig)(?!\w|\[)|^\{(?! forward)/.test(type)); // prettier-ignore
    return at < 0 || /^(models\.(Block|AblatedFc)|openClips)$/.test(name) ? [] : [[name, call, at] as const];
  });

  test('those with options are found', () => {
    expect(optional.length).toBeGreaterThan(60);
  });

  test.each(optional)('%s refuses unknown options', async (name, call, at) => {
    const refused = async () => call(...Array<undefined>(at).fill(undefined), { unheardOf: 1 });
    await expect(refused()).rejects.toThrow(
      new RegExp(`^${name.split('.').at(-1)}: unknown option 'unheardOf', expected `),
    );
  });
});

test('classes and functions of the package are the same under every name', () => {
  expect(library.nn.gelu).toBe(library.gelu);
  const layer = new library.nn.Linear(2, 3);
  expect(layer).toBeInstanceOf(library.nn.Linear);
  expect(layer.constructor).toBe(library.nn.Linear);
  class Own extends library.nn.Module {
    constructor(
      readonly a: number,
      readonly b: number,
    ) {
      super();
    }
  }
  expect(new Own(1, 2)).toMatchObject({ a: 1, b: 2 });
  expect(library.add(layer.weight, 1)).toBeInstanceOf(library.Tensor);
});
