import type { Block } from '../models/morphmlp';
import type { BranchWeights, MixingPart } from './learned_types';
import { summarise } from './statistics';

/** A block's branches in the order of their weights. */
export const branchNames = ({ fc }: Block): MixingPart[] =>
  'mlp_w' in fc ? ['height', 'width', 'channel'] : ['height', 'channel'];

/** Accumulates the softmax weights of a block's branches over clips. */
export class WeightTally {
  private readonly names: MixingPart[];
  private readonly channels: number;
  /** Sums over clips, by channel and branch. */
  private readonly sums: Float64Array;
  /** Sums of squares over clips, by channel and branch. */
  private readonly squares: Float64Array;
  private clips = 0;

  constructor(block: Block) {
    this.names = branchNames(block);
    this.channels = block.fc.proj.inFeatures;
    this.sums = new Float64Array(this.channels * this.names.length);
    this.squares = new Float64Array(this.sums.length);
  }

  /** @param weights [B, C, branches] */
  add(weights: Float32Array): void {
    const { sums, squares } = this;
    for (let i = 0; i < weights.length; i++) {
      const weight = weights[i]!;
      sums[i % sums.length]! += weight;
      squares[i % sums.length]! += weight * weight;
    }
    this.clips += weights.length / sums.length;
  }

  /** One entry per branch; see `BranchWeights`. */
  result(): BranchWeights['branches'] {
    const means = this.sums.map((sum) => sum / this.clips);
    const lead = this.leaders(means);
    return this.names.map((branch, b) => {
      const own = means.filter((_, i) => i % this.names.length === b);
      const leading = lead.filter((leader) => leader === b).length / this.channels;
      return { branch, channels: summarise(own), clipDeviation: this.deviation(b), leading };
    });
  }

  /** For each channel the branch with the largest weight. */
  private leaders(means: Float64Array): number[] {
    const n = this.names.length;
    return Array.from({ length: this.channels }, (_, c) => {
      const own = means.subarray(c * n, (c + 1) * n);
      return own.indexOf(own.reduce((a, b) => Math.max(a, b)));
    });
  }

  private deviation(branch: number): number | null {
    const { clips, channels, sums, squares } = this;
    if (clips < 2) return null;
    let variance = 0;
    for (let i = branch; i < sums.length; i += this.names.length)
      variance += Math.max(0, squares[i]! - sums[i]! ** 2 / clips) / (clips - 1);
    return Math.sqrt(variance / channels);
  }
}
