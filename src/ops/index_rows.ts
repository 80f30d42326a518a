import { record } from '../core/autograd';
import { kernels } from '../core/dispatch';
import { scope } from '../core/scope';
import { elements, emptyLike, show, type Tensor } from '../core/tensor';
import { axisOf } from './axes';
import { inF32 } from './cast';
import { expectDims, expectF32 } from './check';
import { permute, toFront } from './permute';

/** Selects along the first dimension. */
function rowsOf(x: Tensor, index: Tensor): Tensor {
  const rows = x.shape[0] as number;
  const at = { rows, width: elements(x.shape.slice(1)), taken: index.size };
  const y = emptyLike(x, [index.size, ...x.shape.slice(1)]);
  kernels.indexRowsForward({ x, index, y, ...at });
  return record({
    op: 'indexSelect',
    inputs: [x],
    output: y,
    saved: { index: index.detach() },
    backward: (dy, { index }) => {
      const dx = emptyLike(dy, x.shape);
      kernels.indexRowsBackward({ dy, index, dx, ...at });
      return [dx];
    },
  });
}

/**
 * Selects rows of x along a dimension (PyTorch's index_select). An index may repeat.
 * @param x [N, ...]
 * @param index i32 [M], each 0 to N - 1
 * @param axis the dimension; a negative one counts from the end. Default: the first
 * @returns [M, ...]
 */
export function indexSelect(x: Tensor, index: Tensor, axis = 0): Tensor {
  return inF32(x, (x) => {
    expectF32('indexSelect', { x });
    if (index.dtype !== 'i32') throw new Error(`indexSelect: index must be i32, got ${index.dtype}`);
    expectDims('indexSelect', 'index', index, 1, '[M]');
    if (x.ndim === 0) throw new Error(`indexSelect: x needs at least one dimension, got ${show(x.shape)}`);
    const d = axisOf('indexSelect', x.shape, axis);
    if (d === 0) return rowsOf(x, index);
    const { front, back } = toFront(x, d);
    return scope(() => permute(rowsOf(permute(x, front), index), back));
  });
}
