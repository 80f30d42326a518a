import { expectOptions } from '../core/options';
import { batchNorm } from '../ops/batch_norm';
import { conv3d, expectConv3dOptions, type Conv3dOptions } from '../ops/conv3d';
import { convNorm } from '../ops/conv_norm';
import { layerNorm } from '../ops/layer_norm';
import { linear } from '../ops/linear';
import { empty, ones, zeros, type Tensor } from '../core/tensor';
import { truncatedNormal, uniform } from './init';
import { buffer, Module, parameter } from './module';

/** Options of `Linear`. */
export interface LinearModuleOptions {
  bias?: boolean;
  /** Weights start truncated normal with this standard deviation and biases at 0, as MorphMLP's do, and not as PyTorch's. */
  truncatedStd?: number;
}

/** y = x weightᵀ + bias, with PyTorch's default initialisation (uniform within 1/sqrt(inFeatures)). */
export class Linear extends Module {
  readonly weight: Tensor;
  readonly bias?: Tensor;

  constructor(
    readonly inFeatures: number,
    readonly outFeatures: number,
    options: LinearModuleOptions = {},
  ) {
    super();
    expectOptions('Linear', options, { bias: true, truncatedStd: true });
    const { bias = true, truncatedStd } = options;
    const bound = 1 / Math.sqrt(Math.max(1, inFeatures));
    const initial = (shape: number[]) => uniform(empty(shape), bound);
    const weights = [outFeatures, inFeatures];
    this.weight = parameter(truncatedStd ? truncatedNormal(empty(weights), truncatedStd) : initial(weights));
    if (bias) this.bias = parameter(truncatedStd ? zeros([outFeatures]) : initial([outFeatures]));
  }

  /** @param x [..., inFeatures] @param options `gelu`: apply the exact GELU to the result @returns [..., outFeatures] */
  forward(x: Tensor, options: { gelu?: boolean } = {}): Tensor {
    return linear(x, this.weight, this.bias ?? null, options);
  }
}

/** LayerNorm over the last dimension, eps 1e-5. */
export class LayerNorm extends Module {
  readonly weight: Tensor;
  readonly bias: Tensor;

  constructor(features: number) {
    super();
    this.weight = parameter(ones([features]));
    this.bias = parameter(zeros([features]));
  }

  /** @param x [..., features] @returns the same shape */
  forward(x: Tensor): Tensor {
    return layerNorm(x, this.weight, this.bias);
  }
}

/** A 3-D convolution, channels last out, with PyTorch's default initialisation (uniform within 1/sqrt(fan in)). */
export class Conv3d extends Module {
  readonly weight: Tensor;
  readonly bias: Tensor;

  constructor(
    inChannels: number,
    outChannels: number,
    readonly kernel: readonly [number, number, number],
    readonly options: Conv3dOptions,
  ) {
    super();
    expectConv3dOptions('Conv3d', options);
    const ins = inChannels / (options.groups ?? 1);
    const fanIn = ins * kernel[0] * kernel[1] * kernel[2];
    this.weight = parameter(uniform(empty([outChannels, ins, ...kernel]), 1 / Math.sqrt(fanIn)));
    this.bias = parameter(uniform(empty([outChannels]), 1 / Math.sqrt(fanIn)));
  }

  /** @param x [B, C, T, H, W] or [B, T, H, W, C], by `options.input` @returns [B, T', H', W', C'] */
  forward(x: Tensor): Tensor {
    return conv3d(x, this.weight, this.bias, this.options);
  }
}

/** BatchNorm over the last dimension, eps 1e-5, momentum 0.1, with PyTorch's running statistics. */
export class BatchNorm extends Module {
  readonly weight: Tensor;
  readonly bias: Tensor;
  readonly running_mean: Tensor;
  readonly running_var: Tensor;

  constructor(features: number) {
    super();
    this.weight = parameter(ones([features]));
    this.bias = parameter(zeros([features]));
    this.running_mean = buffer(zeros([features]));
    this.running_var = buffer(ones([features]));
  }

  /** @param x [..., features] @returns the same shape; updates the running statistics in training mode */
  forward(x: Tensor, options: { gelu?: boolean } = {}): Tensor {
    const { weight, bias, running_mean, running_var, training } = this;
    return batchNorm(x, weight, bias, running_mean, running_var, { training, ...options });
  }
}

/** `norm.forward(conv.forward(x))` in one kernel. */
export function convNormed(conv: Conv3d, norm: BatchNorm, x: Tensor, options: { gelu?: boolean } = {}): Tensor {
  const { weight: gamma, bias: beta, running_mean: runningMean, running_var: runningVar, training } = norm;
  const p = { weight: conv.weight, bias: conv.bias, gamma, beta, runningMean, runningVar };
  return convNorm(x, p, conv.options, { training, ...options });
}
