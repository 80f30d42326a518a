import { fuzz } from './run_fuzzer';

const CALLS = 1_000_000;

test.each(['kernels', 'api'] as const)('a million random calls of %s end in a result or a sentence', async (of) => {
  expect(await fuzz(of, CALLS)).toBeGreaterThan(CALLS / 4);
});
