import { record } from '../core/autograd';
import { emptyLike, show, type Tensor } from '../core/tensor';
import { copyStrided } from './arithmetic';
import { axisOf, stridesOf } from './axes';
import { expectFloats } from './check';

function reordered(x: Tensor, axes: readonly number[]): Tensor {
  const own = stridesOf(x.shape);
  const shape = axes.map((d) => x.shape[d] as number);
  const y = emptyLike(x, shape);
  const [from, to] = [axes.map((d) => own[d] as number), stridesOf(shape)];
  copyStrided('permute', shape, x, { strides: from, offset: 0 }, y, { strides: to, offset: 0 });
  return y;
}

/**
 * Copies x with its dimensions reordered: dimension d of the result is dimension `axes[d]` of x.
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

/** Copies x with two dimensions exchanged. @param a @param b dimensions; negative ones count from the end */
export function transpose(x: Tensor, a: number, b: number): Tensor {
  const [i, j] = [axisOf('transpose', x.shape, a), axisOf('transpose', x.shape, b)];
  return permute(
    x,
    x.shape.map((_, d) => (d === i ? j : d === j ? i : d)),
  );
}

/** The dimensions of x with `axis` moved to the front, and the order that moves it back. */
export function toFront(x: Tensor, axis: number): { front: number[]; back: number[] } {
  const front = [axis, ...x.shape.map((_, d) => d).filter((d) => d !== axis)];
  return { front, back: front.map((_, d) => front.indexOf(d)) };
}
