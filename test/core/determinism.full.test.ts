import { native } from '../../src/core/native';
import { setThreads, threads } from '../../src/core/runtime';
import { expectSameBits } from '../support/train_steps';

const start = { threads: threads(), isa: native.isa() };
afterAll(() => {
  setThreads(start.threads);
  native.setIsa(start.isa);
});

// The best one is in the fast suite.
const others = native
  .isas()
  .slice(0, -1)
  .flatMap((isa) => [[isa, 'f32'] as const, [isa, 'bf16'] as const]);

test.each(others)('training on %s in %s has the same bits for 1, 2 and 4 threads', (isa, precision) => {
  native.setIsa(isa);
  expectSameBits(precision);
});
