import { scope } from '../../src/core/scope';
import { ones, tensor, Tensor } from '../../src/core/tensor';
import * as ops from '../../src/ops';

const i32 = (...values: number[]): Tensor => tensor(Int32Array.from(values));
const x = ones([2, 3]);
const picture = ones([1, 2, 4, 4]);
const tokens = ones([1, 2, 2, 2, 4]);
const vector = (n: number): Tensor => ones([n]);
const norm = { gamma: vector(4), beta: vector(4), runningMean: vector(4), runningVar: vector(4) };
const conv = { stride: [1, 1, 1], padding: [0, 0, 0], input: 'NTHWC' } as const;
const mlp = { gamma: vector(4), beta: vector(4), w1: ones([8, 4]), b1: vector(8), w2: ones([4, 8]), b2: vector(4) };

/** Right arguments of every op. */
const ARGUMENTS: Readonly<Record<string, readonly unknown[]>> = {
  ...Object.fromEntries(['add', 'sub', 'mul', 'div', 'maximum', 'minimum', 'eq', 'ne', 'lt', 'le', 'gt', 'ge'].map((name) => [name, [x, vector(3)]])), // prettier-ignore
  ...Object.fromEntries(['abs', 'cos', 'exp', 'log', 'neg', 'relu', 'rsqrt', 'sigmoid', 'sin', 'softplus', 'sqrt', 'tanh', 'gelu', 'clone'].map((name) => [name, [x]])), // prettier-ignore
  ...Object.fromEntries(['sum', 'mean', 'variance', 'std', 'norm', 'max', 'min', 'argmax', 'logsumexp', 'softmax', 'logSoftmax', 'cumsum', 'unsqueeze'].map((name) => [name, [x, 1]])), // prettier-ignore
  ...Object.fromEntries(['bceWithLogits', 'focalLoss', 'klDiv', 'l1Loss', 'mseLoss', 'smoothL1Loss', 'softCrossEntropy'].map((name) => [name, [x, ones([2, 3])]])), // prettier-ignore
  batchNorm: [tokens, norm.gamma, norm.beta, norm.runningMean, norm.runningVar, { training: true }],
  cast: [x, 'bf16'],
  float: [x],
  clamp: [x, 0, 1],
  clipInput: [ones([1, 2, 2, 2, 3], { dtype: 'u8' }), ones([774])],
  conv2d: [picture, ones([3, 2, 3, 3]), vector(3)],
  conv3d: [tokens, ones([3, 4, 1, 1, 1]), vector(3), conv],
  convNorm: [tokens, { weight: ones([4, 4, 1, 1, 1]), bias: null, ...norm }, conv, { training: true }],
  crossEntropy: [x, i32(0, 2)],
  dropout: [x, 0.5, true],
  dropPath: [x, 0.5, true],
  dropFactors: [2, 0.5, x],
  expand: [vector(3), [2, 3]],
  gather: [x, 1, tensor(Int32Array.of(0, 2), [2, 1])],
  groupNorm: [picture, 2, vector(2), vector(2)],
  indexSelect: [x, i32(0, 1)],
  layerNorm: [x, vector(3), vector(3)],
  linear: [x, ones([4, 3]), vector(4)],
  maskedFill: [x, vector(3), 1],
  matmul: [x, ones([3, 2])],
  meanPool: [tokens],
  morphFc: [tokens, ones([4, 4]), vector(4), { axis: 'width', chunk: 2 }],
  normMlp: [ones([2, 4]), mlp, null],
  normTemporal: [tokens, { gamma: vector(4), beta: vector(4), weight: ones([4, 4]), bias: vector(4), proj: ones([4, 4]), projBias: vector(4) }, 2], // prettier-ignore
  oneHot: [[0, 2], 3],
  permute: [x, [1, 0]],
  transpose: [x, 0, 1],
  pow: [x, 2],
  avgPool2d: [picture, 2],
  maxPool2d: [picture, 2],
  reshape: [x, [3, 2]],
  pixelCrossEntropy: [ones([1, 2, 2, 3]), ones([1, 4, 4], { dtype: 'u8' })],
  resize: [ones([1, 2, 2, 3]), [4, 4], 'bilinear'],
  reweight: [[tokens, tokens], ones([1, 4, 2])],
  cat: [[x, x], 0],
  stack: [[x, x], 0],
  flatten: [x, 0, 1],
  pad: [x, [1, 1]],
  slice: [x, 0, 0, 1],
  split: [x, 1, 0],
  squeeze: [ones([1, 3]), 0],
  temporalFc: [tokens, ones([4, 4]), vector(4), 2],
  topk: [x, 1],
  tripletMarginLoss: [x, x, x],
  where: [x, x, vector(3)],
};

const library = jest.requireActual<Record<string, (...args: unknown[]) => unknown>>('../../src/main');
const names = Object.keys(ops).filter((name) => name !== 'clipSettings');
const call = (name: string, args: readonly unknown[]): unknown => scope(() => library[name]!(...args));

/** Wrong values for an argument. */
function wrong(value: unknown): unknown[] {
  if (value instanceof Tensor)
    return [undefined, null, 'text', i32(1, 2), ones([5, 7]), ones([2, 2, 2, 2, 2, 2, 2]), ones([]), vector(0)];
  if (typeof value === 'number') return [undefined, null, 'text', -99, 99, 0.25, NaN];
  if (Array.isArray(value)) return [undefined, null, 3, [], [undefined], [-1, 5], [0.5], [9, 9, 9, 9, 9]];
  if (typeof value === 'string') return [undefined, 'text', 3];
  if (typeof value === 'object' && value !== null) {
    const inner = Object.entries(value).flatMap(([key, part]) => wrong(part).map((other) => ({ ...value, [key]: other }))); // prettier-ignore
    return [undefined, null, 3, ...inner];
  }
  return [];
}

test('the table has every op', () => {
  expect(Object.keys(ARGUMENTS).sort()).toEqual(names.sort());
});

test.each(names)('%s names itself where it refuses', (name) => {
  const args = ARGUMENTS[name]!;
  call(name, args);
  const refusals = args.flatMap((value, i) =>
    wrong(value).flatMap((other) => {
      try {
        call(name, args.with(i, other));
        return [];
      } catch (error) {
        const { message, constructor } = error as Error;
        return message.startsWith(`${name}: `) && constructor !== TypeError ? [] : [`argument ${i}: ${message}`];
      }
    }),
  );
  expect([...new Set(refusals)]).toEqual([]);
});
