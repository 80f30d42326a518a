/** Measures training steps of this process, alone and among its ranks. */
import { withLeafGradients } from '../../core/autograd';
import { native } from '../../core/native';
import type { Tensor } from '../../core/tensor';
import { slicesOf } from '../../distributed/gradient_sum';
import { ALONE, type Ranks } from '../../distributed/ranks';
import type { MorphMLP } from '../../models/morphmlp';
import { AdamW, parameterGroups } from '../../optim';
import { LaunchedSteps, type StepInputs } from '../../train/step';
import { median } from '../statistics';
import type { Arrival, MeasuredStep } from './predict';

/** Sizes of a step. */
export interface StepShape {
  batchSize: number;
  microBatch: number;
  crop: number;
  steps: number;
}

/** Steps among ranks: medians of milliseconds, and the rate at which this rank sends gradients. */
export interface SharedSteps {
  stepMs: number;
  waitedMs: number;
  /** Bytes that a rank sends in a step, and milliseconds in which sums were under way. */
  bytes: number;
  busyMs: number;
}

function inputsOf(model: MorphMLP, { batchSize, microBatch, crop }: StepShape): StepInputs {
  const { kind, frames, numClasses } = model.config;
  const shape = [microBatch, kind === 'video' ? frames : 1, crop, crop, 3] as const;
  const pixels = new Uint8Array(shape.reduce((a, b) => a * b, 1)).map((_, i) => (i * 2654435761) >>> 24);
  const normalisation = { mean: [0.45, 0.45, 0.45], std: [0.225, 0.225, 0.225] } as const;
  const targets = new Float32Array(microBatch * numClasses).fill(1 / numClasses);
  return { clips: { pixels, shape, normalisation, mix: null }, targets, weight: microBatch / batchSize };
}

const optimizerOf = (model: MorphMLP): AdamW => new AdamW(parameterGroups(model.parameters(), 0.05), { lr: 1e-5 });

/** Times steps without the first, which allocates. */
function timed(steps: number, body: () => void): number[] {
  body();
  return Array.from({ length: steps }, () => {
    const since = performance.now();
    body();
    return performance.now() - since;
  });
}

/** Measures the step of a rank, with `slices` slices, as a process on its own, and when its gradients are ready. */
export function measureStep(model: MorphMLP, shape: StepShape, slices: number): MeasuredStep {
  const optimizer = optimizerOf(model);
  const inputs = inputsOf(model, shape);
  const slicing = { slices: slicesOf(slices, ALONE), ranks: ALONE, clips: shape.microBatch };
  const runner = new LaunchedSteps({ model, optimizer }, slicing);
  const after: number[] = [];
  const all = timed(shape.steps, () => {
    for (let slice = 0; slice < slices; slice++) runner.gradients(inputs, slice);
    runner.finish();
    const since = performance.now();
    runner.norm();
    runner.update(1);
    after.push(performance.now() - since);
  });
  const plain = new LaunchedSteps({ model, optimizer });
  const arrivals: Arrival[] = [];
  let start = 0;
  const noteArrival = (leaf: Tensor) => void arrivals.push({ ms: performance.now() - start, bytes: 4 * leaf.size });
  start = performance.now();
  const { forwardMs } = withLeafGradients(noteArrival, () => plain.gradients(inputs, 0));
  const backwardMs = performance.now() - start - forwardMs!;
  for (const arrival of arrivals) arrival.ms -= forwardMs!;
  optimizer.zeroGrad();
  runner.dispose();
  optimizer.dispose();
  return { stepMs: median(all), backwardMs, afterMs: median(after), arrivals };
}

/** Measures steps that the ranks take together. */
export function measureShared(model: MorphMLP, shape: StepShape, ranks: Ranks, fast: boolean): SharedSteps {
  const optimizer = optimizerOf(model);
  const inputs = inputsOf(model, shape);
  const slices = slicesOf(shape.batchSize / shape.microBatch, ranks);
  const runner = new LaunchedSteps({ model, optimizer }, { slices, ranks, clips: shape.microBatch, fast });
  const waits: number[] = [];
  const all = timed(shape.steps, () => {
    const before = ranks.waited;
    for (let i = 0; i < slices.count; i++) runner.gradients(inputs, slices.first + i);
    runner.finish();
    runner.norm();
    runner.update(1);
    waits.push(ranks.waited - before);
  });
  const { bytes, seconds } = native.commTraffic();
  runner.dispose();
  optimizer.dispose();
  const taken = shape.steps + 1;
  return {
    stepMs: median(all),
    waitedMs: median(waits.slice(1)),
    bytes: bytes / taken,
    busyMs: (1000 * seconds) / taken,
  };
}
