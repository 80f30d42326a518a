import { record } from '../core/autograd';
import { kernels } from '../core/dispatch';
import { emptyLike, type Tensor } from '../core/tensor';
import { expectF32 } from './check';

/**
 * Softmax over the last dimension.
 * @param x [..., C] with at least one dimension
 */
export function softmax(x: Tensor): Tensor {
  expectF32('softmax', { x });
  if (x.ndim === 0) throw new Error('softmax: x needs at least one dimension, got a scalar');
  const cols = x.shape[x.ndim - 1] as number;
  const rows = cols === 0 ? 0 : x.size / cols;
  const y = emptyLike(x);
  kernels.softmaxForward({ rows, cols, x, y });
  return record({
    op: 'softmax',
    inputs: [x],
    output: y,
    saved: { y },
    backward: (dy, { y }) => {
      const dx = emptyLike(y);
      kernels.softmaxBackward({ rows, cols, y, dy, dx });
      return [dx];
    },
  });
}
