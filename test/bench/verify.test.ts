import { rejectTooFast } from '../../src/bench/kernels/measure';
import { OURS, type Variant } from '../../src/bench/kernels/variant';
import { judge, verify } from '../../src/bench/kernels/verify';
import { f32Tolerance } from '../../src/bench/op_cases/compare';
import { linearCase } from '../../src/bench/op_cases/linear';
import { morphFcCase } from '../../src/bench/op_cases/morph_fc';
import { withLayer } from '../../src/core/dispatch';
import type { MorphFcForward } from '../../src/core/kernels';
import { native } from '../../src/core/native';
import { instead } from '../support/spoil';

const c = morphFcCase([1, 2, 4, 4, 8], { axis: 'width', chunk: 4, order: 'consecutive' });
const SIZE = 2 * 16 * 8;

/** Our variant with `spoil` applied to the output of the forward. */
function spoiled(name: string, spoil: (y: Float32Array, args: MorphFcForward) => Float32Array): Variant {
  const forward = instead('morph_fc_forward', (args, original) => {
    original(args);
    const y = new Float32Array(SIZE);
    native.bufferRead(args.y.handle, y);
    native.bufferWrite(args.y.handle, spoil(y, args));
  });
  return { name, flags: '', backward: true, use: (body) => withLayer(forward, body) };
}

let kept: Float32Array | null = null;

test.each([
  ['zeros', (y: Float32Array) => y.map(() => 0)],
  ['a stale output', (y: Float32Array) => (kept ??= y.slice()).slice()],
  ['one NaN', (y: Float32Array) => y.map((v, i) => (i === 100 ? NaN : v))],
  ['a transposed frame', (y: Float32Array) => y.map((_, i) => y[((i >> 3) % 4) * 32 + ((i >> 5) % 4) * 8 + (i & 7)]!)],
  ['tokens that are one off', (y: Float32Array) => y.map((_, i) => y[(i + 8) % SIZE]!)],
  ['one element off by a thousandth', (y: Float32Array) => y.map((v, i) => (i === 7 ? v + 1e-3 : v))],
])('%s is found wrong', (name, spoil) => {
  expect(() => verify(c, 8, spoiled(name, spoil))).toThrow(/is wrong: /);
});

test('accepts ours and rejects a wrong gradient', () => {
  const { forward, gradient } = verify(c, 8);
  expect([forward, gradient].every((error) => error < 1e-6)).toBe(true);
  const backward = instead('morph_fc_backward', (args, original) => {
    original(args);
    native.bufferWrite(args.dweight!.handle, new Float32Array(64));
  });
  expect(() => withLayer(backward, () => verify(c, 8))).toThrow(/gradients of .* are wrong/);
});

test('detects a modified input', () => {
  const meddling = spoiled('meddling', (y, args) => {
    native.bufferWrite(args.x.handle, y);
    return y;
  });
  expect(() => verify(c, 8, meddling)).toThrow('meddling wrote to its input x');
});

test('verifies one row and one column', () => {
  expect(verify(linearCase([1], 1, 1), 1, OURS).forward).toBeLessThan(1e-6);
});

test('the error of a cancelling sum is relative to its addends', () => {
  // The two values of this seed cancel to a ten-thousandth, so one rounding is 2e-5 of the sum.
  const cancelling = linearCase([1], 1, 1);
  const { forward, arrays, results } = verify(cancelling, 1, OURS, 822);
  expect(forward).toBeLessThan(1e-6);
  const [expected, addends] = [cancelling.oracle(arrays).data, cancelling.addends!(arrays)];
  expect(() => judge('it', results.y, expected, f32Tolerance(1e-6))).toThrow('it is wrong: ');
  const off = results.y.map((v) => v + 2e-6 * addends);
  expect(() => judge('it', off, expected, f32Tolerance(1e-6), addends)).toThrow('it is wrong: relative error 2.0e-6');
});

test('times below the roofline are refused; with a warm cache only arithmetic limits', () => {
  const limits = { gflops: 100, gbs: 10 };
  const work = { flops: 1e9, bytes: 1e9 };
  expect(() => rejectTooFast('it', { ms: 5, work }, { limits, cache: 'warm' })).toThrow(
    'it: 5.000 ms is less than the machine',
  );
  expect(() => rejectTooFast('it', { ms: 50, work }, { limits, cache: 'warm' })).not.toThrow();
  expect(() => rejectTooFast('it', { ms: 50, work }, { limits, cache: 'cold' })).toThrow(/\(memory\) of 100\.000 ms$/);
  const faster = { ms: 5, work, beyond: true }; // faster instructions than the measured limit: only memory limits
  expect(() => rejectTooFast('it', faster, { limits, cache: 'warm' })).not.toThrow();
  expect(() => rejectTooFast('it', faster, { limits, cache: 'cold' })).toThrow(/\(memory\) of 100\.000 ms$/);
  const busy = { limits, cache: 'cold', others: 0.4 } as const;
  expect(() => rejectTooFast('it', { ms: 50, work }, busy)).toThrow(
    /ms; other programs used 40% of the CPU time: measure again$/,
  );
});
