import { isGradEnabled, record } from '../core/autograd';
import { kernels } from '../core/dispatch';
import { emptyLike, floatsLike, show, type Tensor } from '../core/tensor';
import { expectFloats, expectShape } from './check';

/** The parameters of `normMlp`: LayerNorm's, and the two FCs' in PyTorch's layout. */
export interface NormMlpParameters {
  gamma: Tensor;
  beta: Tensor;
  w1: Tensor;
  b1: Tensor;
  w2: Tensor;
  b2: Tensor;
}

function checkNormMlp(x: Tensor, p: NormMlpParameters, scale: Tensor | null): void {
  expectFloats('normMlp', 'norm_mlp', { x }, { scale, ...p });
  if (x.ndim < 2) throw new Error(`normMlp: x must be [B, ..., C], got ${show(x.shape)}`);
  const [channels, hidden] = [x.shape[x.ndim - 1] as number, p.b1.size];
  expectShape('normMlp', { gamma: p.gamma, beta: p.beta, b2: p.b2 }, [channels]);
  expectShape('normMlp', { b1: p.b1 }, [hidden]);
  expectShape('normMlp', { w1: p.w1 }, [hidden, channels]);
  expectShape('normMlp', { w2: p.w2 }, [channels, hidden]);
  expectShape('normMlp', { scale }, [x.shape[0] as number]);
}

/**
 * The MLP part of a block in one kernel: x + scale · fc2(gelu(fc1(LN(x)))). Equivalent to layerNorm, linear with gelu, linear and
 * add; the hidden tile stays in cache.
 * @param x [B, ..., C]
 * @param scale [B] (drop path: 0 or 1/(1-p) for each clip) or null for 1
 */
export function normMlp(x: Tensor, p: NormMlpParameters, scale: Tensor | null = null, eps = 1e-5): Tensor {
  checkNormMlp(x, p, scale);
  const [channels, hidden] = [x.shape[x.ndim - 1] as number, p.b1.size];
  const rows = x.size / channels;
  const at = { rows, channels, hidden, rowsPerClip: rows / (x.shape[0] as number) };
  const inputs = [x, p.gamma, p.beta, p.w1, p.b1, p.w2, p.b2, scale];
  const keep = isGradEnabled() && inputs.some((t) => t?.requiresGrad);
  const [y, mean, rstd] = [emptyLike(x), floatsLike(x, [rows]), floatsLike(x, [rows])];
  const z = keep ? emptyLike(x, [rows, hidden]) : null;
  const { gamma, beta, w1, b1, w2, b2 } = p;
  kernels.normMlpForward({ eps, x, gamma, beta, w1, b1, w2, b2, scale, y, mean, rstd, z, ...at });
  return record({
    op: 'normMlp',
    inputs,
    output: y,
    saved: { x, gamma, beta, w1, w2, mean, rstd, z, scale },
    backward: (dy, { x, gamma, beta, w1, w2, mean, rstd, z, scale }) => {
      const [dx, dgamma, dbeta] = [emptyLike(x), emptyLike(gamma), emptyLike(beta)];
      const [dw1, db1, dw2, db2] = [emptyLike(w1), emptyLike(w1, [hidden]), emptyLike(w2), emptyLike(gamma)];
      const to = { dx, dgamma, dbeta, dw1, db1, dw2, db2 };
      kernels.normMlpBackward({ x, gamma, beta, w1, w2, scale, mean, rstd, z: z!, dy, ...to, ...at });
      return [dx, dgamma, dbeta, dw1, db1, dw2, db2, null];
    },
  });
}
