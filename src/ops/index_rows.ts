import { record } from '../core/autograd';
import { kernels } from '../core/dispatch';
import { elements, emptyLike, show, type Tensor } from '../core/tensor';
import { expectDims, expectF32 } from './check';

/**
 * Selects rows of x along the first dimension (PyTorch's index_select with dim 0). An index may repeat.
 * @param x [N, ...]
 * @param index i32 [M], each 0 to N - 1
 * @returns [M, ...]
 */
export function indexSelect(x: Tensor, index: Tensor): Tensor {
  expectF32('indexSelect', { x });
  if (index.dtype !== 'i32') throw new Error(`indexSelect: index must be i32, got ${index.dtype}`);
  expectDims('indexSelect', 'index', index, 1, '[M]');
  if (x.ndim === 0) throw new Error(`indexSelect: x needs at least one dimension, got ${show(x.shape)}`);
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
