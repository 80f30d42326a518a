/**
 * Semantic segmentation (section 4.3): the stages of MorphMLP as the backbone of Semantic FPN (Kirillov et al., "Panoptic Feature
 * Pyramid Networks", CVPR 2019), as the paper trains them on ADE20K. Its code is not public: widths, norms and dropout are those of
 * the implementation that the papers on such backbones share.
 */
import { scope } from '../core/scope';
import type { Tensor } from '../core/tensor';
import { BatchNorm, Conv3d, convNormed, Linear } from '../nn/layers';
import { ModuleList } from '../nn/containers';
import { Module } from '../nn/module';
import { add, mul } from '../ops/arithmetic';
import { cast, castLike } from '../ops/cast';
import { dropFactors } from '../ops/dropout';
import { relu } from '../ops/pointwise';
import { reshape } from '../ops/reshape';
import { resize, type ResizeMode } from '../ops/resize';
import { FPN_WIDTHS, type MorphMlpConfig } from './config';
import { Backbone } from './morphmlp';

/** The published dropout of the head. */
const DROPOUT = 0.1;

type Size = readonly [height: number, width: number];

const sizeOf = (x: Tensor): Size => [x.shape[2]!, x.shape[3]!];

/** Tokens [B, 1, H, W, C] at another size. */
function resized(x: Tensor, size: Size, mode: ResizeMode): Tensor {
  const [batch, , height, width, channels] = x.shape as [number, number, number, number, number];
  const y = resize(reshape(x, [batch, height, width, channels]), size, mode);
  return reshape(y, [batch, 1, ...size, channels]);
}

const convolution = (inside: number, out: number): Conv3d =>
  new Conv3d(inside, out, [1, 3, 3], { stride: [1, 1, 1], padding: [0, 1, 1], input: 'NTHWC' });

/** Feature pyramid: each stage to the same width, plus the coarser levels from the top down, then smoothed. */
export class FeaturePyramid extends Module {
  readonly lateral: Linear[];
  readonly output: Conv3d[];

  constructor(channels: readonly number[], width: number) {
    super();
    this.lateral = channels.map((c) => new Linear(c, width));
    this.output = channels.map(() => convolution(width, width));
  }

  /** @param stages tokens [B, 1, H, W, C] from fine to coarse @returns the same sizes, of the pyramid's width */
  forward(stages: readonly Tensor[]): Tensor[] {
    const levels = stages.map((x, i) => this.lateral[i]!.forward(x));
    for (let i = levels.length - 2; i >= 0; i--)
      levels[i] = add(levels[i]!, resized(levels[i + 1]!, sizeOf(levels[i]!), 'nearest'));
    return levels.map((x, i) => this.output[i]!.forward(x));
  }
}

/** A 3×3 convolution with BatchNorm and ReLU. */
export class ConvNormRelu extends Module {
  readonly conv: Conv3d;
  readonly norm: BatchNorm;

  constructor(inside: number, out: number) {
    super();
    this.conv = convolution(inside, out);
    this.norm = new BatchNorm(out);
  }

  /** @param x [B, 1, H, W, C] @returns [B, 1, H, W, C'] */
  forward(x: Tensor): Tensor {
    return relu(convNormed(this.conv, this.norm, x));
  }
}

/** The head: each level is brought to the finest by convolutions and bilinear doubling, and their sum classified. */
export class SemanticHead extends Module {
  /** One convolution for the finest level, and for each other one a step of doubling. */
  readonly levels: ModuleList<ConvNormRelu>[];
  readonly predict: Linear;
  /** Probability that a channel of the sum is dropped in training. */
  dropout = DROPOUT;

  constructor(levels: number, inside: number, width: number, classes: number) {
    super();
    const convs = (count: number) =>
      Array.from({ length: count }, (_, step) => new ConvNormRelu(step === 0 ? inside : width, width));
    this.levels = Array.from({ length: levels }, (_, level) => new ModuleList(convs(Math.max(1, level))));
    this.predict = new Linear(width, classes);
  }

  /** @param pyramid [B, 1, H, W, C] from fine to coarse @returns logits f32 [B, H, W, classes] of the finest size */
  forward(pyramid: readonly Tensor[]): Tensor {
    const sizes = pyramid.map(sizeOf);
    const raised = pyramid.map((x, level) =>
      [...this.levels[level]!].reduce((y, part, step) => {
        const z = part.forward(y);
        return level === 0 ? z : resized(z, sizes[level - step - 1]!, 'bilinear');
      }, x),
    );
    const features = this.dropped(raised.reduce((sum, x) => add(sum, x)));
    const [batch, , height, width, channels] = features.shape as [number, number, number, number, number];
    return this.predict.forward(cast(reshape(features, [batch, height, width, channels]), 'f32'));
  }

  /** Drops whole channels, so that what is drawn does not depend on the size. */
  private dropped(x: Tensor): Tensor {
    if (!this.training || this.dropout === 0) return x;
    const [batch, channels] = [x.shape[0]!, x.shape[4]!];
    return mul(x, castLike(reshape(dropFactors(batch * channels, this.dropout, x), [batch, 1, 1, 1, channels]), x));
  }
}

/**
 * Semantic FPN on the stages of a MorphMLP for images. Its logits have a quarter of the picture's height and width (rounded up):
 * `pixelCrossEntropy` and `segmentPictures` resize them to the picture as they read them.
 * @throws in the constructor if the configuration is invalid, or of a video model
 */
export class SemanticFpn extends Backbone {
  readonly neck: FeaturePyramid;
  readonly head: SemanticHead;

  constructor(config: MorphMlpConfig) {
    super(config);
    this.neck = new FeaturePyramid(config.embedDims, FPN_WIDTHS.pyramid);
    this.head = new SemanticHead(4, FPN_WIDTHS.pyramid, FPN_WIDTHS.head, config.numClasses);
    this.nameTensors();
  }

  protected override isHead(name: string): boolean {
    return name === 'head' || name === 'neck';
  }

  /**
   * @param x [B, 3, 1, H, W] or [B, 3, H, W]; any H and W of at least 32
   * @returns logits f32 [B, ceil(H / 4), ceil(W / 4), classes]
   */
  forward(x: Tensor): Tensor {
    return scope(() => {
      const stages: Tensor[] = [];
      this.tokens(this.input(x), undefined, stages);
      return this.head.forward(this.neck.forward(stages));
    });
  }
}
