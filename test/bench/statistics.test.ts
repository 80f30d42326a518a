import { spawnSync } from 'node:child_process';
import { cpus } from 'node:os';
import { measureContention, contentionBetween } from '../../src/bench/cpu_contention';
import { ratio, spread } from '../../src/bench/statistics';
import { Philox } from '../../src/core/philox';

const noisy = (seed: number, n: number, middle: number): number[] => {
  const random = new Philox(seed);
  return Array.from({ length: n }, () => middle * (0.9 + 0.2 * random.uniform()));
};

test('median and quartiles', () => {
  expect(spread([5, 1, 3, 2, 4])).toEqual({ median: 3, q1: 2, q3: 4 });
  expect(spread([7])).toEqual({ median: 7, q1: 7, q3: 7 });
});

test('distinguishes significant speedups from noise', () => {
  const a = noisy(1, 25, 10);
  expect(ratio(a, noisy(2, 25, 5))).toMatchObject({ verdict: 'faster' });
  expect(ratio(a, noisy(3, 25, 20))).toMatchObject({ verdict: 'slower' });
  const { median, low, high } = ratio(a, noisy(2, 25, 5));
  expect(median).toBeCloseTo(2, 0);
  expect(low).toBeLessThanOrEqual(median);
  expect(high).toBeGreaterThanOrEqual(median);
});

test('the interval for equal distributions contains 1 in about 19 of 20 comparisons', () => {
  const verdicts = Array.from({ length: 400 }, (_, i) => ratio(noisy(2 * i, 15, 1), noisy(2 * i + 1, 15, 1)).verdict);
  const wrong = verdicts.filter((v) => v !== 'no difference').length;
  expect(wrong).toBeLessThan(400 * 0.08);
  expect(wrong).toBeGreaterThan(0);
});

test('contention is the CPU time that is neither idle nor our own', () => {
  const start = { wall: 1000, idle: 5000, own: 70 };
  const share = (idle: number, own: number) =>
    contentionBetween(start, { wall: 2000, idle: 5000 + idle, own: 70 + own }, 4);
  expect(share(4000, 0)).toBe(0);
  expect(share(2000, 2000)).toBe(0);
  expect(share(1000, 2000)).toBe(0.25);
  expect(share(3900, 200)).toBe(0); // clocks of different resolution
  expect(contentionBetween(start, start, 4)).toBe(0);
});

test('detects another busy program', () => {
  const spin = 'const end = Date.now() + 500; while (Date.now() < end);';
  const measured = measureContention(() => spawnSync(process.execPath, ['-e', spin]).status);
  expect(measured.result).toBe(0);
  expect(measured.others).toBeGreaterThan(0.5 / cpus().length);
});
