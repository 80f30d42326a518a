import { record } from '../core/autograd';
import { show, type Tensor } from '../core/tensor';
import { strided } from './arithmetic';
import { expectFloats } from './check';

function reordered(x: Tensor, axes: readonly number[]): Tensor {
  const strides = x.shape.map((_, d) => x.shape.slice(d + 1).reduce((a, b) => a * b, 1));
  const [shape, steps] = [axes.map((d) => x.shape[d] as number), axes.map((d) => strides[d] as number)];
  return strided('permute', x, shape, steps);
}

/**
 * Copies x with its dimensions reordered: dimension d of the result is dimension `axes[d]` of x. A zero loses its sign.
 * The network does not need it, because each kernel reads the layout that it is given; it is meant for users' own ops.
 * @param axes a permutation of 0 to ndim - 1; negative ones count from the end
 */
export function permute(x: Tensor, axes: readonly number[]): Tensor {
  expectFloats('permute', 'arithmetic', { x });
  const order = axes.map((d) => (d < 0 ? d + x.ndim : d));
  if (order.length !== x.ndim || x.shape.some((_, d) => !order.includes(d)))
    throw new Error(`permute: expected each dimension of shape ${show(x.shape)} once, got ${show(axes)}`);
  const back = order.map((_, d) => order.indexOf(d));
  return record({ op: 'permute', inputs: [x], output: reordered(x, order), backward: (dy) => [reordered(dy, back)] });
}
