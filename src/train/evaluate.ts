import type { Loader } from '../data/loader';
import { ALONE, type Ranks } from '../distributed/ranks';
import type { Backbone } from '../models/morphmlp';
import { evaluateMasks } from './evaluate_masks';
import { SharedTally } from './shared_tally';
import type { Evaluation } from './tally';
import { forwardClips } from './views';

export { Tally, type Evaluation, type Mistake } from './tally';

/**
 * Evaluates a model on all clips of a loader, one view each, in evaluation mode; restores the mode afterwards. Among several ranks each
 * has a loader of its part, and all return the same result.
 */
export async function evaluate(
  model: Backbone,
  loader: Loader,
  onBatch?: (done: number) => void,
  ranks: Ranks = ALONE,
): Promise<Evaluation> {
  if (model.config.task === 'segment') return evaluateMasks(model, loader, onBatch, ranks);
  const tally = new SharedTally(loader.dataset.classNames.length, ranks);
  const wasTraining = model.training;
  model.eval();
  try {
    for await (const { index, clips } of loader.clips(0)) {
      const logits = forwardClips(model, clips, loader.normalisation);
      const classes = logits.length / clips.length;
      clips.forEach((clip, row) => tally.add(index, logits.subarray(row * classes, (row + 1) * classes), clip));
      onBatch?.(index + 1);
    }
  } finally {
    model.train(wasTraining);
  }
  const result = tally.result();
  if (ranks.size > 1 && result.clips === 0) ranks.throwShared(loader.nothingRead());
  return { ...result, missed: loader.dataset.length - result.clips };
}
