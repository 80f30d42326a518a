import { GradientSum, type Slices } from '../distributed/gradient_sum';
import type { Ranks } from '../distributed/ranks';
import { RunningStatistics, updatingStatistics } from '../distributed/running_statistics';
import type { MorphMLP } from '../models/morphmlp';
import { SliceRandom, wordsOfForward } from './slice_random';

/** How steps are divided into slices. */
export interface Slicing {
  slices: Slices;
  ranks: Ranks;
  /** Clips of a full slice. */
  clips: number;
  /** Sum gradients by plain all-reduce. Default false. */
  fast?: boolean;
}

/** What a step of several slices does besides the forward and backward of each. */
export class SlicedStep {
  readonly sum: GradientSum;
  /** Statistics that ranks exchange; null for a process on its own, which updates them at once. */
  readonly statistics: RunningStatistics | null;
  private readonly random: SliceRandom;

  constructor(model: MorphMLP, { slices, ranks, clips, fast }: Slicing) {
    this.sum = new GradientSum(model.parameters(), slices, ranks, fast);
    const buffers = () => model.namedBuffers().map(([, t]) => t);
    this.statistics = ranks.size === 1 ? null : new RunningStatistics(buffers());
    this.random = new SliceRandom(slices.total, () => wordsOfForward(model, clips));
  }

  /** Sets the random state of a slice. */
  begin(slice: number): void {
    this.random.begin(slice);
  }

  /** Runs the forward of a slice. Batch statistics that ranks exchange are written to the array that is also returned. */
  forward<T>(body: () => T): [result: T, statistics: Float64Array | null] {
    if (!this.statistics) return [updatingStatistics(body), null];
    const into = new Float64Array(this.statistics.length);
    return [this.statistics.collect(into, body), into];
  }

  /** Sets the random state after the step. */
  end(): void {
    this.random.finish();
  }
}

/** What a step is divided into; null where it is a single slice of one process. */
export function slicedStep(model: MorphMLP, slicing: Slicing | null): SlicedStep | null {
  return slicing && slicing.slices.total > 1 ? new SlicedStep(model, slicing) : null;
}
