import { scope } from '../core/scope';
import { elements, show, tensor, type Tensor } from '../core/tensor';
import { expectF32, expectInteger } from './check';
import { indexSelect } from './index_rows';
import { reshape } from './reshape';

/**
 * Copies the elements from `start` up to, not including, `end` along one dimension.
 * @param axis the dimension; a negative one counts from the end
 * @throws unless 0 ≤ start ≤ end ≤ the size of the dimension
 */
export function slice(x: Tensor, axis: number, start: number, end: number): Tensor {
  expectF32('slice', { x });
  if (!(Number.isInteger(axis) && axis >= -x.ndim && axis < x.ndim))
    throw new Error(`slice: axis ${axis} is not a dimension of shape ${show(x.shape)}`);
  const d = (axis + x.ndim) % x.ndim;
  const size = x.shape[d] as number;
  expectInteger('slice', 'start', start, 0, size);
  expectInteger('slice', 'end', end, start, size);
  const [outer, inner] = [elements(x.shape.slice(0, d)), elements(x.shape.slice(d + 1))];
  const length = end - start;
  const rows = Int32Array.from(
    { length: outer * length },
    (_, i) => Math.floor(i / length) * size + start + (i % length),
  );
  const shape = x.shape.map((n, i) => (i === d ? length : n));
  return scope(() => reshape(indexSelect(reshape(x, [outer * size, inner]), tensor(rows)), shape));
}
