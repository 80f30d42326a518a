import { record } from '../core/autograd';
import { kernels } from '../core/dispatch';
import { expectOptions } from '../core/options';
import { scope } from '../core/scope';
import { emptyLike, show, tensor, type Tensor } from '../core/tensor';
import { mul } from './arithmetic';
import { cast } from './cast';
import { expectDims, expectF32, expectShape } from './check';
import type { LossOptions } from './losses';
import { neg } from './pointwise';
import { sum } from './reduce';
import { logSoftmax } from './softmax';

/**
 * Cross entropy with soft targets, the mean over the batch of −Σ target · log softmax(logits).
 * @param logits [B, classes]
 * @param targets [B, classes]; rows usually sum to 1. No gradient flows to them.
 * @returns a scalar, shape []
 */
export function softCrossEntropy(logits: Tensor, targets: Tensor): Tensor {
  expectF32('softCrossEntropy', { logits, targets });
  expectDims('softCrossEntropy', 'logits', logits, 2, '[B, classes]');
  if (logits.size === 0) throw new Error(`softCrossEntropy: logits are empty, shape ${show(logits.shape)}`);
  expectShape('softCrossEntropy', { targets }, logits.shape);
  if (targets.requiresGrad)
    throw new Error('softCrossEntropy: targets have no gradient, but require one: detach() them');
  const [rows, classes] = logits.shape as readonly [number, number];
  const [loss, probabilities] = [emptyLike(logits, []), emptyLike(logits)];
  kernels.crossEntropyForward({ rows, classes, logits, targets, loss, probabilities });
  return record({
    op: 'softCrossEntropy',
    inputs: [logits],
    output: loss,
    saved: { targets: targets.detach(), probabilities },
    backward: (dloss, { targets, probabilities }) => {
      const dlogits = emptyLike(probabilities);
      kernels.crossEntropyBackward({ rows, classes, targets, probabilities, dloss, dlogits });
      return [dlogits];
    },
  });
}

/**
 * Soft targets of class indices: 1 − s + s/classes for the label and s/classes elsewhere, with label smoothing s.
 * @returns rows of `classes` numbers
 */
export function labelTargets(labels: ArrayLike<number>, classes: number, labelSmoothing = 0): Float32Array {
  if (!Number.isInteger(classes) || classes < 1)
    throw new Error(`crossEntropy: expected 1 class or more, got ${classes}`);
  if (!(labelSmoothing >= 0 && labelSmoothing <= 1))
    throw new Error(`crossEntropy: labelSmoothing must be in [0, 1], got ${labelSmoothing}`);
  const targets = new Float32Array(labels.length * classes).fill(labelSmoothing / classes);
  for (let i = 0; i < labels.length; i++) {
    const label = labels[i] as number;
    if (!Number.isInteger(label) || label < 0 || label >= classes) {
      throw new Error(`crossEntropy: label ${label} at position ${i} is outside 0 to ${classes - 1}`);
    }
    targets[i * classes + label]! += 1 - labelSmoothing;
  }
  return targets;
}

/**
 * Soft targets times the weight of their class, for `softCrossEntropy`: the loss of a clip of class c is weights[c] times its
 * own. With weights whose mean over all clips is 1, losses keep their size.
 * @param targets rows of `weights.length` numbers
 */
export function weighTargets(targets: Float32Array, weights: Float32Array): Float32Array {
  return targets.map((target, i) => target * weights[i % weights.length]!);
}

/** `labelTargets` as a tensor, [B, classes] f32. */
export function oneHot(labels: ArrayLike<number>, classes: number, labelSmoothing = 0): Tensor {
  return tensor(labelTargets(labels, classes, labelSmoothing), [labels.length, classes]);
}

/** Options of `crossEntropy`, with PyTorch's meaning. */
export interface CrossEntropyOptions extends LossOptions {
  /** Share of the target spread over all classes, from 0 to 1. */
  labelSmoothing?: number;
  /** [classes], the factor of each class's loss. A mean is divided by the weights of its labels. */
  weight?: Tensor;
  /** Labels of this value have no loss and do not count in a mean; default -100. */
  ignoreIndex?: number;
}

/** Soft targets in which a label has the weight of its class and an ignored label nothing, and the sum of the labels' weights. */
function weightedTargets(
  labels: ArrayLike<number>,
  classes: number,
  { labelSmoothing = 0, weight, ignoreIndex = -100 }: CrossEntropyOptions,
): { targets: Float32Array; total: number } {
  const known = Array.from(labels, (label) => (label === ignoreIndex ? 0 : label));
  const soft = labelTargets(known, classes, labelSmoothing);
  const weights = weight?.floats() ?? new Float32Array(classes).fill(1);
  const counted = Float64Array.from(labels, (label, i) => (label === ignoreIndex ? 0 : weights[known[i]!]!));
  const targets = soft.map((t, i) => (labels[Math.floor(i / classes)] === ignoreIndex ? 0 : t * weights[i % classes]!));
  return { targets, total: counted.reduce((a, b) => a + b, 0) };
}

/**
 * Cross entropy with hard labels.
 * @param logits [B, classes], f32 or bf16; the loss is f32
 * @param labels B class indices, i32
 * @returns a scalar, or [B] with the reduction `none`; a mean is NaN where all labels are ignored, as in PyTorch
 */
export function crossEntropy(logits: Tensor, labels: Tensor, options: CrossEntropyOptions = {}): Tensor {
  expectOptions('crossEntropy', options, { labelSmoothing: true, weight: true, ignoreIndex: true, reduction: true });
  if (labels.dtype !== 'i32') throw new Error(`crossEntropy: labels must be i32, got ${labels.dtype}`);
  expectDims('crossEntropy', 'logits', logits, 2, '[B, classes]');
  const [rows, classes] = logits.shape as readonly [number, number];
  expectShape('crossEntropy', { labels }, [rows]);
  const { weight = null, reduction = 'mean' } = options;
  expectF32('crossEntropy', { weight });
  expectShape('crossEntropy', { weight }, [classes]);
  const { targets, total } = weightedTargets(labels.data(), classes, options);
  return scope(() => {
    const scores = cast(logits, 'f32');
    const soft = (factor: number) =>
      tensor(factor === 1 ? targets : targets.map((t) => t * factor), logits.shape, { device: logits.device });
    if (reduction === 'none') return neg(sum(mul(soft(1), logSoftmax(scores)), -1));
    if (reduction === 'sum') return softCrossEntropy(scores, soft(rows));
    if (reduction === 'mean') return softCrossEntropy(scores, soft(rows / total));
    throw new Error(`crossEntropy: reduction must be mean, sum or none, got ${String(reduction)}`);
  });
}
