import { backward } from '../../src/core/autograd';
import { memory } from '../../src/core/runtime';
import { scope } from '../../src/core/scope';
import { tensor, zeros } from '../../src/core/tensor';
import { gradientCopies, GradientSum, slicesOf } from '../../src/distributed/gradient_sum';
import { ALONE, Ranks } from '../../src/distributed/ranks';
import { RunningStatistics, updatingStatistics } from '../../src/distributed/running_statistics';
import { uniform } from '../../src/bench/op_cases/random';
import { BatchNorm } from '../../src/nn';
import { parameter } from '../../src/nn/module';
import { matmul, mul } from '../../src/ops';
import { sum as sumOf } from '../../src/ops/reduce';

const round = Math.fround;

/** Values with as many digits as a float has, so that the order of a sum shows. */
const values = (seed: number, n: number): Float32Array => uniform(seed, n).map((x) => x / 3);

/** The tree over a range of slices by its definition: halves of the smallest power of two that covers the number of slices. */
function treeSum(
  values: readonly (number | null)[],
  first = 0,
  count = 2 ** Math.ceil(Math.log2(values.length)),
): number | null {
  if (first >= values.length) return null;
  if (count === 1) return values[first]!;
  const [a, b] = [treeSum(values, first, count / 2), treeSum(values, first + count / 2, count / 2)];
  return a === null || b === null ? (a ?? b) : round(a + b);
}

/** Gradients of slices, of which some are missing, summed by `GradientSum`: parameter [n], slice s has the gradients `slices[s]`. */
function sumSlices(slices: readonly (Float32Array | null)[], n: number): Float32Array {
  const p = parameter(zeros([n]));
  const summed = new GradientSum([p], slicesOf(slices.length, ALONE), ALONE);
  slices.forEach((factors, slice) => {
    if (factors === null) return;
    const by = tensor(factors);
    summed.collect(slice, () => scope(() => backward(sumOf(mul(p, by)))));
    by.dispose();
  });
  summed.finish();
  const result = p.grad!.floats();
  p.grad!.dispose();
  p.dispose();
  return result;
}

test.each([2, 3, 4, 5, 6, 7, 8, 12])('%i slices are summed by the tree, bit for bit', (count) => {
  const n = 50;
  const slices = Array.from({ length: count }, (_, s) => values(s + 1, n));
  const result = sumSlices(slices, n);
  for (let i = 0; i < n; i++) expect(result[i]).toBe(treeSum(slices.map((slice) => slice[i]!)));
  if (count > 3) {
    const running = slices.reduce((sum, slice) => sum.map((x, i) => round(x + slice[i]!)));
    expect(result).not.toEqual(running); // so the comparison can fail
  }
});

test.each([
  ['the first', [0]],
  ['the last', [7]],
  ['half of a node', [2]],
  ['whole nodes', [2, 3, 4, 5, 6, 7]],
])('slices that are missing, %s, leave the sum of the others', (_, missing) => {
  const slices = Array.from({ length: 8 }, (_, s) => (missing.includes(s) ? null : values(s + 1, 20)));
  const result = sumSlices(slices, 20);
  for (let i = 0; i < 20; i++) expect(result[i]).toBe(treeSum(slices.map((slice) => slice && slice[i]!)));
});

test('no memory is left behind, also by a step that is given up', () => {
  const before = memory().live;
  sumSlices(
    Array.from({ length: 6 }, (_, s) => uniform(s, 30)),
    30,
  );
  const p = parameter(zeros([30]));
  const abandoned = new GradientSum([p], slicesOf(4, ALONE), ALONE);
  const by = tensor(uniform(9, 30));
  for (const slice of [0, 1, 2]) abandoned.collect(slice, () => scope(() => backward(sumOf(mul(p, by)))));
  abandoned.dispose();
  by.dispose();
  p.dispose();
  expect(memory().live).toBe(before);
});

test.each([
  [1, 1],
  [2, 1],
  [3, 2],
  [4, 2],
  [6, 2],
  [7, 3],
  [8, 3],
  [16, 4],
])('%i slices hold at most %i copies of the gradients', (count, copies) => {
  expect(gradientCopies(slicesOf(count, ALONE))).toBe(copies);
  const p = parameter(zeros([1000]));
  const summed = new GradientSum([p], slicesOf(count, ALONE), ALONE);
  const by = tensor(uniform(9, 1000));
  const live = memory().live;
  const held = Array.from({ length: count }, (_, slice) => {
    summed.collect(slice, () => scope(() => backward(sumOf(mul(p, by)))));
    return (memory().live - live) / 4096;
  });
  expect(Math.max(...held)).toBeLessThanOrEqual(copies);
  summed.dispose();
  for (const t of [p, by]) t.dispose();
});

test('a parameter that is used twice is an error, not a wrong sum', () => {
  const p = parameter(tensor(uniform(1, 9), [3, 3]));
  const summed = new GradientSum([p], slicesOf(2, ALONE), ALONE);
  expect(() => summed.collect(0, () => backward(sumOf(matmul(p, matmul(p, tensor(uniform(2, 9), [3, 3]))))))).toThrow(
    /is used twice: its gradients cannot be summed over slices/,
  );
  summed.dispose();
  p.grad?.dispose();
  p.dispose();
});

test('ranks have neighbouring slices, and a number that does not divide them is an error', () => {
  const seats = ['a', 'a', 'b'].map((host) => ({ host, processors: [0], total: 1 }));
  const rank = new Ranks(2, seats, '', 1);
  expect(slicesOf(6, rank)).toEqual({ total: 6, first: 4, count: 2 });
  expect(() => slicesOf(4, rank)).toThrow(/3 ranks need a number of micro-batches a step that they divide, got 4/);
});

test('running statistics that are collected and applied later have the bits of those updated at once', () => {
  const [now, later] = [new BatchNorm(7), new BatchNorm(7)];
  const batches = [1, 2, 3].map((seed) => uniform(seed, 35, 2, 1));
  const statistics = new RunningStatistics([later.running_mean, later.running_var]);
  const collected = batches.map((values) => {
    const into = new Float64Array(statistics.length);
    const x = tensor(values, [5, 7]);
    const atOnce = updatingStatistics(() => now.forward(x)).floats();
    expect(statistics.collect(into, () => later.forward(x)).floats()).toEqual(atOnce);
    return into;
  });
  expect(later.running_mean.floats()).toEqual(new Float32Array(7)); // untouched so far
  for (const numbers of collected) statistics.apply(numbers);
  expect(later.running_mean.floats()).toEqual(now.running_mean.floats());
  expect(later.running_var.floats()).toEqual(now.running_var.floats());
  const means = batches.map((x) =>
    Array.from({ length: 7 }, (_, c) => [0, 1, 2, 3, 4].reduce((s, r) => s + x[r * 7 + c]! / 5, 0)),
  );
  const expected = Array.from({ length: 7 }, (_, c) =>
    means.reduce((running, mean) => running * 0.9 + mean[c]! * 0.1, 0),
  );
  later.running_mean.floats().forEach((value, c) => expect(value).toBeCloseTo(expected[c]!, 6));
});
