import { record } from '../core/autograd';
import { expectOptions, type Known } from '../core/options';
import { scope } from '../core/scope';
import { elements, show, zeros, type Shape, type Tensor } from '../core/tensor';
import { add, mul, sub, sumTo } from './arithmetic';
import { axisOf } from './axes';
import { inF32 } from './cast';
import { expectFloats } from './check';
import { eq, maskedFill } from './compare';
import { abs, pow, sqrt } from './pointwise';

/** Options of `sum`, `mean` and other reductions. */
export interface ReduceOptions {
  /** The dimensions to reduce; negative ones count from the end. Default: all dimensions. */
  axis?: number | readonly number[];
  /** Keep reduced dimensions as size 1. */
  keepDims?: boolean;
}

/** The dimensions to reduce, alone or with options. */
export type Reduced<Options extends ReduceOptions = ReduceOptions> = number | readonly number[] | Options;

/** The options of a reduction to which dimensions alone may have been given. */
function reduceOptions<Options extends ReduceOptions>(op: string, given: Reduced<Options>, known: Known<Options>) {
  const options = (typeof given === 'number' || Array.isArray(given) ? { axis: given } : given) as Options;
  expectOptions(op, options, known);
  return options;
}

const KNOWN = { axis: true, keepDims: true } as const;

/** The dimensions that a reduction reduces. */
function reducedAxes(op: string, x: Tensor, axis: ReduceOptions['axis']): Set<number> {
  const axes = axis === undefined ? x.shape.map((_, i) => i) : typeof axis === 'number' ? [axis] : axis;
  return new Set(axes.map((a) => axisOf(op, x.shape, a)));
}

/** The number of elements that make up each result. */
function reducedCount(op: string, x: Tensor, axis: ReduceOptions['axis']): number {
  const axes = reducedAxes(op, x, axis);
  return elements(x.shape.filter((_, i) => axes.has(i)));
}

/** The gradient of a sum: dy repeated over the reduced dimensions. */
function spread(dy: Tensor, kept: Shape, shape: Shape): Tensor {
  return scope(() => add(dy.view(kept), zeros(shape, { device: dy.device, dtype: dy.dtype })));
}

/**
 * The sum over some dimensions, accumulated in double in a fixed order.
 * @param reduced dimensions or options, default all dimensions
 * @returns x's shape without them (size 1 with `keepDims`)
 */
export function sum(x: Tensor, reduced: Reduced = {}): Tensor {
  return sumFor('sum', x, reduceOptions('sum', reduced, KNOWN));
}

/** `sum` for the function `op` of messages. */
function sumFor(op: string, x: Tensor, { axis, keepDims = false }: ReduceOptions): Tensor {
  expectFloats(op, 'arithmetic', { x });
  const axes = reducedAxes(op, x, axis);
  const kept = x.shape.map((size, i) => (axes.has(i) ? 1 : size));
  const shape = keepDims ? kept : x.shape.filter((_, i) => !axes.has(i));
  const total = x.size === 0 ? zeros(kept, { device: x.device, dtype: x.dtype }) : sumTo(x, kept);
  const output = total.view(shape);
  if (total !== x) total.dispose();
  const from = x.shape;
  return record({ op: 'sum', inputs: [x], output, backward: (dy) => [spread(dy, kept, from)] });
}

/** The mean over some dimensions; see `sum`. */
export function mean(x: Tensor, reduced: Reduced = {}): Tensor {
  return meanFor('mean', x, reduceOptions('mean', reduced, KNOWN));
}

/** `mean` for the function `op` of messages. */
function meanFor(op: string, x: Tensor, options: ReduceOptions): Tensor {
  expectFloats(op, 'arithmetic', { x });
  const count = reducedCount(op, x, options.axis);
  if (count === 0) throw new Error(`${op}: nothing to average in shape ${show(x.shape)}`);
  return scope(() => mul(sumFor(op, x, options), 1 / count));
}

/** Options of `variance` and `std`. */
export interface VarianceOptions extends ReduceOptions {
  /** The divisor is the number of elements less this; default 1 (Bessel's correction, as in PyTorch). */
  correction?: number;
}

/** The variance over some dimensions; see `sum`. As a method: `x.var()`. @throws if there are no more elements than `correction` */
export function variance(x: Tensor, reduced: Reduced<VarianceOptions> = {}): Tensor {
  return varianceFor('variance', x, reduceOptions('variance', reduced, VARIANCE));
}

const VARIANCE = { ...KNOWN, correction: true } as const;

/** `variance` for the function `op` of messages. */
function varianceFor(op: string, x: Tensor, { correction = 1, ...options }: VarianceOptions): Tensor {
  expectFloats(op, 'arithmetic', { x });
  const divisor = reducedCount(op, x, options.axis) - correction;
  if (!(divisor > 0))
    throw new Error(`${op}: expected more than ${correction} elements for each result, got shape ${show(x.shape)}`);
  return inF32(x, (x) =>
    scope(() => {
      const centred = sub(x, mean(x, { ...options, keepDims: true }));
      return mul(sum(mul(centred, centred), options), 1 / divisor);
    }),
  );
}

/** The standard deviation over some dimensions, the square root of `variance`. */
export function std(x: Tensor, reduced: Reduced<VarianceOptions> = {}): Tensor {
  const options = reduceOptions('std', reduced, VARIANCE);
  return inF32(x, (x) => scope(() => sqrt(varianceFor('std', x, options))));
}

/** Options of `norm`. */
export interface NormOptions extends ReduceOptions {
  /** The order, above 0; default 2. */
  p?: number;
}

/** The norm (Σ|x|ᵖ)^(1/p) over some dimensions; see `sum`. Where it is 0 the gradient is 0. */
export function norm(x: Tensor, reduced: Reduced<NormOptions> = {}): Tensor {
  const { p = 2, ...options } = reduceOptions('norm', reduced, { ...KNOWN, p: true });
  if (!(p > 0 && p < Infinity)) throw new Error(`norm: p must be above 0 and finite, got ${p}`);
  expectFloats('norm', 'arithmetic', { x });
  reducedAxes('norm', x, options.axis);
  return inF32(x, (x) => scope(() => (p === 1 ? sum(abs(x), options) : rooted(sum(pow(abs(x), p), options), p))));
}

/** x^(1/p) with the gradient 0 at 0, where the slope of the root is infinite. */
function rooted(x: Tensor, p: number): Tensor {
  const zero = eq(x, 0);
  return maskedFill(pow(maskedFill(x, zero, 1), 1 / p), zero, 0);
}
