/** Layers for pictures, in PyTorch's layout [B, C, H, W]. */
import { expectOptions } from '../core/options';
import { empty, ones, zeros, type Tensor } from '../core/tensor';
import { batchNorm } from '../ops/batch_norm';
import { conv2d, pairOf, type Conv2dOptions, type Pair } from '../ops/conv2d';
import { groupNorm } from '../ops/group_norm';
import { permute } from '../ops/permute';
import { avgPool2d, expectPoolOptions, maxPool2d, type PoolOptions } from '../ops/pool';
import { mean } from '../ops/reduce';
import { expectDims } from '../ops/check';
import { scope } from '../core/scope';
import { uniform } from './init';
import { BatchNorm } from './layers';
import { Module, parameter } from './module';

/** A 2-D convolution with PyTorch's default initialisation (uniform within 1/sqrt(fan in)). */
export class Conv2d extends Module {
  readonly weight: Tensor;
  readonly bias?: Tensor;

  constructor(
    readonly inChannels: number,
    readonly outChannels: number,
    readonly kernel: Pair,
    readonly options: Conv2dOptions & { bias?: boolean } = {},
  ) {
    super();
    expectOptions('Conv2d', options, { stride: true, padding: true, groups: true, bias: true });
    const shape = [outChannels, inChannels / (options.groups ?? 1), ...pairOf(kernel)];
    const bound = 1 / Math.sqrt(shape.slice(1).reduce((a, b) => a * b));
    this.weight = parameter(uniform(empty(shape), bound));
    if (options.bias !== false) this.bias = parameter(uniform(empty([outChannels]), bound));
  }

  /** @param x [B, inChannels, H, W] @returns [B, outChannels, H', W'] */
  forward(x: Tensor): Tensor {
    const { stride = 1, padding = 0, groups = 1 } = this.options;
    return conv2d(x, this.weight, this.bias ?? null, { stride, padding, groups });
  }
}

/** BatchNorm over the channels of pictures, eps 1e-5, momentum 0.1; `BatchNorm` takes channels last. */
export class BatchNorm2d extends BatchNorm {
  /** @param x [B, features, H, W] @returns the same shape; updates the running statistics in training mode */
  override forward(x: Tensor): Tensor {
    expectDims('BatchNorm2d', 'x', x, 4, '[B, C, H, W]');
    const { weight, bias, running_mean, running_var, training } = this;
    return scope(() => {
      const last = permute(x, [0, 2, 3, 1]);
      return permute(batchNorm(last, weight, bias, running_mean, running_var, { training }), [0, 3, 1, 2]);
    });
  }
}

/** GroupNorm over groups of channels, eps 1e-5. */
export class GroupNorm extends Module {
  readonly weight: Tensor;
  readonly bias: Tensor;

  constructor(
    readonly groups: number,
    readonly channels: number,
  ) {
    super();
    this.weight = parameter(ones([channels]));
    this.bias = parameter(zeros([channels]));
  }

  /** @param x [B, channels, ...] @returns the same shape */
  forward(x: Tensor): Tensor {
    return groupNorm(x, this.groups, this.weight, this.bias);
  }
}

/** The maximum of each window. */
export class MaxPool2d extends Module {
  constructor(
    readonly window: Pair,
    readonly options: PoolOptions = {},
  ) {
    super();
    expectPoolOptions('MaxPool2d', options);
  }

  /** @param x [B, C, H, W] @returns [B, C, H', W'] */
  forward(x: Tensor): Tensor {
    return maxPool2d(x, this.window, this.options);
  }
}

/** The mean of each window. */
export class AvgPool2d extends Module {
  constructor(
    readonly window: Pair,
    readonly options: PoolOptions = {},
  ) {
    super();
    expectPoolOptions('AvgPool2d', options);
  }

  /** @param x [B, C, H, W] @returns [B, C, H', W'] */
  forward(x: Tensor): Tensor {
    return avgPool2d(x, this.window, this.options);
  }
}

/** The mean over height and width (PyTorch's AdaptiveAvgPool2d(1) and a flatten). */
export class GlobalAvgPool2d extends Module {
  /** @param x [B, C, H, W] @returns [B, C] */
  forward(x: Tensor): Tensor {
    expectDims('GlobalAvgPool2d', 'x', x, 4, '[B, C, H, W]');
    return mean(x, [2, 3]);
  }
}
