import { record } from '../core/autograd';
import { kernels } from '../core/dispatch';
import type { BatchNormBackward } from '../core/kernels';
import { expectOptions } from '../core/options';
import { emptyLike, show, type Shape, type Tensor } from '../core/tensor';
import { expectFloats, expectShape } from './check';

/** Options of `batchNorm`. */
export interface BatchNormOptions {
  /** true: normalise by the batch's statistics and update the running ones; false: normalise by the running ones. */
  training: boolean;
  momentum?: number;
  eps?: number;
  /** Apply the exact GELU to the result, in the same pass. */
  gelu?: boolean;
}

/** The options, with their defaults. */
export function batchNormOptions(op: string, options: BatchNormOptions): Required<BatchNormOptions> {
  expectOptions(op, options, { training: true, momentum: true, eps: true, gelu: true });
  const { training, momentum = 0.1, eps = 1e-5, gelu = false } = options;
  return { training, momentum, eps, gelu };
}

type Checked = BatchNormOptions & { momentum: number; eps: number };

function checkNumbers(op: string, { momentum, eps }: Checked): void {
  if (!(momentum >= 0 && momentum <= 1)) throw new Error(`${op}: momentum must be from 0 to 1, got ${momentum}`);
  if (!(eps >= 0)) throw new Error(`${op}: eps must be a number of 0 or more, got ${eps}`);
}

/** Checks the operands except the type of x, which has this shape. Returns its rows and columns. */
export function checkNormed(
  op: string,
  shape: Shape,
  vectors: Record<string, Tensor>,
  options: Checked,
): [number, number] {
  checkNumbers(op, options);
  const cols = shape[shape.length - 1] ?? 0;
  if (cols === 0) throw new Error(`${op}: x must be [..., C], got ${show(shape)}`);
  expectShape(op, vectors, [cols]);
  const rows = shape.slice(0, -1).reduce((a, b) => a * b, 1);
  if (options.training && rows < 2)
    throw new Error(`${op}: training needs more than one value a channel, got shape ${show(shape)}`);
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
  options: BatchNormOptions,
): Tensor {
  const { training, momentum, eps, gelu } = batchNormOptions('batchNorm', options);
  const vectors = { gamma, beta, runningMean, runningVar };
  expectFloats('batchNorm', 'batch_norm', { x }, vectors);
  const [rows, cols] = checkNormed('batchNorm', x.shape, vectors, { training, momentum, eps });
  const at = { rows, cols, training, gelu };
  const [y, mean, rstd] = [emptyLike(x), emptyLike(gamma), emptyLike(gamma)];
  kernels.batchNormForward({ momentum, eps, x, gamma, beta, runningMean, runningVar, y, mean, rstd, ...at });
  return record({
    op: 'batchNorm',
    inputs: [x, gamma, beta],
    output: y,
    saved: { x, gamma, beta, mean, rstd },
    backward: (dy, saved) => batchNormBackward(at, saved, dy),
  });
}

/** Gradients of x, gamma and beta. @param saved mean and rstd that the forward used */
export function batchNormBackward(
  at: Pick<BatchNormBackward, 'rows' | 'cols' | 'training' | 'gelu'>,
  saved: Record<'x' | 'gamma' | 'beta' | 'mean' | 'rstd', Tensor>,
  dy: Tensor,
): [Tensor, Tensor, Tensor] {
  const { x, gamma, beta, mean, rstd } = saved;
  const [dx, dgamma, dbeta] = [emptyLike(x), emptyLike(gamma), emptyLike(gamma)];
  kernels.batchNormBackward({ x, gamma, beta, mean, rstd, dy, dx, dgamma, dbeta, ...at });
  return [dx, dgamma, dbeta];
}
