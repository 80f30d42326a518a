import type { KernelRow } from '../../src/bench/kernels/measure';
import { joinPasses } from '../../src/bench/passes';
import { ratio, spread } from '../../src/bench/statistics';

const LIMITS = { gflops: 200, gbs: 30 };

/** A row of 200 million multiply-adds: 2 ms at the limit. */
function row(variant: string, ms: number[], more: Partial<KernelRow> = {}): KernelRow {
  const { median, q1, q3 } = spread(ms);
  return {
    ...{ op: 'linear', stage: 1, shape: '', direction: 'forward', dtype: 'f32', variant, flags: '', cache: 'warm' },
    ...{ ms, cpuMs: ms.map((t) => 2 * t), median, q1, q3, others: 0, gflops: 400 / median, gbs: 10 / median },
    ...{ limits: LIMITS, limit: 'FMA', shareOfLimit: 2 / median, error: null, speed: null },
    ...more,
  };
}

test('a slow period in one of three passes does not change the median', () => {
  const passes = [
    [4, 4, 4.5],
    [8, 8, 8.5],
    [4, 3.5, 4],
  ].map((ms) => [row('ours', ms)]);
  const [joined, ...more] = joinPasses(passes);
  expect(more).toEqual([]);
  expect(joined).toMatchObject({ median: 4, gflops: 100, gbs: 2.5, shareOfLimit: 0.5, limit: 'FMA' });
  expect(joined!.ms).toEqual([4, 4, 4.5, 8, 8, 8.5, 4, 3.5, 4]);
  expect(joined!.cpuMs).toEqual(joined!.ms.map((t) => 2 * t));
});

test('merged rows keep the better limits, the larger contention and the error of the verified pass', () => {
  const limits = { gflops: 250, gbs: 20 };
  const passes = [[row('ours', [4], { error: 1e-7 })], [row('ours', [4], { limits, others: 0.2 })]];
  const [joined] = joinPasses(passes);
  expect(joined).toMatchObject({ limits: { gflops: 250, gbs: 30 }, error: 1e-7, others: 0.2, shareOfLimit: 1.6 / 4 });
});

test('speedups pair the rounds of each pass, even if a variant has fewer', () => {
  const pass = (ours: number[], theirs: number[]) => [
    row('ours', ours),
    row('theirs', theirs, { speed: ratio(ours.slice(0, theirs.length), theirs) }),
  ];
  const [, theirs] = joinPasses([pass([4, 9, 9], [8]), pass([5, 9, 9], [10]), pass([6, 9, 9], [12])]);
  expect(theirs!.speed).toMatchObject({ median: 0.5, low: 0.5, high: 0.5 });
});

test('directions, stages, caches and launch modes stay separate; a variant that failed later keeps its rounds', () => {
  const first = [
    row('ours', [4]),
    row('mine', [8], { speed: ratio([4], [8]) }),
    row('ours', [9], { direction: 'backward' }),
    row('ours', [3], { stage: 2 }),
    row('ours', [5], { cache: 'cold' }),
  ];
  const joined = joinPasses([first, first.filter(({ variant }) => variant === 'ours')]);
  expect(joined.map(({ ms }) => ms)).toEqual([[4, 4], [8], [9, 9], [3, 3], [5, 5]]);
  expect(joined[1]!.speed).toMatchObject({ median: 0.5 });
});

test('a single pass is unchanged', () => {
  const rows = [row('ours', [4, 5, 6])];
  expect(joinPasses([rows])).toEqual(rows);
});
