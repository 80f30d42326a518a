import { meanPool } from '../ops/mean_pool';
import type { WatchWeights } from '../ops/norm_spatial';
import { reshape } from '../ops/reshape';
import { reweight } from '../ops/reweight';
import { softmax } from '../ops/softmax';
import type { Linear } from '../nn/layers';
import { Module } from '../nn/module';
import { fullyConnected } from './fully_connected';
import type { Tensor } from '../core/tensor';

/** The FCs that weigh the branches: mean over all tokens → C/4 → GELU → n·C → softmax over the n branches (section 3.2). */
export class Reweight extends Module {
  readonly fc1: Linear;
  readonly fc2: Linear;

  constructor(
    private readonly channels: number,
    private readonly branches: number,
  ) {
    super();
    this.fc1 = fullyConnected(channels, channels / 4);
    this.fc2 = fullyConnected(channels / 4, channels * branches);
  }

  /** @param branches tensors [B, T, H, W, C] @param watch called with the weights; may replace them @returns the weighted sum */
  forward(branches: Tensor[], watch?: WatchWeights): Tensor {
    const mean = meanPool(branches);
    const scores = this.fc2.forward(this.fc1.forward(mean, { gelu: true }));
    const weights = softmax(reshape(scores, [mean.shape[0] as number, this.channels, this.branches]));
    return reweight(branches, watch?.(weights) ?? weights);
  }
}
