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
const { backward } = require(path.join(dist, 'core', 'autograd'));
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

/** Half of the calls agree in all arguments; in the others each argument is random with this probability. */
let wildness = 0;
const wild = () => chance(wildness);
const one = () => pick([1, 1, 2, 2, 3, 4, 5, 8]);

function filled(of, dtype) {
  const size = of.reduce((a, b) => a * b, 1);
  if (size > 1 << 14) return tensor([1], [1]);
  if (dtype === 'i32') return tensor(Int32Array.from({ length: size }, () => below(wild() ? 9 : 2)), of); // prettier-ignore
  if (dtype === 'u8') return tensor(Uint8Array.from({ length: size }, () => below(256)), of); // prettier-ignore
  return tensor(
    Float32Array.from({ length: size }, () => pick(VALUES)),
    of,
    { requiresGrad: chance(0.7) },
  );
}

/** A tensor of any shape and element type. */
const anyTensor = () => filled(shape(), pick(['f32', 'f32', 'f32', 'i32', 'u8']));
/** A tensor of a shape that agrees with the others of the call. */
const fit = (of, dtype = 'f32') => (wild() ? anyTensor() : filled(of, dtype));
const maybe = (of) => (chance(0.4) ? null : fit(of));
/** An activation: sometimes bf16. */
const active = (of) => {
  const x = fit(of);
  return x.dtype === 'f32' && chance(0.15) ? ops.cast(x, 'bf16') : x;
};
/** One of the sensible values, or any number. */
const sane = (...values) => (wild() ? number() : pick(values));
const flag = () => chance(0.5);
const dims = (least = 0) => Array.from({ length: least + below(5 - least) }, () => (wild() ? pick(DIMS) : one()));
const axisOf = (of) => sane(...(of.length > 0 ? [below(of.length), -1 - below(of.length)] : [0]));
/** Bounded: a padding of a thousand million is legal, and would fill gigabytes. */
const triple = (...values) => Array.from({ length: wild() ? below(5) : 3 }, () => Math.min(99, sane(...values)));

/** A shape that broadcasts with another. */
const broadcast = (of) => of.slice(below(of.length + 1)).map((d) => (chance(0.2) ? 1 : d));
const reduced = () => {
  const of = dims();
  return [active(of), chance(0.3) ? {} : { axis: axisOf(of), keepDims: flag() }];
};
const clip = () => [one(), one(), one(), one()];
const norms = (c) => Array.from({ length: 4 }, () => fit([c]));
const normOptions = () => ({ training: flag(), eps: sane(1e-5, 1e-3), momentum: sane(0.1, 1), gelu: flag() });

function convolution() {
  const [groups, own, out] = [pick([1, 1, 2]), one(), one()];
  const [kernel, size] = [triple(1, 2, 3), triple(2, 3, 4, 5)];
  const [planar, channels, to] = [flag(), own * groups, out * groups];
  const x = planar ? [one(), channels, ...size] : [one(), ...size, channels];
  const options = { stride: triple(1, 2), padding: triple(0, 1), input: planar ? 'NCTHW' : 'NTHWC' };
  if (groups > 1 || wild()) options.groups = sane(groups);
  return { x: active(x), weight: fit([to, own, ...kernel]), bias: maybe([to]), to, options };
}

function temporal() {
  const [b, t, h, w, groups, s] = [one(), one(), one(), one(), pick([1, 2, 4]), pick([1, 2])];
  return { x: active([b, t, h, w, groups * s]), row: t * s, channels: groups * s, groups: sane(groups) };
}

