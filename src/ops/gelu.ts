import { record } from '../core/autograd';
import { kernels } from '../core/dispatch';
import { emptyLike, type Tensor } from '../core/tensor';
import { expectFloats } from './check';

/** The exact GELU of every element: x·Φ(x), with Φ the normal distribution function (erf, not the tanh approximation). */
export function gelu(x: Tensor): Tensor {
  expectFloats('gelu', 'gelu', { x });
  const y = emptyLike(x);
  kernels.geluForward({ n: x.size, x, y });
  return record({ op: 'gelu', inputs: [x], output: y, saved: { x }, backward: (dy, { x }) => [geluBackward(dy, x)] });
}

/** The gradient of a GELU's input: dy · (Φ(x) + x·φ(x)). */
export function geluBackward(dy: Tensor, x: Tensor): Tensor {
  const dx = emptyLike(x);
  kernels.geluBackward({ n: x.size, x, dy, dx });
  return dx;
}
