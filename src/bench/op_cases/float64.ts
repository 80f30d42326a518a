import type { MorphFcOptions } from '../../ops/morph_fc';
import { erf64 } from './erf';
import type { Array64 } from './case';

/** The exact GELU. */
export const gelu64 = (v: number): number => 0.5 * v * (1 + erf64(v / Math.SQRT2));

/** LayerNorm over the last dimension, eps 1e-5. */
export function layerNorm64(x: Array64, gamma: Array64, beta: Array64): Float64Array {
  const cols = gamma.data.length;
  const statistics = Array.from({ length: x.data.length / cols }, (_, row) => {
    const values = x.data.subarray(row * cols, (row + 1) * cols);
    const mean = values.reduce((a, b) => a + b, 0) / cols;
    return { mean, rstd: 1 / Math.sqrt(values.reduce((a, b) => a + (b - mean) ** 2, 0) / cols + 1e-5) };
  });
  return x.data.map((value, i) => {
    const { mean, rstd } = statistics[Math.floor(i / cols)]!;
    return (value - mean) * rstd * gamma.data[i % cols]! + beta.data[i % cols]!;
  });
}

/** y = x weightᵀ + bias, with x read as [rows, k]. */
export function linear64(x: Float64Array, weight: Array64, bias: Array64 | undefined): Float64Array {
  const [n, k] = weight.shape as [number, number];
  const [w, rows] = [weight.data, x.length / k];
  const y = new Float64Array(rows * n);
  for (let row = 0; row < rows; row++)
    for (let column = 0; column < n; column++) {
      let sum = bias?.data[column] ?? 0;
      for (let j = 0; j < k; j++) sum += x[row * k + j]! * w[column * k + j]!;
      y[row * n + column] = sum;
    }
  return y;
}

/** An FC over rows gathered from x: `places[i]` is the index in x of element i of the rows, or -1 for zero. */
function gatheredFc64(x: Array64, places: Int32Array, weight: Array64, bias?: Array64): Float64Array {
  const rows = Float64Array.from(places, (place) => (place < 0 ? 0 : x.data[place]!));
  const product = linear64(rows, weight, bias);
  const y = new Float64Array(x.data.length).fill(NaN);
  places.forEach((place, i) => {
    if (place >= 0) y[place] = product[i]!;
  });
  return y;
}

/** All options of `morphFc`. */
export type MorphOptions = Required<Omit<MorphFcOptions, 'groups'>> & Pick<MorphFcOptions, 'groups'>;

/** The token (row-major in its frame) at position l of chunk j; null beyond the frame. */
function tokenAt(
  [h, w]: readonly [number, number],
  { axis, chunk, order }: MorphOptions,
  j: number,
  l: number,
): number | null {
  const chunks = Math.ceil((h * w) / chunk);
  const n = order === 'strided' ? l * chunks + j : j * chunk + l;
  if (n >= h * w) return null;
  return axis === 'width' ? n : (n % h) * w + Math.floor(n / h);
}

/** Gather indices of the FC's rows of length L * S: element l * S + s of a row is an index into x, or -1. */
function rowPlaces(shape: readonly number[], options: MorphOptions): Int32Array {
  const [b, t, h, w, c] = shape as [number, number, number, number, number];
  const { chunk, groups = chunk } = options;
  const [run, chunks] = [c / groups, Math.ceil((h * w) / chunk)];
  const places = new Int32Array(b * t * chunks * chunk * c);
  let at = 0;
  for (let frame = 0; frame < b * t; frame++)
    for (let j = 0; j < chunks; j++)
      for (let g = 0; g < groups; g++)
        for (let l = 0; l < chunk; l++) {
          const token = tokenAt([h, w], options, j, l);
          for (let s = 0; s < run; s++) places[at++] = token === null ? -1 : (frame * h * w + token) * c + g * run + s;
        }
  return places;
}

/** The spatial MorphFC of x [B, T, H, W, C]. */
export function morphFc64(x: Array64, weight: Array64, bias: Array64 | undefined, options: MorphOptions): Float64Array {
  return gatheredFc64(x, rowPlaces(x.shape, options), weight, bias);
}

/** The temporal MorphFC of x [B, T, H, W, C]. */
export function temporalFc64(x: Array64, weight: Array64, bias: Array64 | undefined, groups: number): Float64Array {
  const [b, t, h, w, c] = x.shape as [number, number, number, number, number];
  const run = c / groups;
  const places: number[] = [];
  for (let clip = 0; clip < b; clip++)
    for (let position = 0; position < h * w; position++)
      for (let g = 0; g < groups; g++)
        for (let i = 0; i < t * run; i++)
          places.push(((clip * t + Math.floor(i / run)) * h * w + position) * c + g * run + (i % run));
  return gatheredFc64(x, Int32Array.from(places), weight, bias);
}

/** Softmax over the last dimension of `cols`. */
export function softmax64(x: Float64Array, cols: number): Float64Array {
  const sums = Array.from({ length: x.length / cols }, (_, row) =>
    x.subarray(row * cols, (row + 1) * cols).reduce((sum, v) => sum + Math.exp(v), 0),
  );
  return x.map((v, i) => Math.exp(v) / sums[Math.floor(i / cols)]!);
}
