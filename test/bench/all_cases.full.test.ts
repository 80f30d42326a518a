import { chooseCases } from '../../src/bench/kernels/ops';
import { OURS, arraysOf, outputSize, runVariant, upstreamOf } from '../../src/bench/kernels/variant';

// Runs the verification of `bench kernels` for every case. The oracles take minutes.
test.each(chooseCases().map((c) => [`${c.op}, stage ${c.stage}`, c] as const))(
  '%s runs, and leaves its inputs as they are',
  (_, { timed, verified = timed }) => {
    const arrays = arraysOf(verified, 3);
    const { y, grads } = runVariant(verified, OURS, arrays, upstreamOf(verified, 3, outputSize(verified, arrays)));
    expect([y, ...Object.values(grads)].every((values) => values.length > 0 && values.every(Number.isFinite))).toBe(
      true,
    );
  },
);
