/** The bf16 cases of ops and their inputs. */
import type { KernelCase } from '../../src/bench/kernels/kernel_case';
import { casesInBf16, chooseCases, stemOf } from '../../src/bench/kernels/ops';
import { bf16Tolerance, BF16_TERMS, ROUNDING } from '../../src/bench/op_cases/bf16';
import { softmaxCases } from '../../src/bench/op_cases/softmax';
import { elementsOf, makeInput, rounded } from '../../src/bench/op_cases/tensors';
import { BF16_OPS } from '../../src/core/kernels';

const other = (op: string): KernelCase => ({ op, stage: 1, timed: softmaxCases[0]!, macs: 0 });

test('every timed op with bf16 kernels has a bf16 case with activations among its inputs', () => {
  const turned = casesInBf16(chooseCases().filter((c) => BF16_OPS.some((op) => op === stemOf(c))));
  expect(new Set(turned.map(stemOf)).size).toBeGreaterThan(10);
  for (const { op, timed, verified = timed } of turned) {
    const terms = BF16_TERMS[stemOf({ op } as KernelCase) as keyof typeof BF16_TERMS];
    for (const c of [timed, verified]) {
      const stored = Object.entries(c.inputs).filter(([, { dtype }]) => dtype === 'bf16');
      expect(stored.length).toBeGreaterThan(0);
      expect(c.roundings).toEqual(terms.roundings);
    }
  }
});

test('ops without bf16 are refused by name', () => {
  const [linear] = chooseCases(['linear'], [1]);
  expect(() => casesInBf16([other('softmax'), linear!, other('matmul'), other('softmax')])).toThrow(
    /^softmax, matmul: no kernels in bf16; --precision f32 measures them$/,
  );
});

test('all values of a bf16 case are exact in bf16, weights included', () => {
  const [{ timed }] = casesInBf16(chooseCases(['linear'], [1])) as [KernelCase];
  expect(timed.inputs).toMatchObject({ x: { dtype: 'bf16' }, weight: { rounded: true } });
  for (const input of Object.values(timed.inputs)) {
    const { data } = makeInput({ ...input, shape: [1000] }, 3);
    const nearest = makeInput({ ...input, shape: [1000], dtype: 'f32', rounded: false }, 3).data;
    data.forEach((v, i) => expect(Math.abs(v - nearest[i]!)).toBeLessThanOrEqual(ROUNDING * Math.abs(nearest[i]!)));
    expect(rounded(data)).toEqual(Float32Array.from(data));
    expect(Float32Array.from(data)).not.toEqual(Float32Array.from(nearest));
  }
});

test('stores the bits of bf16 and refuses values that need rounding', () => {
  expect(elementsOf([1, -0.5, 2 ** -130], 'bf16')).toEqual(Uint16Array.of(0x3f80, 0xbf00, 0x0008));
  expect(() => elementsOf([1, 1 + 2 ** -9], 'bf16')).toThrow('1.001953125 is not exact in bf16');
});

test('the tolerance grows with the number of roundings, twice as fast for an element', () => {
  expect(bf16Tolerance(0)).toEqual({ l2: 2e-5, worst: 4e-5 });
  expect(bf16Tolerance(2).l2).toBeCloseTo(2 * ROUNDING + 2e-5, 12);
});
