import { record } from '../core/autograd';
import { kernels } from '../core/dispatch';
import { nextRandom } from '../core/generator';
import { emptyLike, floatsLike, type Tensor } from '../core/tensor';
import { expectFloats } from './check';

function checkProbability(op: string, p: number): void {
  if (!(p >= 0 && p < 1)) throw new Error(`${op}: the probability must be in [0, 1), got ${p}`);
}

/** A tensor [n] of factors, 0 with probability p and else 1/(1−p), on the device of `like`. Draws n words (src/core/generator.ts). */
export function dropFactors(n: number, p: number, like: Tensor): Tensor {
  checkProbability('dropFactors', p);
  const factor = floatsLike(like, [n]);
  kernels.dropoutFactors({ n, p, ...nextRandom(n), factor, start: null });
  return factor;
}

/** Multiplies each run of `size / factors` elements of x by its factor. */
function applyFactors(op: string, x: Tensor, factors: Tensor): Tensor {
  const span = x.size / Math.max(1, factors.size);
  const times = (x: Tensor, factor: Tensor): Tensor => {
    const y = emptyLike(x);
    if (x.size > 0) kernels.dropoutApply({ n: x.size, span, x, factor, y });
    return y;
  };
  const output = times(x, factors);
  return record({ op, inputs: [x], output, saved: { factors }, backward: (dy, { factors }) => [times(dy, factors)] });
}

/** Zeroes each element with probability p and scales the others by 1/(1−p); x itself outside training or with p = 0. */
export function dropout(x: Tensor, p: number, training: boolean): Tensor {
  checkProbability('dropout', p);
  expectFloats('dropout', 'dropout', { x });
  return training && p > 0 ? applyFactors('dropout', x, dropFactors(x.size, p, x)) : x;
}

/** Stochastic depth: zeroes whole clips x[b] with probability p and scales the others by 1/(1−p). @param x [B, ...] */
export function dropPath(x: Tensor, p: number, training: boolean): Tensor {
  checkProbability('dropPath', p);
  expectFloats('dropPath', 'dropout', { x });
  return training && p > 0 ? applyFactors('dropPath', x, dropFactors(x.shape[0] ?? 1, p, x)) : x;
}
