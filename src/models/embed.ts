/** The convolutions of MorphMLP: the stem, and the downsampling between stages. */
import { BatchNorm, Conv3d, convNormed, LayerNorm } from '../nn/layers';
import { Module } from '../nn/module';
import { scope } from '../core/scope';
import type { Tensor } from '../core/tensor';
import type { MorphMlpConfig } from './config';

type Triple = readonly [number, number, number];

/** The stem: two convolutions, each followed by BatchNorm, a GELU between them. Divides height and width by 4 and a video's frames by 2. */
export class PatchEmbed extends Module {
  readonly proj1: Conv3d;
  readonly norm1: BatchNorm;
  readonly proj2: Conv3d;
  readonly norm2: BatchNorm;

  constructor(channels: number, kind: MorphMlpConfig['kind']) {
    super();
    const time = kind === 'video' ? { kernel: 3, stride: 2, padding: 1 } : { kernel: 1, stride: 1, padding: 0 };
    const half = Math.trunc(channels / 2);
    const first = { stride: [time.stride, 2, 2] as Triple, padding: [time.padding, 1, 1] as Triple };
    this.proj1 = new Conv3d(3, half, [time.kernel, 3, 3], { ...first, input: 'NCTHW' });
    this.norm1 = new BatchNorm(half);
    this.proj2 = new Conv3d(half, channels, [1, 3, 3], { stride: [1, 2, 2], padding: [0, 1, 1], input: 'NTHWC' });
    this.norm2 = new BatchNorm(channels);
  }

  /** @param x [B, 3, T, H, W] @returns [B, T', H/4, W/4, C] */
  forward(x: Tensor): Tensor {
    return scope(() => {
      const half = convNormed(this.proj1, this.norm1, x, { gelu: true });
      return convNormed(this.proj2, this.norm2, half);
    });
  }
}

/** Halves height and width between stages: convolution 1×3×3 with stride (1, 2, 2), then LayerNorm. */
export class Downsample extends Module {
  readonly proj: Conv3d;
  readonly norm: LayerNorm;

  constructor(inChannels: number, outChannels: number) {
    super();
    const options = { stride: [1, 2, 2] as Triple, padding: [0, 1, 1] as Triple, input: 'NTHWC' as const };
    this.proj = new Conv3d(inChannels, outChannels, [1, 3, 3], options);
    this.norm = new LayerNorm(outChannels);
  }

  /** @param x [B, T, H, W, C] @returns [B, T, H/2, W/2, C'] */
  forward(x: Tensor): Tensor {
    return scope(() => this.norm.forward(this.proj.forward(x)));
  }
}
