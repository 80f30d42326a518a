import { expectOptions } from '../core/options';
import { scope } from '../core/scope';
import { show, type Tensor } from '../core/tensor';
import { expectDims, expectInteger } from './check';
import { pairOf, type Pair } from './conv2d';
import { max } from './max';
import { mean } from './reduce';
import { pad, slice, stack } from './slice';

/** Options of `maxPool2d` and `avgPool2d`. */
export interface PoolOptions {
  /** Default: the window, so that windows do not overlap. */
  stride?: Pair;
  /** On every side, at most half of the window; default 0. */
  padding?: Pair;
}

/** Throws unless these are options of a pooling. */
export const expectPoolOptions = (who: string, options: PoolOptions): void =>
  expectOptions(who, options, { stride: true, padding: true });

/** The elements of each window as a new first dimension: [kh · kw, B, C, H', W']. */
function windows(op: string, x: Tensor, window: Pair, options: PoolOptions, fill: number) {
  expectPoolOptions(op, options);
  const { stride = window, padding = 0 } = options;
  expectDims(op, 'x', x, 4, '[B, C, H, W]');
  const [kernel, step, around] = [pairOf(window), pairOf(stride), pairOf(padding)];
  kernel.forEach((n) => expectInteger(op, 'window', n, 1));
  step.forEach((n) => expectInteger(op, 'stride', n, 1));
  around.forEach((n, i) => expectInteger(op, 'padding', n, 0, kernel[i]! >> 1));
  const padded = around.some((n) => n > 0) ? pad(x, [around[1], around[1], around[0], around[0]], fill) : x;
  const out = [0, 1].map((i) => Math.floor((padded.shape[2 + i]! - kernel[i]!) / step[i]!) + 1) as [number, number];
  if (out.some((n) => n < 1))
    throw new Error(`${op}: a window of ${show(kernel)} does not fit an input of ${show(padded.shape.slice(2))}`);
  const cut = (t: Tensor, axis: 0 | 1, from: number) =>
    slice(t, 2 + axis, from, from + (out[axis] - 1) * step[axis] + 1, step[axis]);
  const rows = Array.from({ length: kernel[0] }, (_, i) => cut(padded, 0, i));
  return stack(rows.flatMap((row) => Array.from({ length: kernel[1] }, (_, j) => cut(row, 1, j))));
}

/** The maximum of each window of a picture. @param x [B, C, H, W] @param window its height and width @returns [B, C, H', W'] */
export const maxPool2d = (x: Tensor, window: Pair, options: PoolOptions = {}): Tensor =>
  scope(() => max(windows('maxPool2d', x, window, options, -Infinity), 0));

/** The mean of each window of a picture; zeros of the padding count. @param x [B, C, H, W] @returns [B, C, H', W'] */
export const avgPool2d = (x: Tensor, window: Pair, options: PoolOptions = {}): Tensor =>
  scope(() => mean(windows('avgPool2d', x, window, options, 0), 0));
