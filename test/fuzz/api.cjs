'use strict';
/**
 * Calls the public API with random tensors and options: node api.cjs SEED CALLS. Prints { calls, ran, problems } as JSON. A call
 * throws an error of one sentence, or returns a tensor whose values can be read and whose gradient can be computed; afterwards all
 * memory is free.
 */
const path = require('node:path');
const { random } = require('./random.cjs');
const dist = path.join(__dirname, '..', '..', 'dist');
const ops = require(path.join(dist, 'ops'));
const { tensor, Tensor } = require(path.join(dist, 'core', 'tensor'));
const { scope } = require(path.join(dist, 'core', 'scope'));
const { backward, noGrad } = require(path.join(dist, 'core', 'autograd'));
const { memory } = require(path.join(dist, 'core', 'runtime'));

const [seed, limit] = process.argv.slice(2).map(Number);
const { pick, below, chance } = random(seed);
const problems = [];
let [calls, ran] = [0, 0];

const DIMS = [0, 1, 1, 2, 2, 3, 4, 6, 8, 12];
const NUMBERS = [0, 1, -1, 0.5, 2, 3, -2, 1.5, 1e-5, 1e9, NaN, Infinity];
const VALUES = [0, 1, -1, 0.5, -2, 1e-30, 1e30];

const shape = (most = 5) => Array.from({ length: below(most + 1) }, () => pick(DIMS));
const number = () => (chance(0.6) ? below(5) : pick(NUMBERS));
const numbers = (n = below(5)) => Array.from({ length: n }, number);

/** Tensors of a call often agree in their dimensions. */
let common = [];
function anyTensor() {
  const of = chance(0.6) ? common.slice(below(2)) : shape();
  const size = of.reduce((a, b) => a * b, 1);
  if (size > 1 << 14) return tensor([1], [1]);
  if (chance(0.1))
    return tensor(
      Int32Array.from({ length: size }, () => below(4)),
      of,
    );
  if (chance(0.05))
    return tensor(
      Uint8Array.from({ length: size }, () => below(256)),
      of,
    );
  return tensor(
    Float32Array.from({ length: size }, () => pick(VALUES)),
    of,
    { requiresGrad: chance(0.7) },
  );
}
const maybe = () => (chance(0.4) ? null : anyTensor());
const flag = () => chance(0.5);
const record = (names) => Object.fromEntries(names.map((name) => [name, anyTensor()]));
const triple = () => Array.from({ length: 3 }, () => below(4));

const CALLS = {
  add: () => [anyTensor(), chance(0.2) ? number() : anyTensor()],
  sub: () => [anyTensor(), anyTensor()],
  mul: () => [anyTensor(), anyTensor()],
  div: () => [anyTensor(), anyTensor()],
  cast: () => [anyTensor(), pick(['f32', 'bf16'])],
  gelu: () => [anyTensor()],
  softmax: () => [anyTensor()],
  layerNorm: () => [anyTensor(), anyTensor(), anyTensor(), pick([1e-5, ...NUMBERS])],
  linear: () => [anyTensor(), anyTensor(), maybe(), { gelu: flag() }],
  matmul: () => [anyTensor(), anyTensor()],
  max: () => [anyTensor(), chance(0.5) ? {} : { axis: number(), keepDims: flag() }],
  sum: () => [anyTensor(), chance(0.5) ? {} : { axis: chance(0.5) ? number() : numbers(), keepDims: flag() }],
  mean: () => [anyTensor(), chance(0.5) ? {} : { axis: number(), keepDims: flag() }],
  meanPool: () => [chance(0.5) ? anyTensor() : Array.from({ length: below(4) }, anyTensor)],
  permute: () => [anyTensor(), numbers()],
  reshape: () => [anyTensor(), chance(0.5) ? shape() : numbers()],
  slice: () => [anyTensor(), number(), number(), number()],
  indexSelect: () => [anyTensor(), anyTensor()],
  reweight: () => [Array.from({ length: below(5) }, anyTensor), anyTensor()],
  temporalFc: () => [anyTensor(), anyTensor(), maybe(), number()],
  morphFc: () => [
    anyTensor(),
    anyTensor(),
    maybe(),
    { axis: pick(['height', 'width']), chunk: number(), groups: number(), order: pick(['consecutive', 'strided']) },
  ],
  conv3d: () => [
    anyTensor(),
    anyTensor(),
    maybe(),
    { stride: triple(), padding: triple(), input: pick(['NCTHW', 'NTHWC']), groups: pick([undefined, 1, number()]) },
  ],
  dropout: () => [anyTensor(), pick(NUMBERS), flag()],
  dropPath: () => [anyTensor(), pick(NUMBERS), flag()],
  // A thousand million classes are legal, and would fill gigabytes.
  oneHot: () => [numbers(), pick([1, 2, 5, ...NUMBERS.filter((n) => n !== 1e9)]), pick(NUMBERS)],
  crossEntropy: () => [anyTensor(), anyTensor(), { labelSmoothing: pick(NUMBERS) }],
  softCrossEntropy: () => [anyTensor(), anyTensor()],
  batchNorm: () => [
    anyTensor(),
    anyTensor(),
    anyTensor(),
    anyTensor(),
    anyTensor(),
    { training: flag(), eps: number(), momentum: number() },
  ],
  normMlp: () => [anyTensor(), record(['gamma', 'beta', 'w1', 'b1', 'w2', 'b2']), maybe()],
  clipInput: () => [anyTensor(), anyTensor(), pick(['f32', 'bf16'])],
};
const names = Object.keys(CALLS).filter((name) => typeof ops[name] === 'function');

/** A fault of the implementation rather than a sentence about the arguments. */
const isFault = (error) =>
  !(error instanceof Error) ||
  /Cannot read|is not a function|not iterable|Invalid array length|Maximum call stack|\n/.test(error.message);

function attempt(name) {
  calls += 1;
  try {
    const result = ops[name](...CALLS[name]());
    if (!(result instanceof Tensor)) throw new TypeError(`returned ${typeof result}, Cannot read it`);
    result.floats?.();
    ran += 1;
    if (!result.requiresGrad) return;
    const gradient = noGrad(() => tensor(new Float32Array(result.size).fill(1), result.shape));
    backward(result, gradient);
  } catch (error) {
    if (isFault(error)) problems.push(`${name}: ${error?.stack ?? String(error)}`);
  }
}

const live = memory().live;
while (calls < limit && problems.length < 20) {
  common = shape();
  scope(() => attempt(pick(names)));
}
if (memory().live !== live) problems.push(`${memory().live - live} bytes are live at the end`);
console.log(JSON.stringify({ calls, ran, problems }));
