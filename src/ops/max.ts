import { record } from '../core/autograd';
import { kernels } from '../core/dispatch';
import { elements, empty, emptyLike, show, type Tensor } from '../core/tensor';
import { expectF32 } from './check';

/** Options of `max`. */
export interface MaxOptions {
  /** The dimension to reduce; a negative one counts from the end. Default: all dimensions. */
  axis?: number;
  /** Keep reduced dimensions as size 1. */
  keepDims?: boolean;
}

/**
 * The maximum along one dimension, or of all elements. A NaN counts as larger than any number. Of equal elements the first
 * receives the gradient.
 * @returns x's shape without the dimension (size 1 with `keepDims`)
 * @throws if the dimension is empty
 */
export function max(x: Tensor, { axis, keepDims = false }: MaxOptions = {}): Tensor {
  expectF32('max', { x });
  if (axis !== undefined && !(Number.isInteger(axis) && axis >= -x.ndim && axis < x.ndim))
    throw new Error(`max: axis ${axis} is not a dimension of shape ${show(x.shape)}`);
  const from = axis === undefined ? 0 : (axis + x.ndim) % x.ndim;
  const to = axis === undefined ? x.ndim : from + 1;
  const [before, after] = [x.shape.slice(0, from), x.shape.slice(to)];
  const reduced = x.shape.slice(from, to);
  const [outer, n, inner] = [before, reduced, after].map(elements) as [number, number, number];
  if (n === 0) throw new Error(`max: nothing to choose from in shape ${show(x.shape)}`);
  const shape = [...before, ...(keepDims ? reduced.map(() => 1) : []), ...after];
  const [y, index] = [emptyLike(x, shape), empty(shape, { device: x.device, dtype: 'i32' })];
  kernels.maxForward({ outer, n, inner, x, y, index });
  const { shape: full } = x;
  return record({
    op: 'max',
    inputs: [x],
    output: y,
    saved: { index },
    backward: (dy, { index }) => {
      const dx = emptyLike(dy, full);
      kernels.maxBackward({ outer, n, inner, dy, index, dx });
      return [dx];
    },
  });
}
