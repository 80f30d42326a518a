import { MIDDLE } from '../data/video/clip_plan';
import type { Skipped } from '../data/loader';
import { viewCount, type Views } from '../data/sampling';
import { isUnreadable, type Clip, type Dataset } from '../data/types';
import { ALONE, type Ranks } from '../distributed/ranks';
import { SharedTally } from './shared_tally';
import type { Evaluation } from './tally';
import { meanOfRows, viewLogits, type Classifier } from './views';

/** Options of a test. */
export interface TestOptions {
  views: Views;
  /** Views per forward pass. */
  batch: number;
  onVideo?: (done: number, total: number) => void;
  /** Called with the logits [classes] of each item that was read: the mean over its views. */
  onLogits?: (item: number, logits: Float32Array) => void;
  /** Processes that share out the videos; all return the same result. Default this one alone. */
  ranks?: Ranks;
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

/** A video that could not be read. */
type SkippedItem = Skipped & { item: number };

/** Yields the views of each of some videos in order, or null for an unreadable one; reads ahead. */
async function* readVideos(
  dataset: Dataset,
  items: readonly number[],
  read: (item: number) => Promise<Clip[]>,
  skipped: SkippedItem[],
): AsyncGenerator<{ item: number; clips: Clip[] | null }> {
  const reading: Promise<Clip[] | null>[] = [];
  const start = async (item: number): Promise<Clip[] | null> => {
    try {
      return await read(item);
    } catch (error) {
      if (!isUnreadable(error)) throw error;
      skipped.push({ item, name: dataset.name(item), reason: (error as Error).message });
      return null;
    }
  };
  for (const [i, item] of items.entries()) {
    for (; reading.length < AHEAD + 1 && i + reading.length < items.length;) {
      const next = start(items[i + reading.length]!);
      next.catch(() => undefined); // raised when its turn comes
      reading.push(next);
    }
    yield { item, clips: await reading.shift()! };
  }
}

/**
 * Tests a model on every video of a dataset, `views.clips` clips of `views.crops` crops each, their logits averaged (the authors'
 * NUM_ENSEMBLE_VIEWS and NUM_SPATIAL_CROPS). @throws if several views are requested of a single-view dataset, or no video is readable
 */
export async function testViews(model: Classifier, dataset: Dataset, options: TestOptions): Promise<TestResult> {
  const { views, batch, ranks = ALONE } = options;
  const read = dataset.views?.bind(dataset);
  if (!read)
    throw new Error(`${String(dataset.describe()['source'])} has no several views: test with 1 clip and 1 crop`);
  const [all, single] = [0, 1].map(() => new SharedTally(dataset.classNames.length, ranks)) as [
    SharedTally,
    SharedTally,
  ];
  const own: SkippedItem[] = [];
  const items = Array.from({ length: dataset.length }, (_, i) => i).filter((i) => i % ranks.size === ranks.rank);
  const several = viewCount(views) > 1;
  const choose = (item: number) => read(item, several ? [MIDDLE, views] : [MIDDLE]);
  let done = 0;
  model.network.eval();
  for await (const { item, clips } of readVideos(dataset, items, choose, own)) {
    done += ranks.size;
    options.onVideo?.(Math.min(done, dataset.length), dataset.length);
    if (clips === null) continue;
    const [middle, ...others] = viewLogits(model, clips, batch);
    const logits = several ? meanOfRows(others) : middle!;
    single.add(item, middle!, clips[0]!);
    all.add(item, logits, clips[0]!);
    options.onLogits?.(item, logits);
  }
  const skipped = ranks
    .gatherJson(own)
    .flat()
    .sort((a, b) => a.item - b.item)
    .map(({ name, reason }) => ({ name, reason }));
  if (skipped.length === dataset.length)
    throw new Error(`none of the ${dataset.length} videos could be read; the first: ${skipped[0]!.reason}`);
  return { views, evaluation: all.result(), single: single.result(), skipped };
}
