/** Hardware counters: opened through the addon, and around the runs of a case. */
import { benchCase } from '../../src/bench/kernels/measure';
import { countsBetween, openCounters, type Counts } from '../../src/bench/perf';
import { timeCase } from '../../src/bench/kernels/time_case';
import { arraysOf, OURS, outputSize, upstreamOf } from '../../src/bench/kernels/variant';
import { geluCase } from '../../src/bench/op_cases/gelu';
import { native } from '../../src/core/native';

afterEach(() => {
  jest.restoreAllMocks();
  native.perfClose();
});

const c = geluCase([3, 7], 4);

test('the counts of each run are the difference of two readings, forward and backward apart', () => {
  const arrays = arraysOf(c, 1);
  const data = { arrays, upstream: upstreamOf(c, 1, outputSize(c, arrays)) };
  let reads = 0;
  const counters = (): Counts => ({ instructions: 7 * reads, cycles: 5 * reads, cacheMisses: 3 * reads++ });
  const { timings } = timeCase(c, [OURS], data, { rounds: 2, counters });
  const each = { instructions: 7, cycles: 5, cacheMisses: 3 };
  expect(timings[0]!.forwardCounts).toEqual([each, each]);
  expect(timings[0]!.backwardCounts).toEqual([each, each]);
});

test('rows have the median counts where the system offers them, and none where it does not', () => {
  const options = { rounds: 3, caches: ['warm'], clock: 'wall', check: false, seed: 3, perf: true } as const;
  const kernel = { op: 'gelu', stage: 1, timed: c, macs: 0 };
  let reads = 0;
  jest.spyOn(native, 'perfOpen').mockReturnValue(null);
  jest.spyOn(native, 'perfRead').mockImplementation(() => [10 * ++reads, 20 * reads, 30 * reads]);
  const [row] = benchCase(kernel, [OURS], options);
  expect(row!.counts).toEqual({ instructions: 10, cycles: 20, cacheMisses: 30 });
  jest.spyOn(native, 'perfOpen').mockReturnValue('not here');
  expect(benchCase(kernel, [OURS], options).every((one) => one.counts === undefined)).toBe(true);
});

test('a reason is one sentence, and differences are by count', () => {
  expect(openCounters({ perfOpen: () => 'not here', perfRead: () => [] })).toBe('not here');
  const [a, b] = [1, 4].map((n) => ({ instructions: n, cycles: 2 * n, cacheMisses: 3 * n })) as [Counts, Counts];
  expect(countsBetween(a, b)).toEqual({ instructions: 3, cycles: 6, cacheMisses: 9 });
});

test('the addon counts what Linux counts without hardware: the clock of the task', () => {
  const [SOFTWARE, TASK_CLOCK] = [1, 1];
  const reason = native.perfOpen([[SOFTWARE, TASK_CLOCK]]);
  if (reason !== null) return void expect(reason).toMatch(/perf_event_open|only Linux/);
  const [before] = native.perfRead();
  Float64Array.from({ length: 1e5 }, (_, i) => Math.sqrt(i)); // takes some time
  const [after] = native.perfRead();
  expect(after!).toBeGreaterThan(before!);
  expect(() => native.perfOpen([[-1, 0]])).toThrow('argument type: expected a whole number from 0 to 1000');
});
