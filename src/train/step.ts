/** Computation of a training step: gradients of each batch, the norm of their sum, and the new weights. */
import { backward } from '../core/autograd';
import type { MorphMLP } from '../models/morphmlp';
import { clipInput, clipSettings } from '../ops/clip_input';
import { softCrossEntropy } from '../ops/cross_entropy';
import { gradNorm, scaleGradients, type MovingAverage, type Optimizer } from '../optim';
import { scope } from '../core/scope';
import { tensor, type Tensor } from '../core/tensor';
import type { ClipInput } from './input';

/** Model, optimizer and average that a step updates. */
export interface StepParts {
  model: MorphMLP;
  optimizer: Optimizer;
  average?: MovingAverage | null;
}

/** Input of a step for one batch. */
export interface StepInputs {
  clips: ClipInput;
  /** f32 [B, classes] */
  targets: Float32Array;
  /** Weight of the batch in the sum of gradients. */
  weight: number;
}

/** Results of a batch. */
export interface Outcome {
  loss: number;
  logits: Float32Array;
  /** Milliseconds of the forward; null if it is not measured apart from the backward. */
  forwardMs: number | null;
}

/** Implementation of steps: `gradients` for each batch, `norm` if needed, then `update`. */
export interface StepRunner {
  /** Adds the gradients of a batch to those of the step's earlier batches. */
  gradients(inputs: StepInputs): Outcome;
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
  const { pixels, shape, ...settings } = clips;
  const rows = [shape[0], targets.length / shape[0]];
  return {
    pixels: tensor(pixels, shape),
    settings: tensor(clipSettings(settings)),
    targets: tensor(targets, rows),
    weight: tensor(Float32Array.of(weight), []),
  };
}

/** The network's input from a batch on the device. */
export function stepInput(model: MorphMLP, { pixels, settings }: StepTensors): Tensor {
  return clipInput(pixels, settings, model.precision);
}

/** Steps with individual kernel launches. */
export class LaunchedSteps implements StepRunner {
  constructor(private readonly parts: StepParts) {}

  gradients(inputs: StepInputs): Outcome {
    const start = performance.now();
    return scope(() => {
      const batch = stepTensors(inputs);
      const logits = this.parts.model.forward(stepInput(this.parts.model, batch));
      const loss = softCrossEntropy(logits, batch.targets);
      const outcome = { loss: loss.item(), logits: logits.floats(), forwardMs: performance.now() - start };
      backward(loss, batch.weight);
      return outcome;
    });
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
    this.gradients(inputs);
  }

  dispose(): void {
    // The gradients are the parameters'.
  }
}
