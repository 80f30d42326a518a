import type { Loader } from '../data/loader';
import type { Clip } from '../data/types';
import type { MorphMLP } from '../models/morphmlp';
import { bestClass, crossEntropyOf, rankOf } from './metrics';
import { forwardClips, probabilities } from './views';

/** A misclassified clip. */
export interface Mistake {
  clip: Clip;
  predicted: number;
  probability: number;
}

/** Result of an evaluation. */
export interface Evaluation {
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
  mistakes: Mistake[];
}

const MISTAKES = 12;

/** Accumulates loss, accuracy and confusion over clips. */
export class Tally {
  private readonly found: Evaluation;

  constructor(classes: number) {
    const confusion = Array.from({ length: classes }, () => new Array<number>(classes).fill(0));
    this.found = { clips: 0, missed: 0, loss: 0, top1: 0, top5: 0, confusion, mistakes: [] };
  }

  /** Counts clips that could not be read. */
  miss(clips: number): void {
    this.found.missed += clips;
  }

  /** Adds the logits [classes] of a clip. */
  add(logits: Float32Array, clip: Clip): void {
    const { found } = this;
    const rank = rankOf(logits, 0, logits.length, clip.label);
    found.clips += 1;
    found.loss += crossEntropyOf(logits, clip.label);
    if (rank < 1) found.top1 += 1;
    if (rank < 5) found.top5 += 1;
    const predicted = bestClass(logits, 0, logits.length);
    found.confusion[clip.label]![predicted]! += 1;
    if (predicted !== clip.label) this.note({ clip, predicted, probability: probabilities(logits)[predicted]! });
  }

  /** Means and counts so far. */
  result(): Evaluation {
    const { clips, loss, top1, top5 } = this.found;
    const n = Math.max(1, clips);
    return { ...this.found, loss: loss / n, top1: top1 / n, top5: top5 / n };
  }

  private note(mistake: Mistake): void {
    this.found.mistakes.push(mistake);
    this.found.mistakes.sort((a, b) => b.probability - a.probability).splice(MISTAKES);
  }
}

/** Evaluates a model on all clips of a loader, one view each, in evaluation mode; restores the mode afterwards. */
export async function evaluate(model: MorphMLP, loader: Loader, onBatch?: (done: number) => void): Promise<Evaluation> {
  const tally = new Tally(loader.dataset.classNames.length);
  const wasTraining = model.training;
  model.eval();
  try {
    for await (const { index, clips } of loader.clips(0)) {
      const logits = forwardClips(model, clips, loader.normalisation);
      const classes = logits.length / clips.length;
      clips.forEach((clip, row) => tally.add(logits.subarray(row * classes, (row + 1) * classes), clip));
      onBatch?.(index + 1);
    }
  } finally {
    model.train(wasTraining);
  }
  const { clips } = tally.result();
  tally.miss(loader.dataset.length - clips);
  return tally.result();
}
