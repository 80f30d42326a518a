/** Computation of a training step: gradients of each batch, the norm of their sum, and the new weights. */
import { backward } from '../core/autograd';
import type { Backbone } from '../models/morphmlp';
import { clipInput, clipSettings } from '../ops/clip_input';
import { gradNorm, scaleGradients, type MovingAverage, type Optimizer } from '../optim';
import type { RunningStatistics } from '../distributed/running_statistics';
import { scope } from '../core/scope';
import { tensor, type Tensor } from '../core/tensor';
import type { ClipInput } from './input';
import { isMasks, lossOf, type Targets } from './loss';
import { slicedStep, type SlicedStep, type Slicing } from './sliced_step';

/** Model, optimizer and average that a step updates. */
export interface StepParts {
  model: Backbone;
  optimizer: Optimizer;
  average?: MovingAverage | null;
}

/** Input of a step for one batch. */
export interface StepInputs {
  clips: ClipInput;
  targets: Targets;
  /** Weight of the batch in the sum of gradients. */
  weight: number;
}

/** Results of a batch. */
export interface Outcome {
  loss: number;
  /** Logits of the clips, or predicted classes of the pixels. */
  scores: Float32Array | Uint8Array;
  /** Milliseconds of the forward; null if it is not measured apart from the backward. */
  forwardMs: number | null;
  /** Batch statistics for `StepRunner.statistics`; absent where they are not exchanged. */
  statistics?: Float64Array | null;
}

/** Implementation of steps: `gradients` for each slice, `finish`, `norm` if needed, then `update`. */
export interface StepRunner {
  /** Running statistics that are exchanged between ranks; absent or null where they are updated at once. */
  readonly statistics?: RunningStatistics | null;
  /** Computes the gradients of a slice of the step. Slices come in order; one of which nothing was read is left out. */
  gradients(inputs: StepInputs, slice: number): Outcome;
  /** Completes the sum of gradients over the slices of all ranks. */
  finish(): void;
  /** The norm of the gradients so far. */
  norm(): number;
  /** Takes the optimizer's step on the gradients, scaled by `factor` if it is below 1, and frees them. */
  update(factor: number): void;
  /** Recomputes a batch op by op, so that anomaly detection finds the first NaN. */
  again(inputs: StepInputs): void;
  dispose(): void;
}

/** Tensors of a batch on the device; pixels and settings are arguments of `clipInput`. */
export interface StepTensors {
  pixels: Tensor;
  settings: Tensor;
  targets: Tensor;
  weight: Tensor;
}

/** Copies a batch to the device. */
export function stepTensors({ clips, targets, weight }: StepInputs): StepTensors {
  const { pixels, shape, normalisation, mix = null } = clips;
  const rows = isMasks(targets) ? [shape[0], shape[2], shape[3]] : [shape[0], targets.length / shape[0]];
  return {
    pixels: tensor(pixels, shape),
    settings: tensor(clipSettings({ normalisation, mix })),
    targets: tensor(targets, rows),
    weight: tensor(Float32Array.of(weight), []),
  };
}

/** The network's input from a batch on the device. */
export function stepInput(model: Backbone, { pixels, settings }: StepTensors): Tensor {
  return clipInput(pixels, settings, model.precision);
}

/** Steps with individual kernel launches. */
export class LaunchedSteps implements StepRunner {
  private readonly sliced: SlicedStep | null;

  /** @param slicing of steps; null for one slice a step, or gradients that are added up as they come */
  constructor(
    private readonly parts: StepParts,
    slicing: Slicing | null = null,
  ) {
    this.sliced = slicedStep(parts.model, slicing);
  }

  get statistics(): RunningStatistics | null {
    return this.sliced?.statistics ?? null;
  }

  gradients(inputs: StepInputs, slice: number): Outcome {
    const { sliced } = this;
    const start = performance.now();
    sliced?.begin(slice);
    const body = () => this.slice(inputs, slice, start);
    return sliced ? sliced.run(body) : body();
  }

  private slice(inputs: StepInputs, slice: number, start: number): Outcome {
    const { sliced } = this;
    return scope(() => {
      const batch = stepTensors(inputs);
      const forward = () => this.parts.model.forward(stepInput(this.parts.model, batch));
      const [logits, statistics] = sliced ? sliced.forward(forward) : [forward(), null];
      const { loss, scores } = lossOf(logits, batch.targets);
      const found = { loss: loss.item(), scores: scores.data() as Outcome['scores'] };
      const outcome = { ...found, forwardMs: performance.now() - start, statistics };
      if (sliced) sliced.sum.collect(slice, () => backward(loss, batch.weight));
      else backward(loss, batch.weight);
      return outcome;
    });
  }

  finish(): void {
    this.sliced?.finish();
  }

  norm(): number {
    return gradNorm(this.parts.model.parameters());
  }

  update(factor: number): void {
    const { model, optimizer, average } = this.parts;
    if (factor < 1) scaleGradients(model.parameters(), factor);
    optimizer.step();
    optimizer.zeroGrad();
    average?.update();
  }

  again(inputs: StepInputs): void {
    scope(() => {
      const batch = stepTensors(inputs);
      const logits = this.parts.model.forward(stepInput(this.parts.model, batch));
      backward(lossOf(logits, batch.targets).loss, batch.weight);
    });
  }

  dispose(): void {
    this.sliced?.sum.dispose(); // the other gradients are the parameters'
  }
}
