import { predictStep } from '../../src/bench/distributed/predict';

const MB = 2 ** 20;

/** A step of 1 s: forward 0.3 s, backward 0.6 s, the rest 0.1 s. Two buckets of 25 MB, ready in the middle and at the end. */
const STEP = {
  ...{ stepMs: 1000, backwardMs: 600, afterMs: 100 },
  arrivals: [
    { ms: 300, bytes: 25 * MB },
    { ms: 600, bytes: 25 * MB },
  ],
};

/** Milliseconds in which two ranks exchange a bucket: each sends half of it, and half of the sum, at 85% of the line rate. */
const bucketMs = (gbps: number): number => (25 * MB * 8) / (gbps * 0.85 * 1e6);

test.each([
  ['a network that is fast enough adds the last bucket alone', 10, 1000 + bucketMs(10)],
  ['a slow one adds what the first bucket delays the last by', 0.5, 600 + 2 * bucketMs(0.5) + 100],
])('%s', (_, gbps, expected) => {
  expect(predictStep(STEP, { ranks: 2, gbps, latencyUs: 0 })).toBeCloseTo(expected, 6);
});

test('a message costs its latency, twice for each other rank', () => {
  const at = (latencyUs: number) => predictStep(STEP, { ranks: 9, gbps: 1e6, latencyUs });
  expect(at(100) - at(0)).toBeCloseTo(2 * 8 * 0.1, 6);
});

test('a process on its own sends nothing', () => {
  expect(predictStep(STEP, { ranks: 1, gbps: 1, latencyUs: 100 })).toBe(1000);
});

test('small gradients share a bucket, which is sent with the last of them', () => {
  const arrivals = [100, 200, 300].map((ms) => ({ ms, bytes: MB }));
  const step = predictStep({ ...STEP, arrivals }, { ranks: 2, gbps: 0.1, latencyUs: 0 });
  expect(step).toBeCloseTo(Math.max(1000, 300 + 300 + (3 * MB * 8) / (0.1 * 0.85 * 1e6) + 100), 6);
});
