import { isGradEnabled, record } from '../core/autograd';
import { isReplaced, kernels } from '../core/dispatch';
import { emptyLike, type Tensor } from '../core/tensor';
import { batchNorm, batchNormBackward, batchNormOptions, checkNormed, type BatchNormOptions } from './batch_norm';
import { expectFloats } from './check';
import { conv3d, conv3dBackward, conv3dGeometry, expectConv3dOptions, type Conv3dOptions } from './conv3d';

/** The parameters of `convNorm`: the convolution's, then BatchNorm's [out]. */
export interface ConvNormParameters {
  /** [out, in / groups, kt, kh, kw] */
  weight: Tensor;
  bias: Tensor | null;
  gamma: Tensor;
  beta: Tensor;
  runningMean: Tensor;
  runningVar: Tensor;
}

/**
 * `conv3d` followed by `batchNorm` (and its GELU), fused into one kernel. On CUDA the batch's statistics are computed from the
 * accumulators of the convolution; in evaluation without a backward only the normalised result is stored.
 * @param x [B, C, T, H, W] or [B, T, H, W, C], by `conv.input`
 * @returns [B, T', H', W', out]
 */
export function convNorm(x: Tensor, p: ConvNormParameters, conv: Conv3dOptions, options: BatchNormOptions): Tensor {
  expectConv3dOptions('convNorm', conv);
  const { weight, bias, gamma, beta, runningMean, runningVar } = p;
  const { training, momentum, eps, gelu } = batchNormOptions('convNorm', options);
  expectFloats('convNorm', 'conv_norm', { x }, { ...p });
  if (isReplaced('conv3d'))
    return batchNorm(conv3d(x, weight, bias, conv), gamma, beta, runningMean, runningVar, options);
  const { shape, at } = conv3dGeometry('convNorm', x, weight, bias, conv);
  const [rows, cols] = checkNormed(
    'convNorm',
    shape,
    { gamma, beta, runningMean, runningVar },
    { training, momentum, eps },
  );
  const inputs = [x, weight, bias, gamma, beta];
  const keep = isGradEnabled() && inputs.some((t) => t?.requiresGrad);
  const [y, u] = [emptyLike(x, shape), keep ? emptyLike(x, shape) : null];
  const [mean, rstd] = [emptyLike(gamma), emptyLike(gamma)];
  kernels.convNormForward({
    training,
    gelu,
    momentum,
    eps,
    x,
    weight,
    bias,
    y,
    u,
    gamma,
    beta,
    runningMean,
    runningVar,
    mean,
    rstd,
    ...at,
  });
  return record({
    op: 'convNorm',
    inputs,
    output: y,
    saved: { x, weight, u, gamma, beta, mean, rstd },
    backward: (dy, { x, weight, u, gamma, beta, mean, rstd }, needs) => {
      const normed = { x: u!, gamma, beta, mean, rstd };
      const [du, dgamma, dbeta] = batchNormBackward({ rows, cols, training, gelu }, normed, dy);
      return [...conv3dBackward(at, x, weight, du, needs[0]!), dgamma, dbeta];
    },
  });
}
