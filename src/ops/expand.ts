import { record } from '../core/autograd';
import { kernels } from '../core/dispatch';
import { emptyLike, show, type Shape, type Tensor } from '../core/tensor';
import { copyStrided, stridesIn, sumTo } from './arithmetic';
import { stridesOf } from './axes';
import { expectFloats } from './check';

/** Copies x repeated along its dimensions of size 1 and along new ones in front. @param shape -1 keeps the size of x */
export function expand(x: Tensor, shape: Shape): Tensor {
  expectFloats('expand', 'arithmetic', { x });
  const missing = shape.length - x.ndim;
  const full = shape.map((n, d) => (n === -1 ? (x.shape[d - missing] ?? n) : n));
  if (missing < 0 || full.some((n, d) => d >= missing && x.shape[d - missing] !== 1 && x.shape[d - missing] !== n))
    throw new Error(`expand: shape ${show(x.shape)} does not expand to ${show(shape)}`);
  const [y, own] = [emptyLike(x, full), x.shape];
  const [from, to] = [stridesIn(x.shape, full), stridesOf(full)];
  copyStrided('expand', full, x, { strides: from, offset: 0 }, y, { strides: to, offset: 0 });
  return record({ op: 'expand', inputs: [x], output: y, backward: (dy) => [sumTo(dy, own)] });
}

/** A copy of x in memory of its own; the gradient passes through. */
export function clone(x: Tensor): Tensor {
  expectFloats('clone', 'arithmetic', { x });
  const y = emptyLike(x);
  kernels.accumulateCopy({ n: x.size, from: x, into: y });
  return record({ op: 'clone', inputs: [x], output: y, backward: (dy) => [dy] });
}
