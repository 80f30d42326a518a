import { slicesOf } from '../../src/distributed/gradient_sum';
import { ALONE, Ranks } from '../../src/distributed/ranks';
import { checkSyncNorm, joinStatistics } from '../../src/distributed/sync_norm';
import { uniform } from '../../src/bench/op_cases/random';

/** Count, means and biased variances of rows [n, cols]. */
function statisticsOf(rows: readonly (readonly number[])[], cols: number): Float64Array {
  const columns = Array.from({ length: cols }, (_, c) => rows.map((row) => row[c]!));
  const mean = (values: readonly number[]): number => values.reduce((sum, x) => sum + x, 0) / values.length;
  const means = columns.map(mean);
  const variances = columns.map((values, c) => mean(values.map((x) => (x - means[c]!) ** 2)));
  return Float64Array.of(rows.length, ...means, ...variances);
}

test.each([
  ['two parts of a size', [5, 5]],
  ['parts of different sizes', [7, 1, 3]],
  ['a part without values', [4, 0, 6]],
])('statistics of %s are those of all values', (_, sizes) => {
  const cols = 3;
  const rows = Array.from({ length: sizes.reduce((a, b) => a + b) }, (_, i) =>
    Array.from(uniform(i + 1, cols, 2, 50), Number),
  );
  let from = 0;
  const parts = sizes.map((n) =>
    n === 0 ? new Float64Array(1 + 2 * cols) : statisticsOf(rows.slice(from, (from += n)), cols),
  );
  const { count, mean, variance } = joinStatistics(parts);
  const expected = statisticsOf(rows, cols);
  expect(count).toBe(rows.length);
  for (let c = 0; c < cols; c++) {
    expect(mean[c]).toBeCloseTo(expected[1 + c]!, 10);
    expect(variance[c]).toBeCloseTo(expected[1 + cols + c]!, 10);
  }
});

test('without any values there are no statistics', () => {
  expect(joinStatistics([new Float64Array(5), new Float64Array(5)]).count).toBe(0);
});

test('slices that one rank computes one after the other cannot be joined', () => {
  const two = new Ranks(
    0,
    ['a', 'b'].map((host) => ({ host, processors: [0], total: 1 })),
    '',
    1,
  );
  expect(() => checkSyncNorm(slicesOf(2, two), two)).not.toThrow();
  expect(() => checkSyncNorm(slicesOf(1, ALONE), ALONE)).not.toThrow();
  expect(() => checkSyncNorm(slicesOf(4, two), two)).toThrow(
    /needs as many as ranks \(2\), got 4 micro-batches a step/,
  );
  expect(() => checkSyncNorm(slicesOf(4, ALONE), ALONE)).toThrow(/needs as many as ranks \(1\), got 4 micro-batches/);
});
