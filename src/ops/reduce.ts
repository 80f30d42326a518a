import { record } from '../core/autograd';
import { scope } from '../core/scope';
import { elements, show, zeros, type Shape, type Tensor } from '../core/tensor';
import { add, mul, sumTo } from './arithmetic';
import { expectFloats } from './check';

/** Options of `sum` and `mean`. */
export interface ReduceOptions {
  /** The dimensions to reduce; negative ones count from the end. Default: all dimensions. */
  axis?: number | readonly number[];
  /** Keep reduced dimensions as size 1. */
  keepDims?: boolean;
}

function reducedAxes(op: string, x: Tensor, axis: ReduceOptions['axis']): Set<number> {
  const axes = axis === undefined ? x.shape.map((_, i) => i) : typeof axis === 'number' ? [axis] : axis;
  return new Set(
    axes.map((a) => {
      if (Number.isInteger(a) && a >= -x.ndim && a < x.ndim) return a < 0 ? a + x.ndim : a;
      throw new Error(`${op}: axis ${a} is not a dimension of shape ${show(x.shape)}`);
    }),
  );
}

/** The gradient of a sum: dy repeated over the reduced dimensions. */
function spread(dy: Tensor, kept: Shape, shape: Shape): Tensor {
  return scope(() => add(dy.view(kept), zeros(shape, { device: dy.device, dtype: dy.dtype })));
}

/** The sum over some dimensions, accumulated in double in a fixed order. @returns x's shape without them (size 1 with `keepDims`) */
export function sum(x: Tensor, { axis, keepDims = false }: ReduceOptions = {}): Tensor {
  expectFloats('sum', 'arithmetic', { x });
  const axes = reducedAxes('sum', x, axis);
  const kept = x.shape.map((size, i) => (axes.has(i) ? 1 : size));
  const shape = keepDims ? kept : x.shape.filter((_, i) => !axes.has(i));
  const total = x.size === 0 ? zeros(kept, { device: x.device, dtype: x.dtype }) : sumTo(x, kept);
  const output = total.view(shape);
  if (total !== x) total.dispose();
  const from = x.shape;
  return record({ op: 'sum', inputs: [x], output, backward: (dy) => [spread(dy, kept, from)] });
}

/** The mean over some dimensions; see `sum`. */
export function mean(x: Tensor, options: ReduceOptions = {}): Tensor {
  const count = elements(x.shape.filter((_, i) => reducedAxes('mean', x, options.axis).has(i)));
  if (count === 0) throw new Error(`mean: nothing to average in shape ${show(x.shape)}`);
  return scope(() => mul(sum(x, options), 1 / count));
}
