import { record } from '../core/autograd';
import { kernels } from '../core/dispatch';
import { expectOptions } from '../core/options';
import { scope } from '../core/scope';
import { empty, emptyLike, show, type Tensor } from '../core/tensor';
import { sub, add } from './arithmetic';
import { around, axisOf, withSize } from './axes';
import { cast, inF32 } from './cast';
import { expectF32, expectFloats } from './check';
import { clamp, exp, log, neg } from './pointwise';
import { sum } from './reduce';
import { reshape } from './reshape';

/** Options of `max`, `min`, `argmax` and `logsumexp`. */
export interface MaxOptions {
  /** The dimension to reduce; a negative one counts from the end. Default: all dimensions. */
  axis?: number;
  /** Keep reduced dimensions as size 1. */
  keepDims?: boolean;
}

function optionsOf(op: string, reduced: number | MaxOptions): MaxOptions {
  const options = typeof reduced === 'number' ? { axis: reduced } : reduced;
  expectOptions(op, options, { axis: true, keepDims: true });
  return options;
}

/** The maxima of an f32 tensor and their positions along the dimension. */
function maxima(op: string, x: Tensor, { axis, keepDims = false }: MaxOptions) {
  const from = axis === undefined ? null : axisOf(op, x.shape, axis);
  const at = from === null ? { outer: 1, n: x.size, inner: 1 } : around(x.shape, from);
  if (at.n === 0) throw new Error(`${op}: nothing to choose from in shape ${show(x.shape)}`);
  const kept = from === null ? x.shape.map(() => 1) : withSize(x.shape, from, 1);
  const shape = keepDims ? kept : from === null ? [] : x.shape.filter((_, d) => d !== from);
  const [y, index] = [emptyLike(x, shape), empty(shape, { device: x.device, dtype: 'i32' })];
  kernels.maxForward({ x, y, index, ...at });
  return { y, index, at };
}

/**
 * The maximum along one dimension, or of all elements. A NaN counts as larger than any number. Of equal elements the first
 * receives the gradient.
 * @param reduced the dimension or options
 * @returns x's shape without the dimension (size 1 with `keepDims`)
 * @throws if the dimension is empty
 */
export function max(x: Tensor, reduced: number | MaxOptions = {}): Tensor {
  return maxFor('max', x, optionsOf('max', reduced));
}

/** `max` for the function `op` of messages. */
function maxFor(op: string, x: Tensor, options: MaxOptions): Tensor {
  return inF32(x, (x) => {
    expectF32(op, { x });
    const { y, index, at } = maxima(op, x, options);
    const { shape } = x;
    return record({
      op: 'max',
      inputs: [x],
      output: y,
      saved: { index },
      backward: (dy, { index }) => {
        const dx = emptyLike(dy, shape);
        kernels.maxBackward({ dy, index, dx, ...at });
        return [dx];
      },
    });
  });
}

/** The minimum along one dimension, or of all elements; NaN if one of them is. See `max`. */
export function min(x: Tensor, reduced: number | MaxOptions = {}): Tensor {
  const options = optionsOf('min', reduced);
  expectFloats('min', 'pointwise', { x });
  return scope(() => neg(maxFor('min', neg(x), options)));
}

/**
 * The position of the maximum along one dimension, or in all elements in row-major order; of equal elements the first. See `max`.
 * @returns i32
 */
export function argmax(x: Tensor, reduced: number | MaxOptions = {}): Tensor {
  const options = optionsOf('argmax', reduced);
  expectFloats('argmax', 'arithmetic', { x });
  return scope(() => maxima('argmax', cast(x.detach(), 'f32'), options).index);
}

/** log Σ eˣ along one dimension, or over all elements, without overflow. @param reduced the dimension or options */
export function logsumexp(x: Tensor, reduced: number | MaxOptions = {}): Tensor {
  const { axis, keepDims = false } = optionsOf('logsumexp', reduced);
  expectFloats('logsumexp', 'pointwise', { x });
  return inF32(x, (x) =>
    scope(() => {
      const most = clamp(
        maxFor('logsumexp', x.detach(), { ...(axis === undefined ? {} : { axis }), keepDims: true }),
        -3e38,
        3e38,
      );
      const total = sum(exp(sub(x, most)), { ...(axis === undefined ? {} : { axis }), keepDims: true });
      const result = add(log(total), most);
      if (keepDims) return result;
      return reshape(
        result,
        axis === undefined ? [] : result.shape.filter((_, d) => d !== axisOf('logsumexp', x.shape, axis)),
      );
    }),
  );
}
