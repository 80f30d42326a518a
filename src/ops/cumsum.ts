import { record } from '../core/autograd';
import { kernels } from '../core/dispatch';
import { emptyLike, type Tensor } from '../core/tensor';
import { around, axisOf } from './axes';
import { expectFloats } from './check';

/** The sums of x up to each position along a dimension, that position included; accumulated in double. */
export function cumsum(x: Tensor, axis: number): Tensor {
  expectFloats('cumsum', 'cumsum', { x });
  const at = around(x.shape, axisOf('cumsum', x.shape, axis));
  const summed = (x: Tensor, reverse: boolean): Tensor => {
    const y = emptyLike(x);
    kernels.cumsumForward({ x, y, reverse, ...at });
    return y;
  };
  return record({ op: 'cumsum', inputs: [x], output: summed(x, false), backward: (dy) => [summed(dy, true)] });
}
