/**
 * The generator of reference data: inputs, weights and projection vectors are computed from their names, never stored.
 *
 * Element `i` of the array `name` depends only on `i` and the name, so that two programs that implement this file agree on every
 * weight of a model of any size. Digests summarise arrays that are too large to store.
 */

import type { NumericArray, Tensor } from '../core/tensor';

/** Kind of a model's tensor, which determines its reference values. */
export type ParameterKind = 'weight' | 'bias' | 'normWeight' | 'runningMean' | 'runningVar' | 'counter';

/** Scale and offset of a reference fill; see {@link value}. */
export interface Fill {
  scale: number;
  offset: number;
}

/** Summary of an array: its shape, L2 norm, four projections and the values at some flat positions. */
export interface Digest {
  shape: number[];
  norm: number;
  proj: number[];
  index: number[];
  value: number[];
}

/** Errors of an array against its digest, each of the size of a relative L2 error; see {@link digestError}. */
export interface DigestError {
  norm: number;
  proj: number;
  samples: number;
}

const STEP = 0x9e3779b1;
// Local names: in a sandboxed context, such as a test, global lookups would dominate the time of these loops.
const { fround, imul } = Math;

/** FNV-1a hash (32 bits) of the UTF-8 bytes of `text`, as an unsigned integer. */
export function fnv1a32(text: string): number {
  let hash = 0x811c9dc5;
  for (const byte of Buffer.from(text, 'utf8')) hash = imul(hash ^ byte, 0x01000193);
  return hash >>> 0;
}

/** The finalizer of MurmurHash3: every input bit affects every output bit. */
function mix(h: number): number {
  h = imul(h ^ (h >>> 16), 0x85ebca6b);
  h = imul(h ^ (h >>> 13), 0xc2b2ae35);
  return h ^ (h >>> 16);
}

/** Top 24 bits of a hash as a number in [-1, 1), exact in float32. */
function unit(h: number): number {
  return (mix(h) >>> 8) * 2 ** -23 - 1;
}

/**
 * Fills `out` with the reference array `name`: uniform in [offset - scale, offset + scale), rounded to float32 after the
 * multiplication and after the addition, like float32 hardware. `first`: index in that array of the first element of `out`.
 */
export function valueInto<T extends NumericArray>(out: T, name: string, scale = 1, offset = 0, first = 0): T {
  const s = fround(scale);
  const o = fround(offset);
  let h = (fnv1a32(name) + imul(first, STEP)) | 0;
  for (let i = 0; i < out.length; i++) {
    out[i] = fround(unit(h) * s) + o;
    h = (h + STEP) | 0;
  }
  return out;
}

/** A new reference array of the given shape (row-major); see {@link valueInto}. */
export function value(name: string, shape: readonly number[], scale = 1, offset = 0): Float32Array {
  return valueInto(new Float32Array(product(shape)), name, scale, offset);
}

/**
 * The kind of the tensor with this PyTorch name. A one-dimensional `weight` belongs to a normalisation layer; linear and
 * convolution weights have two or more dimensions.
 */
export function parameterKind(name: string, shape: readonly number[]): ParameterKind {
  const last = name.slice(name.lastIndexOf('.') + 1);
  if (last === 'num_batches_tracked') return 'counter';
  if (last === 'running_mean') return 'runningMean';
  if (last === 'running_var') return 'runningVar';
  if (last === 'bias') return 'bias';
  if (last === 'weight') return shape.length > 1 ? 'weight' : 'normWeight';
  throw new Error(`reference fill: ${name} is neither a weight, a bias nor a BatchNorm buffer`);
}

/** Scale and offset of a parameter's reference values; a batch counter is zero. */
export function fillFor(name: string, shape: readonly number[], kind = parameterKind(name, shape)): Fill {
  switch (kind) {
    case 'weight':
      return { scale: fround(Math.sqrt(3 / product(shape.slice(1)))), offset: 0 };
    case 'normWeight':
      return { scale: 0.2, offset: 1 };
    case 'runningVar':
      return { scale: 0.5, offset: 1 };
    case 'counter':
      return { scale: 0, offset: 0 };
    default:
      return { scale: 0.1, offset: 0 };
  }
}

/** The reference values of a parameter, generated as array `prefix + name` (prefix: `'<case>/'` for single layers). */
export function fillParameter(name: string, shape: readonly number[], prefix = ''): Float32Array {
  const { scale, offset } = fillFor(name, shape);
  return value(prefix + name, shape, scale, offset);
}