const CALLS = {
  ...Object.fromEntries(
    ['add', 'sub', 'mul', 'div'].map((name) => [
      name,
      () => {
        const of = dims();
        return [active(of), name === 'add' && chance(0.2) ? number() : fit(broadcast(of))];
      },
    ]),
  ),
  cast: () => [active(dims()), pick(['f32', 'bf16'])],
  gelu: () => [active(dims())],
  softmax: () => [fit(dims(1))],
  layerNorm: () => {
    const of = dims(1);
    return [active(of), fit(of.slice(-1)), fit(of.slice(-1)), sane(1e-5, 1e-3)];
  },
  linear: () => {
    const [of, out] = [dims(1), one()];
    return [active(of), fit([out, of.at(-1)]), maybe([out]), { gelu: flag() }];
  },
  matmul: () => {
    const [m, k, n] = [one(), one(), one()];
    return [fit([m, k]), fit([k, n])];
  },
  max: reduced,
  sum: reduced,
  mean: reduced,
  meanPool: () => {
    const of = dims(2);
    return [flag() ? active(of) : Array.from({ length: sane(1, 2, 3) >>> 0 & 7 }, () => fit(of))]; // prettier-ignore
  },
  permute: () => {
    const of = dims();
    const axes = of.map((_, d) => d).sort(() => below(3) - 1);
    return [fit(of), wild() ? numbers() : axes];
  },
  reshape: () => {
    const of = dims();
    return [active(of), wild() ? numbers() : pick([[...of].reverse(), [of.reduce((a, b) => a * b, 1)], [1, ...of]])];
  },
  slice: () => {
    const of = dims(1);
    const [axis, start] = [below(of.length), below(2)];
    return [fit(of), sane(axis), sane(start), sane(start, of[axis])];
  },
  indexSelect: () => [fit([2, ...dims()]), fit([one()], 'i32')],
  reweight: () => {
    const [of, n] = [dims(2), pick([1, 2, 3])];
    const branches = Array.from({ length: wild() ? below(6) : n }, () => fit(of));
    return [branches, fit([of[0], of.at(-1), n])];
  },
  temporalFc: () => {
    const { x, row, groups } = temporal();
    return [x, fit([row, row]), maybe([row]), groups];
  },
  normTemporal: () => {
    const { x, row, channels: c, groups } = temporal();
    const p = { gamma: fit([c]), beta: fit([c]), weight: fit([row, row]), bias: maybe([row]) };
    return [x, { ...p, proj: fit([c, c]), projBias: fit([c]) }, groups, sane(1e-5)];
  },
  morphFc: () => {
    const [chunk, groups, s] = [one(), one(), one()];
    const options = { axis: pick(['height', 'width']), chunk: sane(chunk), order: pick(['consecutive', 'strided']) };
    const row = chunk * s;
    return [active([...clip(), groups * s]), fit([row, row]), maybe([row]), { ...options, groups: sane(groups) }];
  },
  conv3d: () => {
    const { x, weight, bias, options } = convolution();
    return [x, weight, bias, options];
  },
  convNorm: () => {
    const { x, weight, bias, to, options } = convolution();
    const [gamma, beta, runningMean, runningVar] = norms(to);
    return [x, { weight, bias, gamma, beta, runningMean, runningVar }, options, normOptions()];
  },
  dropout: () => [active(dims()), sane(0, 0.5), flag()],
  dropPath: () => [active(dims(1)), sane(0, 0.5), flag()],
  // A thousand million classes are legal, and would fill gigabytes.
  oneHot: () => [wild() ? numbers() : [0, 1], Math.min(1e4, sane(2, 5)), sane(0, 0.1)],
  crossEntropy: () => {
    const [rows, classes] = [one(), 1 + one()];
    return [fit([rows, classes]), fit([rows], 'i32'), { labelSmoothing: sane(0, 0.1) }];
  },
  softCrossEntropy: () => {
    const of = [one(), one()];
    return [fit(of), fit(of)];
  },
  batchNorm: () => {
    const of = dims(2);
    return [active(of), ...norms(of.at(-1)), normOptions()];
  },
  normMlp: () => {
    const [of, hidden] = [dims(2), one()];
    const c = of.at(-1);
    const p = { gamma: fit([c]), beta: fit([c]), w1: fit([hidden, c]), b1: fit([hidden]) };
    return [active(of), { ...p, w2: fit([c, hidden]), b2: fit([c]) }, maybe([of[0]])];
  },
  clipInput: () => [fit([...clip(), 3], 'u8'), fit([774]), pick(['f32', 'bf16'])],
};
const names = Object.keys(CALLS);

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
    const ones = tensor(new Float32Array(result.size).fill(1), result.shape);
    const gradient = result.dtype === 'bf16' ? ops.cast(ones, 'bf16') : ones;
    backward(result, gradient);
  } catch (error) {
    if (isFault(error)) problems.push(`${name}: ${error?.stack ?? String(error)}`);
  }
}

const live = memory().live;
while (calls < limit && problems.length < 20) {
  wildness = chance(0.5) ? 0 : 0.25;
  scope(() => attempt(pick(names)));
}
if (memory().live !== live) problems.push(`${memory().live - live} bytes are live at the end`);
console.log(JSON.stringify({ calls, ran, problems }));
