import { backward } from '../core/autograd';
import { dryRun } from '../core/dry_run';
import type { MorphMlpConfig } from '../models/config';
import type { Backbone } from '../models/morphmlp';
import { buildNetwork } from '../models/network';
import type { Precision } from '../core/native';
import { crossEntropy } from '../ops/cross_entropy';
import { AdamW, parameterGroups } from '../optim';
import { memory, resetPeakMemory } from '../core/runtime';
import { scope } from '../core/scope';
import { extraGradients, type Slices } from '../distributed/gradient_sum';
import { zeros } from '../core/tensor';
import { lossOf } from './loss';

/** Size and element type of a training step. */
export interface StepSize {
  batch: number;
  /** Side of the square frames. */
  crop: number;
  /** Element type of activations. Default f32. */
  precision?: Precision;
  /** The slices of a step, whose sums hold more gradients. Default one. */
  slices?: Slices;
}

/** Number of recomputed blocks, counted from the first, and the resulting peak of tensor memory in bytes. */
export interface MemoryPlan {
  recompute: number;
  peak: number;
  /** Peak without recomputation, in bytes. */
  full: number;
}

function step(model: Backbone, optimizer: AdamW, { batch, crop }: StepSize): void {
  const { kind, frames, task } = model.config;
  scope(() => {
    const x = zeros([batch, 3, kind === 'video' ? frames : 1, crop, crop]);
    const logits = model.forward(x);
    if (task === 'segment') backward(lossOf(logits, zeros([batch, crop, crop], { dtype: 'u8' })).loss);
    else backward(crossEntropy(logits, zeros([batch], { dtype: 'i32' })));
  });
  optimizer.step();
  optimizer.zeroGrad();
}

/**
 * Peak tensor memory of a training step in bytes for each number of recomputed blocks from 0 to all, by a
 * dry run. The kernels' own workspace (packed weights, sums of weight gradients: some tens of MiB) comes on top.
 */
export function predictPeaks(config: MorphMlpConfig, size: StepSize): number[] {
  return dryRun(() => {
    const model = buildNetwork(config).train() as Backbone;
    model.precision = size.precision ?? 'f32';
    const optimizer = new AdamW(parameterGroups(model.parameters(), 0.05));
    const blocks = config.layers.reduce((a, b) => a + b, 0);
    const parameters = model.parameters().reduce((sum, p) => sum + p.size, 0);
    const more = size.slices ? 4 * extraGradients(size.slices, parameters) : 0;
    return Array.from({ length: blocks + 1 }, (_, recompute) => {
      model.recompute = recompute;
      resetPeakMemory();
      step(model, optimizer, size);
      return memory().peak + more;
    });
  });
}

/**
 * The fewest recomputed blocks with which a training step fits `budget` bytes. The first blocks hold the most bytes per
 * multiply-add, so they are the cheapest to recompute.
 * @throws if no choice fits, with the least possible peak
 */
export function planMemory(config: MorphMlpConfig, size: StepSize, budget: number): MemoryPlan {
  const peaks = predictPeaks(config, size);
  const recompute = peaks.findIndex((peak) => peak <= budget);
  const mib = (bytes: number) => `${Math.ceil(bytes / 2 ** 20)} MiB`;
  if (recompute < 0)
    throw new Error(
      `a memory budget of ${mib(budget)} is too small: a step of ${size.batch} clips of ${size.crop}x${size.crop} needs at least ${mib(Math.min(...peaks))}`,
    );
  return { recompute, peak: peaks[recompute]!, full: peaks[0]! };
}
