import { record } from '../core/autograd';
import { kernels } from '../core/dispatch';
import { emptyLike, show, type Tensor } from '../core/tensor';
import { around, axisOf, withSize } from './axes';
import { inF32 } from './cast';
import { expectF32 } from './check';

/**
 * Selects elements along a dimension (PyTorch's gather): y[o, j, i] = x[o, index[o, j, i], i]. An index may repeat.
 * @param index i32, of the shape of x except along `axis`
 * @returns the shape of the index
 */
export function gather(x: Tensor, axis: number, index: Tensor): Tensor {
  return inF32(x, (x) => {
    expectF32('gather', { x });
    const d = axisOf('gather', x.shape, axis);
    if (index.dtype !== 'i32') throw new Error(`gather: index must be i32, got ${index.dtype}`);
    const taken = index.shape[d] ?? 0;
    if (show(index.shape) !== show(withSize(x.shape, d, taken)))
      throw new Error(`gather: index ${show(index.shape)} must have the shape of x ${show(x.shape)} except along ${d}`);
    const [y, at] = [emptyLike(x, index.shape), { ...around(x.shape, d), taken }];
    kernels.gatherForward({ x, index, y, ...at });
    const { shape } = x;
    return record({
      op: 'gather',
      inputs: [x],
      output: y,
      saved: { index: index.detach() },
      backward: (dy, { index }) => {
        const dx = emptyLike(dy, shape);
        kernels.gatherBackward({ dy, index, dx, ...at });
        return [dx];
      },
    });
  });
}
