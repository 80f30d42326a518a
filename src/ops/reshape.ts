import { record } from '../core/autograd';
import { elements, show, type Shape, type Tensor } from '../core/tensor';

/** The shape with a size of -1 replaced by what remains. */
function completed(x: Tensor, shape: Shape): Shape {
  const at = shape.indexOf(-1);
  if (at < 0 || shape.indexOf(-1, at + 1) >= 0) return shape;
  const rest = elements(shape.filter((_, d) => d !== at));
  if (rest === 0 || x.size % rest !== 0)
    throw new Error(`reshape: ${show(x.shape)} does not have a multiple of the elements of ${show(shape)}`);
  return shape.map((n, d) => (d === at ? x.size / rest : n));
}

/** A view of x with another shape of equal size; one size may be -1, for what remains. Shares x's memory. @throws if the sizes differ */
export function reshape(x: Tensor, shape: Shape): Tensor {
  const from = x.shape;
  const output = x.view(completed(x, shape), 'reshape');
  return record({ op: 'reshape', inputs: [x], output, backward: (dy) => [dy.view(from)] });
}
