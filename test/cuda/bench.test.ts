import { ROUNDING } from '../../src/bench/op_cases/bf16';
import { layerNormCase } from '../../src/bench/op_cases/layer_norm';
import { linearCase } from '../../src/bench/op_cases/linear';
import { meanPoolCase } from '../../src/bench/op_cases/mean_pool';
import { normMlpCase } from '../../src/bench/op_cases/norm_mlp';
import type { KernelCase } from '../../src/bench/kernels/kernel_case';
import { benchCase, termsOfTimed, verifyVariant, type KernelRow } from '../../src/bench/kernels/measure';
import { casesInBf16 } from '../../src/bench/kernels/ops';
import type { Launch } from '../../src/bench/kernels/rounds';
import { OURS, type Variant } from '../../src/bench/kernels/variant';
import { elementsOf } from '../../src/bench/op_cases/tensors';
import { withLayer } from '../../src/core/dispatch';
import { native } from '../../src/core/native';
import { instead } from '../support/spoil';
import { memory } from '../../src/core/runtime';

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
  const skipping = instead('linear_forward', () => undefined);
  return {
    ...OURS,
    name: 'lazy',
    use: (body) => {
      return runs++ < 2 ? body() : withLayer(skipping, body);
    },
  };
}

test.each(LAUNCHES)('an output that was timed and not computed is refused: %s', (launch) => {
  const bench = () => benchCase(small, [OURS, lazy()], { ...options, caches: ['warm'], launches: [launch] });
  expect(bench).toThrow(/lazy, as timed: the output of .* is wrong/);
});

const norm: KernelCase = { op: 'layer_norm', stage: 1, timed: layerNormCase([3, 16]), macs: 0 };
const pool: KernelCase = {
  ...{ op: 'mean_pool', stage: 1, timed: meanPoolCase([2, 1, 2, 3, 8], 3), macs: 0 },
  backwardReadsNothing: true,
};

describe('in bf16', () => {
  afterEach(() => jest.restoreAllMocks());
  const [linear, ...others] = casesInBf16([small, mlp, norm, pool]);

  test.each([linear!, ...others])('an op is verified and timed in four regimes: %#', (c) => {
    const { live } = memory('cuda');
    const rows = benchCase(c, [OURS], { ...options, caches: ['warm', 'cold'], launches: LAUNCHES });
    expect(rows).toHaveLength(8);
    for (const row of rows) {
      expect(row.dtype).toBe('bf16');
      // More than any f32 kernel is off: numbers were rounded.
      if (row.direction === 'forward' && c.op !== 'mean_pool') expect(row.error).toBeGreaterThan(0.1 * ROUNDING);
      expect(row.error).toBeLessThan(8 * ROUNDING);
    }
    expect(memory('cuda').live).toBe(live);
  });

  test('tokens count 2 bytes a number, weights 4, and the limit is that of bf16', () => {
    const peak = jest.spyOn(native, 'fmaPeak');
    const [forward, backward] = benchCase(linear!, [OURS], { ...options, caches: ['cold'], launches: ['launched'] });
    expect(new Set(peak.mock.calls.map(([, ...where]) => where.join(' ')))).toEqual(new Set(['cuda bf16']));
    const moved = ({ gbs, median }: KernelRow) => Math.round(gbs * median * 1e6);
    const [tokens, output, weights] = [2 * 40 * 20, 2 * 40 * 24, 4 * (24 * 20 + 24)];
    expect(moved(forward!)).toBe(tokens + weights + output);
    expect(moved(backward!)).toBe(2 * (tokens + weights) + output);
  });

  /** Ours, with what `spoil` does to the output of linear. */
  const spoiled = (spoil: (y: Uint16Array) => void): Variant => {
    const forward = instead('linear_forward', (args, original) => {
      original(args);
      const y = new Uint16Array(40 * 24);
      native.bufferRead(args.y.handle, y);
      spoil(y);
      native.bufferWrite(args.y.handle, y);
    });
    return { ...OURS, name: 'spoiled', use: (body) => withLayer(forward, body) };
  };
  const check = (variant: Variant) => verifyVariant(linear!, termsOfTimed(linear!), variant, { seed: 3 });

  test.each<[string, (y: Uint16Array) => void]>([
    ['a NaN', (y) => (y[100] = 0x7fc0)],
    ['an element that is off', (y) => (y[7] = elementsOf([-0.5], 'bf16')[0]!)],
    ['zeros', (y) => y.fill(0)],
    ['numbers two steps off', (y) => y.forEach((bits, i) => (y[i] = bits - 2))],
  ])('%s is found wrong', (_, spoil) => {
    expect(() => check(spoiled(spoil))).toThrow(/spoiled: the output of .* is wrong: /);
  });

  test('a gradient that is zero is found wrong', () => {
    const backward = instead('linear_backward', (args, original) => {
      original(args);
      native.bufferWrite(args.dweight!.handle, new Float32Array(24 * 20));
    });
    expect(() => withLayer(backward, () => check(OURS))).toThrow(/gradients of .* are wrong/);
  });
});
