import { IGNORED } from '../data/types';

/** Running sums over the clips of an epoch. Of a segmentation, `top1` sums the shares of right pixels, and `top5` is not used. */
export interface Metrics {
  clips: number;
  loss: number;
  top1: number;
  top5: number;
}

/** Sums over zero clips. */
export const emptyMetrics = (): Metrics => ({ clips: 0, loss: 0, top1: 0, top5: 0 });

/** Number of scores of a row above that of `label`; NaN ranks last. */
export function rankOf(scores: ArrayLike<number>, row: number, classes: number, label: number): number {
  const own = scores[row * classes + label] as number;
  let above = 0;
  for (let c = 0; c < classes; c++) if (c !== label && !((scores[row * classes + c] as number) <= own)) above++;
  return above;
}

/** Class with the highest score of a row. */
export function bestClass(scores: ArrayLike<number>, row: number, classes: number): number {
  let best = 0;
  for (let c = 1; c < classes; c++)
    if ((scores[row * classes + c] as number) > (scores[row * classes + best] as number)) best = c;
  return best;
}

/** Adds a batch: its mean loss and its scores [B, classes]. */
export function addBatch(into: Metrics, loss: number, scores: Float32Array, labels: Int32Array): void {
  const classes = scores.length / labels.length;
  into.clips += labels.length;
  into.loss += loss * labels.length;
  labels.forEach((label, row) => {
    const rank = rankOf(scores, row, classes, label);
    if (rank < 1) into.top1 += 1;
    if (rank < 5) into.top5 += 1;
  });
}

/** Adds a batch of masks: its mean loss, and the predicted and the true classes of its pixels. */
export function addMasks(
  into: Metrics,
  loss: number,
  predicted: Uint8Array,
  masks: Uint8Array,
  pictures: number,
): void {
  let [right, labelled] = [0, 0];
  for (let i = 0; i < masks.length; i++) {
    if (masks[i] === IGNORED) continue;
    labelled++;
    if (masks[i] === predicted[i]) right++;
  }
  into.clips += pictures;
  into.loss += loss * pictures;
  into.top1 += labelled > 0 ? (right / labelled) * pictures : 0;
}

/** Adds sums over other clips. */
export function addMetrics(into: Metrics, { clips, loss, top1, top5 }: Metrics): void {
  into.clips += clips;
  into.loss += loss;
  into.top1 += top1;
  into.top5 += top5;
}

/** Mean loss, and accuracies in [0, 1]. */
export function averages({ clips, loss, top1, top5 }: Metrics): { loss: number; top1: number; top5: number } {
  const n = Math.max(1, clips);
  return { loss: loss / n, top1: top1 / n, top5: top5 / n };
}

/** −log of the probability that logits give to a class, in float64. */
export function crossEntropyOf(logits: Float32Array, label: number): number {
  const top = logits.reduce((a, b) => Math.max(a, b), -Infinity);
  const sum = logits.reduce((total, x) => total + Math.exp(x - top), 0);
  return Math.log(sum) + top - logits[label]!;
}
