import { record } from '../core/autograd';
import { kernels } from '../core/dispatch';
import { emptyLike, floatsLike, show, type Tensor } from '../core/tensor';
import { expectFloats, expectShape } from './check';

/**
 * LayerNorm over the last dimension: (x - mean) / sqrt(var + eps) * gamma + beta, with the biased variance.
 * @param x [..., C]
 * @param gamma [C]
 * @param beta [C]
 */
export function layerNorm(x: Tensor, gamma: Tensor, beta: Tensor, eps = 1e-5): Tensor {
  expectFloats('layerNorm', 'layer_norm', { x }, { gamma, beta });
  if (x.ndim === 0) throw new Error(`layerNorm: x needs at least one dimension, got ${show(x.shape)}`);
  const cols = x.shape[x.ndim - 1] as number;
  expectShape('layerNorm', { gamma, beta }, [cols]);
  const rows = cols === 0 ? 0 : x.size / cols;
  const y = emptyLike(x);
  const [mean, rstd] = [floatsLike(x, [rows]), floatsLike(x, [rows])];
  kernels.layerNormForward({ rows, cols, eps, x, gamma, beta, y, mean, rstd });
  return record({
    op: 'layerNorm',
    inputs: [x, gamma, beta],
    output: y,
    saved: { x, gamma, mean, rstd },
    backward: (dy, { x, gamma, mean, rstd }) => {
      const [dx, dgamma, dbeta] = [emptyLike(x), emptyLike(gamma), emptyLike(gamma)];
      kernels.layerNormBackward({ rows, cols, x, gamma, mean, rstd, dy, dx, dgamma, dbeta });
      return [dx, dgamma, dbeta];
    },
  });
}
