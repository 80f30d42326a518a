import { fuzzPyTorch } from '../fuzz';

const MIB = 1 << 20;

test('5,000 mutated PyTorch files: a result or one sentence, in bounded memory', () => {
  const { loaded, refused, memory } = fuzzPyTorch('fast', 5_000);
  expect(loaded + refused).toBe(5_000);
  expect(loaded).toBeGreaterThan(100);
  expect(refused).toBeGreaterThan(2_000);
  expect(memory).toBeLessThan(512 * MIB);
});
