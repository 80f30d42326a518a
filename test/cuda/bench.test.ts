import { linearCase } from '../../src/cases/linear';
import { normMlpCase } from '../../src/cases/norm_mlp';
import type { KernelCase } from '../../src/bench/kernel_case';
import { benchCase, type KernelRow } from '../../src/bench/kernels';
import type { Launch } from '../../src/bench/rounds';
import { OURS, type Variant } from '../../src/bench/variant';
import { native } from '../../src/native';
import { memory } from '../../src/runtime';

const small: KernelCase = { op: 'linear', stage: 1, timed: linearCase([40], 24, 20), macs: 40 * 24 * 20 };
const mlp: KernelCase = { op: 'norm_mlp', stage: 1, timed: normMlpCase([1, 1, 2, 3, 8], 24), macs: 6 * 6 * 64 };
const options = { rounds: 3, clock: 'wall', check: true, seed: 5 } as const;
const LAUNCHES = ['launched', 'graph'] as const satisfies readonly Launch[];

const regime = ({ launch, cache, direction }: KernelRow) => [launch, cache, direction].join(' ');

test.each([small, mlp])('an op is verified and timed in four regimes, and leaves nothing behind: %#', (c) => {
  const { live } = memory('cuda');
  const rows = benchCase(c, [OURS], { ...options, caches: ['warm', 'cold'], launches: LAUNCHES });
  expect(rows.map(regime)).toEqual(
    LAUNCHES.flatMap((launch) =>
      ['warm', 'cold'].flatMap((cache) =>
        ['forward', 'backward'].map((direction) => `${launch} ${cache} ${direction}`),
      ),
    ),
  );
  for (const row of rows) {
    expect(row.ms).toHaveLength(3);
    expect(row.error).toBeLessThan(1e-5);
    expect(row.flags).toBe(native.cudaFlags());
  }
  expect(memory('cuda').live).toBe(live);
});

/** Ours, which when it has been held to float64 does no more than return what is there. */
function lazy(): Variant {
  let runs = 0;
  const skip = { ...native.kernels };
  return {
    ...OURS,
    name: 'lazy',
    use: (body) => {
      if (runs++ < 2) return body();
      Object.assign(native.kernels, { linear_forward: () => undefined });
      try {
        return body();
      } finally {
        Object.assign(native.kernels, skip);
      }
    },
  };
}

test.each(LAUNCHES)('an output that was timed and not computed is refused: %s', (launch) => {
  const bench = () => benchCase(small, [OURS, lazy()], { ...options, caches: ['warm'], launches: [launch] });
  expect(bench).toThrow(/lazy, as timed: the output of .* is wrong/);
});
