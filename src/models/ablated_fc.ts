import { add } from '../ops/arithmetic';
import { morphFc, type MorphFcOptions } from '../ops/morph_fc';
import type { WatchWeights } from '../ops/norm_spatial';
import { Conv3d, type Linear } from '../nn/layers';
import { Module } from '../nn/module';
import type { Tensor } from '../core/tensor';
import { ablationOf, ablationWords, branchesOf, convolutionSide, groupScale, groupWindow } from './ablation';
import type { MorphMlpConfig } from './config';
import { fullyConnected } from './fully_connected';
import { Reweight } from './reweight';

/** Configuration of a block's spatial part. */
export type SpatialConfig = Pick<MorphMlpConfig, 'embedDims' | 'segmentDim' | 'qkvBias' | 'ablation'>;

/** A convolution of each frame with a window of rows and columns; the output has the frame's size. */
function frameConvolution(channels: number, [rows, columns]: readonly [number, number], groups: number): Conv3d {
  const before = [0, (rows - 1) >> 1, (columns - 1) >> 1] as const;
  const behind = [0, rows >> 1, columns >> 1] as const;
  const options = { stride: [1, 1, 1], padding: before, paddingBehind: behind, groups, input: 'NTHWC' } as const;
  return new Conv3d(channels, channels, [1, rows, columns], options);
}

/**
 * The spatial part with the switches of the paper's ablations (tables 8, 9 and 10), made of unfused ops. FCs have the names of the published
 * network; convolutions are called `conv`, or `conv_h` and `conv_w` in place of `mlp_h` and `mlp_w`. The published network does not use it.
 */
export class AblatedFc extends Module {
  readonly conv?: Conv3d;
  readonly mlp_h?: Linear;
  readonly mlp_w?: Linear;
  readonly conv_h?: Conv3d;
  readonly conv_w?: Conv3d;
  readonly mlp_c?: Linear;
  readonly reweight?: Reweight;
  readonly proj: Linear;
  /** Description of the differences from the published network. */
  readonly switches: string;
  private readonly branches: ((x: Tensor) => Tensor)[] = [];

  constructor(config: SpatialConfig, stage: 0 | 1 | 2 | 3) {
    super();
    this.switches = ablationWords(config).join(', ');
    const ablation = ablationOf(config);
    const [channels, bias] = [config.embedDims[stage], config.qkvBias];
    const side = convolutionSide(ablation);
    if (side !== null) this.conv = frameConvolution(channels, [side, side], 1);
    const branches = side === null ? branchesOf(ablation, stage) : [];
    for (const branch of branches) {
      if (branch === 'c') this.mlp_c = fullyConnected(channels, channels, { bias });
      else this.addSpatial(branch, config, stage);
    }
    const channel = this.mlp_c;
    if (channel) this.branches.push((x) => channel.forward(x));
    if (ablation.weighting === 'softmax' && branches.length > 1)
      this.reweight = new Reweight(channels, branches.length);
    this.proj = fullyConnected(channels, channels);
  }

  /** @param x [B, T, H, W, C] @param watch called with the branches' weights, if there are any @returns the shape of x */
  forward(x: Tensor, watch?: WatchWeights): Tensor {
    return this.proj.forward(this.conv ? this.conv.forward(x) : this.mixed(x, watch));
  }

  private mixed(x: Tensor, watch?: WatchWeights): Tensor {
    const outputs = this.branches.map((branch) => branch(x));
    return this.reweight ? this.reweight.forward(outputs, watch) : outputs.reduce((a, b) => add(a, b));
  }

  private addSpatial(branch: 'h' | 'w', config: SpatialConfig, stage: 0 | 1 | 2 | 3): void {
    const ablation = ablationOf(config);
    const [channels, chunk, scale] = [config.embedDims[stage], config.segmentDim[stage], groupScale(ablation, stage)];
    if (ablation.spatial === 'group_conv') {
      const conv = frameConvolution(channels, groupWindow(branch, chunk, stage), chunk);
      Object.assign(this, { [`conv_${branch}`]: conv });
      this.branches.push((x) => conv.forward(x));
      return;
    }
    const fc = fullyConnected(channels * scale, channels * scale, { bias: config.qkvBias });
    const at: MorphFcOptions = { axis: stage < 3 && branch === 'h' ? 'height' : 'width', chunk, groups: chunk / scale };
    if (stage === 3) at.order = 'strided'; // as in the published network, which also names it height
    Object.assign(this, { [`mlp_${branch}`]: fc });
    this.branches.push((x) => morphFc(x, fc.weight, fc.bias ?? null, at));
  }
}
