import { GradientSum, type Slices } from '../distributed/gradient_sum';
import type { Ranks } from '../distributed/ranks';
import { RunningStatistics, updatingStatistics } from '../distributed/running_statistics';
import type { Tensor } from '../core/tensor';
import type { Backbone } from '../models/morphmlp';
import { SyncNorm, type NormTensors } from '../distributed/sync_norm';
import { SliceRandom, wordsOfForward } from './slice_random';

/** How steps are divided into slices. */
export interface Slicing {
  slices: Slices;
  ranks: Ranks;
  /** Clips of a full slice. */
  clips: number;
  /** Sum gradients by plain all-reduce. Default false. */
  fast?: boolean;
  /** Compute the batch statistics of norms over the slices of all ranks. Default false. */
  syncNorm?: boolean;
}

/** The norms of a network, by the names of their tensors, which come in the order of the forward. */
function normsOf(model: Backbone): NormTensors[] {
  const named = new Map(model.namedTensors());
  return [...named].flatMap(([name, mean]) => {
    const of = (other: string): Tensor => named.get(name.replace(/running_mean$/, other))!;
    return name.endsWith('running_mean') ? [{ weight: of('weight'), mean, variance: of('running_var') }] : [];
  });
}

/** What a step of several slices does besides the forward and backward of each. */
export class SlicedStep {
  readonly sum: GradientSum;
  /** Statistics that ranks exchange; null for a process on its own, which updates them at once. */
  readonly statistics: RunningStatistics | null;
  /** Norms over all ranks; null where each slice has its own statistics. */
  private readonly norms: SyncNorm | null;
  private readonly random: SliceRandom;
  private hasClips = false;

  constructor(model: Backbone, { slices, ranks, clips, fast, syncNorm = false }: Slicing) {
    this.sum = new GradientSum(model.parameters(), slices, ranks, fast, syncNorm);
    const buffers = () => model.namedBuffers().map(([, t]) => t);
    this.norms = syncNorm ? new SyncNorm(normsOf(model), ranks) : null;
    this.statistics = ranks.size === 1 || syncNorm ? null : new RunningStatistics(buffers());
    this.random = new SliceRandom(slices.total, () => wordsOfForward(model, clips));
  }

  /** Sets the random state of a slice. */
  begin(slice: number): void {
    this.random.begin(slice);
  }

  /** Runs the forward of a slice. Batch statistics that ranks exchange are written to the array that is also returned. */
  forward<T>(body: () => T): [result: T, statistics: Float64Array | null] {
    if (this.norms) return [body(), null];
    if (!this.statistics) return [updatingStatistics(body), null];
    const into = new Float64Array(this.statistics.length);
    return [this.statistics.collect(into, body), into];
  }

  /** Runs forward and backward of a slice. */
  run<T>(body: () => T): T {
    this.hasClips = true;
    return this.norms ? this.norms.run(body) : body();
  }

  /** Completes the sum of gradients, and sets the random state after the step. */
  finish(): void {
    if (!this.hasClips) this.norms?.skip();
    this.hasClips = false;
    this.sum.finish();
    this.random.finish();
  }
}

/** What a step is divided into; null where it is a single slice of one process. */
export function slicedStep(model: Backbone, slicing: Slicing | null): SlicedStep | null {
  return slicing && slicing.slices.total > 1 ? new SlicedStep(model, slicing) : null;
}
