import { record } from '../autograd';
import { kernels } from '../native';
import { emptyLike, show, type Tensor } from '../tensor';
import { expectFloats, expectShape } from './check';

/** Options of `batchNorm`. */
export interface BatchNormOptions {
  /** true: the batch's statistics, and the running ones move; false: the running ones. */
  training: boolean;
  momentum?: number;
  eps?: number;
  /** Apply the exact GELU to the result, in the same pass. */
  gelu?: boolean;
}

function checkNumbers(momentum: number, eps: number): void {
  if (!(momentum >= 0 && momentum <= 1)) throw new Error(`batchNorm: momentum must be from 0 to 1, got ${momentum}`);
  if (!(eps >= 0)) throw new Error(`batchNorm: eps must be a number of 0 or more, got ${eps}`);
}

function checkBatchNorm(x: Tensor, vectors: Record<string, Tensor>, training: boolean): [number, number] {
  expectFloats('batchNorm', 'batch_norm', { x }, vectors);
  const cols = x.shape[x.ndim - 1] ?? 0;
  if (x.ndim === 0 || cols === 0) throw new Error(`batchNorm: x must be [..., C], got ${show(x.shape)}`);
  expectShape('batchNorm', vectors, [cols]);
  const rows = x.size / cols;
  if (training && rows < 2)
    throw new Error(`batchNorm: training needs more than one value a channel, got shape ${show(x.shape)}`);
  return [rows, cols];
}

/**
 * BatchNorm over all dimensions but the last, as PyTorch's BatchNorm3d: biased variance to normalise, unbiased for the running
 * variance, which (with the running mean) is updated in place in training.
 * @param x [..., C]; gamma, beta, runningMean, runningVar [C]
 */
export function batchNorm(
  x: Tensor,
  gamma: Tensor,
  beta: Tensor,
  runningMean: Tensor,
  runningVar: Tensor,
  { training, momentum = 0.1, eps = 1e-5, gelu = false }: BatchNormOptions,
): Tensor {
  checkNumbers(momentum, eps);
  const at = checkBatchNorm(x, { gamma, beta, runningMean, runningVar }, training);
  const [y, mean, rstd] = [emptyLike(x), emptyLike(gamma), emptyLike(gamma)];
  const inputs = [x, gamma, beta, runningMean, runningVar].map((t) => t.handle);
  kernels.batch_norm_forward(...at, training, gelu, momentum, eps, ...inputs, y.handle, mean.handle, rstd.handle);
  return record({
    op: 'batchNorm',
    inputs: [x, gamma, beta],
    output: y,
    saved: [x, gamma, beta, mean, rstd],
    backward: (dy, saved) => {
      const [dx, dgamma, dbeta] = [emptyLike(x), emptyLike(gamma), emptyLike(gamma)];
      const from = [...saved, dy, dx, dgamma, dbeta].map((t) => t.handle);
      kernels.batch_norm_backward(...at, training, gelu, ...from);
      return [dx, dgamma, dbeta];
    },
  });
}
