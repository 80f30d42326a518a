import { Philox } from '../../src/random';
import { ratio, spread } from '../../src/bench/statistics';

const noisy = (seed: number, n: number, middle: number): number[] => {
  const random = new Philox(seed);
  return Array.from({ length: n }, () => middle * (0.9 + 0.2 * random.uniform()));
};

test('median and quarters', () => {
  expect(spread([5, 1, 3, 2, 4])).toEqual({ median: 3, q1: 2, q3: 4 });
  expect(spread([7])).toEqual({ median: 7, q1: 7, q3: 7 });
});

test('what is faster beyond the noise is told from what is not', () => {
  const a = noisy(1, 25, 10);
  expect(ratio(a, noisy(2, 25, 5))).toMatchObject({ verdict: 'faster' });
  expect(ratio(a, noisy(3, 25, 20))).toMatchObject({ verdict: 'slower' });
  const { median, low, high } = ratio(a, noisy(2, 25, 5));
  expect(median).toBeCloseTo(2, 0);
  expect(low).toBeLessThanOrEqual(median);
  expect(high).toBeGreaterThanOrEqual(median);
});

test('the interval of equals holds 1 in about 19 of 20 comparisons', () => {
  const verdicts = Array.from({ length: 400 }, (_, i) => ratio(noisy(2 * i, 15, 1), noisy(2 * i + 1, 15, 1)).verdict);
  const wrong = verdicts.filter((v) => v !== 'no difference').length;
  expect(wrong).toBeLessThan(400 * 0.08);
  expect(wrong).toBeGreaterThan(0);
});
