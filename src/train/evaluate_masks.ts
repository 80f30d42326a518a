import { noGrad } from '../core/autograd';
import { scope } from '../core/scope';
import { tensor } from '../core/tensor';
import type { Loader } from '../data/loader';
import { stackClips, stackMasks, type Clip } from '../data/types';
import type { Ranks } from '../distributed/ranks';
import type { Backbone } from '../models/morphmlp';
import type { Normalisation } from '../data/normalisation';
import { inputOf } from './input';
import { lossOf } from './loss';
import { PixelConfusion, segmentMeasures } from './segment_metrics';
import { SegmentSamples } from './segment_samples';
import type { Evaluation } from './tally';

/** Place of a batch in the order of the dataset, the sum of its pixels' losses, their number, and that of its pictures. */
type BatchRow = readonly [at: number, loss: number, pixels: number, pictures: number];

function scored(model: Backbone, clips: readonly Clip[], normalisation: Normalisation) {
  const batch = { ...stackClips(clips), normalisation };
  const { pixels, height, width } = stackMasks(clips);
  return scope(() =>
    noGrad(() => {
      const logits = model.forward(inputOf(batch, model.precision));
      const { loss, scores } = lossOf(logits, tensor(pixels, [clips.length, height, width]));
      return { loss: loss.item(), predicted: scores.data() as Uint8Array, masks: pixels };
    }),
  );
}

/**
 * Evaluates a segmentation: `top1` of the result is the mean IoU, `top5` the share of right pixels, `confusion` counts pixels.
 * Ranks share the batches; the sums are those of one process.
 */
export async function evaluateMasks(
  model: Backbone,
  loader: Loader,
  onBatch: ((done: number) => void) | undefined,
  ranks: Ranks,
): Promise<Evaluation> {
  const confusion = new PixelConfusion(loader.dataset.classNames.length);
  const samples = new SegmentSamples(loader.batches);
  const rows: BatchRow[] = [];
  const wasTraining = model.training;
  model.eval();
  try {
    for await (const { index, clips } of loader.clips(0)) {
      const { loss, predicted, masks } = scored(model, clips, loader.normalisation);
      const before = confusion.pixels;
      confusion.add(masks, predicted);
      const pixels = confusion.pixels - before;
      rows.push([index, loss * pixels, pixels, clips.length]);
      await samples.add(index, clips, predicted);
      onBatch?.(index + 1);
    }
  } finally {
    model.train(wasTraining);
  }
  const all = gathered(rows, confusion, ranks);
  const sum = (column: 1 | 2 | 3): number => all.reduce((total, row) => total + row[column], 0);
  const clips = sum(3);
  if (ranks.size > 1 && clips === 0) ranks.throwShared(loader.nothingRead());
  const { miou, pixelAccuracy } = segmentMeasures(confusion.rows());
  const missed = loader.dataset.length - clips;
  const loss = sum(1) / Math.max(1, sum(2));
  const measures = { loss, top1: miou, top5: pixelAccuracy, confusion: confusion.rows() };
  return { clips, missed, ...measures, mistakes: [], samples: samples.gathered(ranks) };
}

/** The rows of all ranks in the order of the dataset; `confusion` becomes the sum over them. */
function gathered(rows: readonly BatchRow[], confusion: PixelConfusion, ranks: Ranks): BatchRow[] {
  if (ranks.size === 1) return [...rows];
  const counts = ranks.gather(confusion.counts);
  confusion.counts.fill(0);
  for (const one of counts) confusion.addCounts(one);
  return ranks
    .gatherJson(rows)
    .flat()
    .sort((a, b) => a[0] - b[0]);
}
