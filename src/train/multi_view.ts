import { MIDDLE } from '../data/video/clip_plan';
import type { Skipped } from '../data/loader';
import { viewCount, type Views } from '../data/sampling';
import { isUnreadable, type Clip, type Dataset } from '../data/types';
import { Tally, type Evaluation } from './evaluate';
import { meanOfRows, viewLogits, type Classifier } from './views';

/** Options of a test. */
export interface TestOptions {
  views: Views;
  /** Views per forward pass. */
  batch: number;
  onVideo?: (done: number, total: number) => void;
  /** Called with the logits [classes] of each item that was read: the mean over its views. */
  onLogits?: (item: number, logits: Float32Array) => void;
}

/** Results of a test: over all views, and for the single view (middle clip, centre crop). */
export interface TestResult {
  views: Views;
  evaluation: Evaluation;
  single: Evaluation;
  skipped: Skipped[];
}

/** Number of videos read ahead of the network. */
const AHEAD = 2;

/** Yields the views of every video in order, or null for an unreadable one; reads ahead. */
async function* readVideos(
  dataset: Dataset,
  read: (item: number) => Promise<Clip[]>,
  skipped: Skipped[],
): AsyncGenerator<Clip[] | null> {
  const reading: Promise<Clip[] | null>[] = [];
  const start = async (item: number): Promise<Clip[] | null> => {
    try {
      return await read(item);
    } catch (error) {
      if (!isUnreadable(error)) throw error;
      skipped.push({ name: dataset.name(item), reason: (error as Error).message });
      return null;
    }
  };
  for (let item = 0; item < dataset.length; item++) {
    for (; reading.length < AHEAD + 1 && item + reading.length < dataset.length;) {
      const next = start(item + reading.length);
      next.catch(() => undefined); // raised when its turn comes
      reading.push(next);
    }
    yield await reading.shift()!;
  }
}

/**
 * Tests a model on every video of a dataset, `views.clips` clips of `views.crops` crops each, their logits averaged (the authors'
 * NUM_ENSEMBLE_VIEWS and NUM_SPATIAL_CROPS). @throws if several views are requested of a single-view dataset, or no video is readable
 */
export async function testViews(model: Classifier, dataset: Dataset, options: TestOptions): Promise<TestResult> {
  const { views, batch } = options;
  const read = dataset.views?.bind(dataset);
  if (!read)
    throw new Error(`${String(dataset.describe()['source'])} has no several views: test with 1 clip and 1 crop`);
  const [all, single] = [new Tally(dataset.classNames.length), new Tally(dataset.classNames.length)];
  const skipped: Skipped[] = [];
  const several = viewCount(views) > 1;
  const choose = (item: number) => read(item, several ? [MIDDLE, views] : [MIDDLE]);
  let item = 0;
  model.network.eval();
  for await (const clips of readVideos(dataset, choose, skipped)) {
    options.onVideo?.(++item, dataset.length);
    if (clips === null) continue;
    const [middle, ...others] = viewLogits(model, clips, batch);
    const logits = several ? meanOfRows(others) : middle!;
    single.add(middle!, clips[0]!);
    all.add(logits, clips[0]!);
    options.onLogits?.(item - 1, logits);
  }
  if (skipped.length === dataset.length)
    throw new Error(`none of the ${dataset.length} videos could be read; the first: ${skipped[0]!.reason}`);
  return { views, evaluation: all.result(), single: single.result(), skipped };
}
