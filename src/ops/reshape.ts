import { record } from '../core/autograd';
import type { Shape, Tensor } from '../core/tensor';

/** The same elements under another shape of equal size; memory is shared, nothing is copied. */
export function reshape(x: Tensor, shape: Shape): Tensor {
  const from = x.shape;
  return record({ op: 'reshape', inputs: [x], output: x.view(shape, 'reshape'), backward: (dy) => [dy.view(from)] });
}
