import { noGrad } from '../autograd';
import type { Loader } from '../data/loader';
import type { Batch, Clip } from '../data/types';
import type { MorphMLP } from '../models/morphmlp';
import { crossEntropy } from '../ops/cross_entropy';
import { softmax } from '../ops/softmax';
import { scope } from '../scope';
import { tensor } from '../tensor';
import { addBatch, averages, bestClass, emptyMetrics } from './metrics';

/** A clip that was taken for another class. */
export interface Mistake {
  clip: Clip;
  predicted: number;
  probability: number;
}

/** What an evaluation finds. */
export interface Evaluation {
  clips: number;
  loss: number;
  /** Shares of clips in [0, 1]. */
  top1: number;
  top5: number;
  /** [true class][predicted class] */
  confusion: number[][];
  /** The surest mistakes, at most 12. */
  mistakes: Mistake[];
}

const MISTAKES = 12;

function inputOf(batch: Batch) {
  return tensor(batch.x, batch.shape);
}

/** Loss and class probabilities of a batch, without graph. */
export function score(
  model: MorphMLP,
  batch: Batch,
): { loss: number; logits: Float32Array; probabilities: Float32Array } {
  return scope(() =>
    noGrad(() => {
      const logits = model.forward(inputOf(batch));
      const loss = crossEntropy(logits, tensor(batch.labels)).item();
      return { loss, logits: logits.floats(), probabilities: softmax(logits).floats() };
    }),
  );
}

function note(found: Evaluation, batch: Batch, probabilities: Float32Array): void {
  const classes = found.confusion.length;
  batch.clips.forEach((clip, row) => {
    const predicted = bestClass(probabilities, row, classes);
    found.confusion[clip.label]![predicted]! += 1;
    if (predicted === clip.label) return;
    found.mistakes.push({ clip, predicted, probability: probabilities[row * classes + predicted] as number });
    found.mistakes.sort((a, b) => b.probability - a.probability).splice(MISTAKES);
  });
}

/** Evaluates a model on all clips of a loader; the model is in evaluation mode for the time. */
export async function evaluate(model: MorphMLP, loader: Loader, onBatch?: (done: number) => void): Promise<Evaluation> {
  const classes = loader.dataset.classNames.length;
  const confusion = Array.from({ length: classes }, () => new Array<number>(classes).fill(0));
  const found: Evaluation = { clips: 0, loss: 0, top1: 0, top5: 0, confusion, mistakes: [] };
  const sums = emptyMetrics();
  const wasTraining = model.training;
  model.eval();
  try {
    for await (const { index, batch } of loader.epoch(0)) {
      const { loss, logits, probabilities } = score(model, batch);
      addBatch(sums, loss, logits, batch.labels);
      note(found, batch, probabilities);
      onBatch?.(index + 1);
    }
  } finally {
    model.train(wasTraining);
  }
  return { ...found, clips: sums.clips, ...averages(sums) };
}
