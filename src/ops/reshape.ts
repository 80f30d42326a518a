import { record } from '../core/autograd';
import type { Shape, Tensor } from '../core/tensor';

/** A view of x with another shape of equal size; shares its memory. @throws if the sizes differ */
export function reshape(x: Tensor, shape: Shape): Tensor {
  const from = x.shape;
  return record({ op: 'reshape', inputs: [x], output: x.view(shape, 'reshape'), backward: (dy) => [dy.view(from)] });
}