/** Overwrites the named tensors of a model with their reference values. */
export function fillModel(tensors: Iterable<readonly [name: string, t: Tensor]>): void {
  for (const [name, t] of tensors) {
    const { scale, offset } = fillFor(name, t.shape);
    t.fill((piece, first) => valueInto(piece, name, scale, offset, first));
  }
}

/** Projection `k` of the array `key`: sum(a * value(key#projk)) / sqrt(n), in float64. */
function projection(actual: ArrayLike<number>, key: string, k: number): number {
  let h = fnv1a32(`${key}#proj${k}`) | 0;
  let sum = 0;
  for (let i = 0; i < actual.length; i++) {
    sum += (actual[i] as number) * unit(h);
    h = (h + STEP) | 0;
  }
  return sum / Math.sqrt(actual.length);
}

/** L2 norm of an array, summed in float64. */
export function l2norm(actual: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < actual.length; i++) sum += (actual[i] as number) ** 2;
  return Math.sqrt(sum);
}

/**
 * The digest of the array `key`, with the values at the positions `index`. The stored digests were made by this rule.
 */
export function digestOf(
  actual: Float32Array | Float64Array,
  shape: readonly number[],
  key: string,
  index: readonly number[] = [],
): Digest {
  const proj = [0, 1, 2, 3].map((k) => projection(actual, key, k));
  return {
    shape: [...shape],
    norm: l2norm(actual),
    proj,
    index: [...index],
    value: index.map((i) => actual[i] ?? NaN),
  };
}

/**
 * Errors of `actual` against `digest`, relative to the digest's norm (absolute where that norm is 0):
 * `norm` of the norm, `proj` the largest of the four projections, `samples` the root mean square over the stored
 * positions times sqrt(n), which estimates the relative L2 error of the whole array.
 *
 * @param key the digest's name, `<case>/<name>`: the projection vectors are generated from it
 * @param shape shape of `actual`; without it only the number of elements is compared
 * @throws if `actual` holds a NaN or an infinity (looked for first), or has another shape than the digest
 */
export function digestError(
  actual: Float32Array | Float64Array,
  digest: Digest,
  key: string,
  shape?: readonly number[],
): DigestError {
  requireFinite(actual, key);
  requireShape(actual, digest.shape, key, shape);
  const scale = digest.norm === 0 ? 1 : digest.norm;
  const proj = digest.proj.map((expected, k) => Math.abs(projection(actual, key, k) - expected));
  let squares = 0;
  digest.index.forEach((at, i) => (squares += ((actual[at] as number) - (digest.value[i] as number)) ** 2));
  const rms = digest.index.length === 0 ? 0 : Math.sqrt((squares / digest.index.length) * actual.length);
  const norm = Math.abs(l2norm(actual) - digest.norm) / scale;
  return { norm, proj: Math.max(0, ...proj) / scale, samples: rms / scale };
}

/**
 * Relative L2 error of two arrays, |actual - expected| / |expected| (absolute where `expected` is all zero).
 * @throws if `actual` holds a NaN or an infinity (looked for first), or another number of elements than `expected`
 */
export function relativeError(actual: ArrayLike<number>, expected: ArrayLike<number>, what = 'array'): number {
  requireFinite(actual, what);
  if (actual.length !== expected.length)
    throw new Error(`${what}: expected ${expected.length} elements, got ${actual.length}`);
  let squares = 0;
  for (let i = 0; i < actual.length; i++) squares += ((actual[i] as number) - (expected[i] as number)) ** 2;
  return Math.sqrt(squares) / (l2norm(expected) || 1);
}

function requireFinite(actual: ArrayLike<number>, what: string): void {
  for (let i = 0; i < actual.length; i++)
    if (!Number.isFinite(actual[i])) throw new Error(`${what}: element ${i} is ${actual[i]}, expected finite numbers`);
}

function requireShape(
  actual: ArrayLike<number>,
  expected: readonly number[],
  what: string,
  shape?: readonly number[],
): void {
  const same = shape === undefined || shape.join() === expected.join();
  if (same && actual.length === product(expected)) return;
  const got = shape === undefined ? `${actual.length} elements` : `shape [${shape}] with ${actual.length} elements`;
  throw new Error(`${what}: expected shape [${expected}] with ${product(expected)} elements, got ${got}`);
}

function product(shape: readonly number[]): number {
  return shape.reduce((a, b) => a * b, 1);
}
