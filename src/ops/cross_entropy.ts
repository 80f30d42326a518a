import { record } from '../core/autograd';
import { kernels } from '../core/dispatch';
import { scope } from '../core/scope';
import { emptyLike, show, tensor, type Tensor } from '../core/tensor';
import { expectDims, expectF32, expectShape } from './check';

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

/** Cross entropy with hard labels. @param logits [B, classes] @param labels B class indices, i32 */
export function crossEntropy(logits: Tensor, labels: Tensor, { labelSmoothing = 0 } = {}): Tensor {
  if (labels.dtype !== 'i32') throw new Error(`crossEntropy: labels must be i32, got ${labels.dtype}`);
  expectDims('crossEntropy', 'logits', logits, 2, '[B, classes]');
  expectShape('crossEntropy', { labels }, [logits.shape[0] as number]);
  return scope(() =>
    softCrossEntropy(logits, oneHot(labels.data(), logits.shape[1] as number, labelSmoothing).to(logits.device)),
  );
}
