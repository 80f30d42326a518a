import { addBatch, averages, emptyMetrics, rankOf } from '../../src/train/metrics';
import { Tally } from '../../src/train/evaluate';
import type { Clip } from '../../src/data/types';

/** Seven scores: class 0 has the highest, class 6 the lowest. */
const SCORES = Float32Array.from([7, 6, 5, 4, 3, 2, 1]);
const clip = (label: number): Clip => ({ pixels: new Uint8Array(0), frames: 0, height: 0, width: 0, label, path: 'x' });

/** For the class of each rank: whether it counts for top-1 and for top-5. */
const COUNTS = [0, 1, 2, 3, 4, 5, 6].map((label) => ({ label, top1: label < 1 ? 1 : 0, top5: label < 5 ? 1 : 0 }));

test.each(COUNTS)('of seven classes, that of rank $label counts $top1 for top-1 and $top5 for top-5', (want) => {
  const { label, top1, top5 } = want;
  expect(rankOf(SCORES, 0, 7, label)).toBe(label);
  const sums = emptyMetrics();
  addBatch(sums, 0.5, SCORES, Int32Array.of(label));
  expect(averages(sums)).toEqual({ loss: 0.5, top1, top5 });
  const tally = new Tally(7);
  tally.add(SCORES, clip(label));
  expect(tally.result()).toMatchObject({ clips: 1, top1, top5 });
});

test('batches of different sizes are weighted by their clips', () => {
  const sums = emptyMetrics();
  addBatch(sums, 1, Float32Array.from([...SCORES, ...SCORES, ...SCORES]), Int32Array.of(0, 5, 4));
  addBatch(sums, 5, SCORES, Int32Array.of(6));
  expect(averages(sums)).toEqual({ loss: 2, top1: 1 / 4, top5: 2 / 4 });
});

test('a score that is NaN ranks last', () => {
  expect(rankOf(Float32Array.of(NaN, 1, 2), 0, 3, 0)).toBe(2);
  expect(rankOf(Float32Array.of(1, NaN, 0), 0, 3, 0)).toBe(1);
});
