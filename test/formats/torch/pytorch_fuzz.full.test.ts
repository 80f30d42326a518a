import { fuzzPyTorch } from '../fuzz';

const MIB = 1 << 20;

test.each([['one'], ['two']])(
  '50,000 mutated PyTorch files, seed %s: a result or one sentence, in bounded memory',
  (seed) => {
    const { loaded, refused, memory } = fuzzPyTorch(seed, 50_000);
    expect(loaded + refused).toBe(50_000);
    expect(memory).toBeLessThan(512 * MIB);
  },
  300_000,
);
