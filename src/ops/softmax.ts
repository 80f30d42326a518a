import { record } from '../core/autograd';
import { kernels } from '../core/dispatch';
import { scope } from '../core/scope';
import { emptyLike, type Tensor } from '../core/tensor';
import { sub } from './arithmetic';
import { axisOf } from './axes';
import { inF32 } from './cast';
import { expectF32, expectFloats } from './check';
import { max } from './max';
import { transpose } from './permute';
import { exp, log } from './pointwise';
import { sum } from './reduce';

function expectAxes(op: string, x: Tensor): void {
  if (x.ndim === 0) throw new Error(`${op}: x needs at least one dimension, got a scalar`);
}

function ofLast(x: Tensor): Tensor {
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

/**
 * Softmax over one dimension.
 * @param x [..., C] with at least one dimension
 * @param axis the dimension; a negative one counts from the end. Default: the last
 */
export function softmax(x: Tensor, axis = -1): Tensor {
  return inF32(x, (x) => {
    expectF32('softmax', { x });
    expectAxes('softmax', x);
    const d = axisOf('softmax', x.shape, axis);
    if (d === x.ndim - 1) return ofLast(x);
    return scope(() => transpose(ofLast(transpose(x, d, -1)), d, -1));
  });
}

/** The logarithm of `softmax`, without overflow. */
export function logSoftmax(x: Tensor, axis = -1): Tensor {
  expectFloats('logSoftmax', 'pointwise', { x });
  expectAxes('logSoftmax', x);
  const at = { axis: axisOf('logSoftmax', x.shape, axis), keepDims: true };
  return inF32(x, (x) =>
    scope(() => {
      const shifted = sub(x, max(x.detach(), at)); // exact near the maximum, where a difference from logsumexp would round
      return sub(shifted, log(sum(exp(shifted), at)));
    }),
  );
}
