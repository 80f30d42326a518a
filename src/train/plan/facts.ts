/** What a set of files is like, from a sample of them: the ground of a training plan. */
import type { Listing } from '../../data/lists/types';
import { inspectFile, itemSource } from '../../data/check/inspect';
import { isPicture } from '../../data/source';

/** Facts about a training list. Lengths in seconds; sizes are of the shorter side, in pixels. */
export interface SetFacts {
  kind: 'videos' | 'pictures';
  clips: number;
  classes: number;
  /** Files of the smallest and of the largest class. */
  smallest: number;
  largest: number;
  classNames: readonly string[];
  /** Median and tenth percentile of the lengths, and the median size, of the sampled files. */
  seconds: number;
  shortSeconds: number;
  side: number;
  /** Sampled files, and how many of them cannot be read. */
  sampled: number;
  unreadable: number;
}

/** Most files that are opened. */
const SAMPLE = 48;

const quantile = (sorted: readonly number[], share: number): number =>
  sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))]!;

/** Up to `most` items, evenly spread over the list. */
function spread<T>(items: readonly T[], most: number): T[] {
  const count = Math.min(most, items.length);
  return Array.from({ length: count }, (_, i) => items[Math.floor((i * items.length) / count)]!);
}

/**
 * Opens a sample of a list. `left` is the share of its files that training uses.
 * @throws with the first reason if none of the sample can be read
 */
export async function surveyList(
  listing: Listing,
  left: number,
  onFile?: (done: number, total: number) => void,
): Promise<SetFacts> {
  const { items, classNames } = listing;
  const counts = classNames.map(() => 0);
  for (const { label } of items) counts[label]!++;
  const present = counts.filter((count) => count > 0);
  const sample = spread(items, SAMPLE);
  const [seconds, sides, reasons]: [number[], number[], string[]] = [[], [], []];
  for (const [i, item] of sample.entries()) {
    const facts = await inspectFile(item);
    if ('unreadable' in facts) reasons.push(facts.unreadable);
    else {
      seconds.push(facts.duration);
      sides.push(Math.min(facts.width, facts.height));
    }
    onFile?.(i + 1, sample.length);
  }
  if (seconds.length === 0)
    throw new Error(`${listing.source}: none of ${sample.length} files can be read; ${reasons[0]}`);
  for (const list of [seconds, sides]) list.sort((a, b) => a - b);
  const pictures = sample.every((item) => isPicture(itemSource(item)));
  return {
    kind: pictures ? 'pictures' : 'videos',
    clips: Math.max(1, Math.round(items.length * left)),
    ...{ classes: present.length, smallest: Math.min(...present), largest: Math.max(...present), classNames },
    ...{ seconds: quantile(seconds, 0.5), shortSeconds: quantile(seconds, 0.1), side: quantile(sides, 0.5) },
    ...{ sampled: sample.length, unreadable: reasons.length },
  };
}
