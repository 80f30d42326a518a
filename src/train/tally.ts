import type { Clip } from '../data/types';
import { bestClass, crossEntropyOf, rankOf } from './metrics';
import type { SegmentSample } from './segment_samples';
import { probabilities } from './views';

/** A misclassified clip. */
export interface Mistake<C = Clip> {
  clip: C;
  predicted: number;
  probability: number;
}

/** Result of an evaluation. */
export interface Evaluation<C = Clip> {
  clips: number;
  /** Clips that could not be read and are in no figure. */
  missed: number;
  loss: number;
  /** Shares of clips in [0, 1]. */
  top1: number;
  top5: number;
  /** [true class][predicted class] */
  confusion: number[][];
  /** The mistakes with the highest predicted probability, at most 12. */
  mistakes: Mistake<C>[];
  /** Pictures of a segmentation with their masks; absent of clips. */
  samples?: SegmentSample[];
}

const MISTAKES = 12;

/** What the logits of a clip say about it. */
export interface Score {
  label: number;
  predicted: number;
  loss: number;
  /** Number of classes above the true one. */
  rank: number;
  /** Probability of `predicted`. */
  probability: number;
}

/** Scores the logits [classes] of a clip. */
export function scoreOf(logits: Float32Array, label: number): Score {
  const predicted = bestClass(logits, 0, logits.length);
  const probability = predicted === label ? 0 : probabilities(logits)[predicted]!;
  const rank = rankOf(logits, 0, logits.length, label);
  return { label, predicted, loss: crossEntropyOf(logits, label), rank, probability };
}

/** Accumulates loss, accuracy and confusion over clips. */
export class Tally<C = Clip> {
  private readonly found: Evaluation<C>;

  constructor(classes: number) {
    const confusion = Array.from({ length: classes }, () => new Array<number>(classes).fill(0));
    this.found = { clips: 0, missed: 0, loss: 0, top1: 0, top5: 0, confusion, mistakes: [] };
  }

  /** Counts clips that could not be read. */
  miss(clips: number): void {
    this.found.missed += clips;
  }

  /** Adds the logits [classes] of a clip. */
  add(logits: Float32Array, clip: C & { label: number }): void {
    this.count(scoreOf(logits, clip.label), clip);
  }

  /** Adds the score of a clip. */
  count({ label, predicted, loss, rank, probability }: Score, clip: C): void {
    const { found } = this;
    found.clips += 1;
    found.loss += loss;
    if (rank < 1) found.top1 += 1;
    if (rank < 5) found.top5 += 1;
    found.confusion[label]![predicted]! += 1;
    if (predicted !== label) this.note({ clip, predicted, probability });
  }

  /** Means and counts so far. */
  result(): Evaluation<C> {
    const { clips, loss, top1, top5 } = this.found;
    const n = Math.max(1, clips);
    return { ...this.found, loss: loss / n, top1: top1 / n, top5: top5 / n };
  }

  private note(mistake: Mistake<C>): void {
    this.found.mistakes.push(mistake);
    this.found.mistakes.sort((a, b) => b.probability - a.probability).splice(MISTAKES);
  }
}
