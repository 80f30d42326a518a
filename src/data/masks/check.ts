/** Checks folders of pictures and masks before a run. */
import { readPair } from './pair_dataset';
import type { PairList } from './pairs';
import { IGNORED } from '../types';

/** Findings of a folder. */
export interface PairCheck {
  source: string;
  pairs: number;
  /** Labelled pixels of each class, and ignored pixels. */
  pixels: number[];
  ignored: number;
  /** Files without a partner. */
  alone: string[];
  /** Pairs that cannot be used: unreadable, of different sizes, with an index beyond the classes. */
  bad: string[];
}

/** Reads every pair of a list. @param onPair is called after each */
export async function checkPairs(
  { source, pairs, alone }: PairList,
  classes: number,
  reduceZeroLabel: boolean,
  onPair: () => void,
): Promise<PairCheck> {
  const counts = new Float64Array(256);
  const bad: string[] = [];
  for (const pair of pairs) {
    try {
      for (const label of (await readPair(pair, classes, reduceZeroLabel)).pixels) counts[label]! += 1;
    } catch (error) {
      bad.push((error as Error).message);
    }
    onPair();
  }
  const pixels = [...counts.subarray(0, classes)];
  return {
    source,
    pairs: pairs.length,
    pixels,
    ignored: counts[IGNORED]!,
    alone: alone.map(({ reason }) => reason),
    bad,
  };
}
