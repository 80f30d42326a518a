import { rejectTooFast } from '../../src/bench/kernels/measure';
import { OURS, type Variant } from '../../src/bench/kernels/variant';
import { judge, verify } from '../../src/bench/kernels/verify';
import { within } from '../../src/bench/op_cases/compare';
import { linearCase } from '../../src/bench/op_cases/linear';
import { morphFcCase } from '../../src/bench/op_cases/morph_fc';
import { withLayer } from '../../src/core/dispatch';
import type { MorphFcForward } from '../../src/core/kernels';
import { native } from '../../src/core/native';
import { instead } from '../support/spoil';

const c = morphFcCase([1, 2, 4, 4, 8], { axis: 'width', chunk: 4, order: 'consecutive' });
const SIZE = 2 * 16 * 8;

/** Ours, but with what `spoil` does to the forward's output. */
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

test('ours is found right, and a wrong gradient wrong', () => {
  const { forward, gradient } = verify(c, 8);
  expect([forward, gradient].every((error) => error < 1e-6)).toBe(true);
  const backward = instead('morph_fc_backward', (args, original) => {
    original(args);
    native.bufferWrite(args.dweight!.handle, new Float32Array(64));
  });
  expect(() => withLayer(backward, () => verify(c, 8))).toThrow(/gradients of .* are wrong/);
});

test('an input that is written to is found', () => {
  const meddling = spoiled('meddling', (y, args) => {
    native.bufferWrite(args.x.handle, y);
    return y;
  });
  expect(() => verify(c, 8, meddling)).toThrow('meddling wrote to its input x');
});

test('one row and one column are verified too', () => {
  expect(verify(linearCase([1], 1, 1), 1, OURS).forward).toBeLessThan(1e-6);
});

test('a sum that cancels is held to the size of what was added', () => {
  // The two numbers of this seed leave a ten-thousandth of themselves, so a rounding is 2e-5 of the sum.
  const cancelling = linearCase([1], 1, 1);
  const { forward, arrays, results } = verify(cancelling, 1, OURS, 822);
  expect(forward).toBeLessThan(1e-6);
  const [expected, addends] = [cancelling.oracle(arrays).data, cancelling.addends!(arrays)];
  expect(() => judge('it', results.y, expected, within(1e-6))).toThrow('it is wrong: ');
  const off = results.y.map((v) => v + 2e-6 * addends);
  expect(() => judge('it', off, expected, within(1e-6), addends)).toThrow('it is wrong: relative error 2.0e-6');
});

test('times below the limit are refused; what a warm cache holds need not come from memory', () => {
  const limits = { gflops: 100, gbs: 10 };
  const work = { flops: 1e9, bytes: 1e9 };
  expect(() => rejectTooFast('it', { ms: 5, work }, { limits, cache: 'warm' })).toThrow(
    'it: 5.000 ms is less than the machine',
  );
  expect(() => rejectTooFast('it', { ms: 50, work }, { limits, cache: 'warm' })).not.toThrow();
  expect(() => rejectTooFast('it', { ms: 50, work }, { limits, cache: 'cold' })).toThrow(/\(memory\) of 100\.000 ms$/);
  const faster = { ms: 5, work, beyond: true }; // other instructions than those of the limit: memory alone counts
  expect(() => rejectTooFast('it', faster, { limits, cache: 'warm' })).not.toThrow();
  expect(() => rejectTooFast('it', faster, { limits, cache: 'cold' })).toThrow(/\(memory\) of 100\.000 ms$/);
  const busy = { limits, cache: 'cold', others: 0.4 } as const;
  expect(() => rejectTooFast('it', { ms: 50, work }, busy)).toThrow(
    /ms; others took 40% of the processors: measure again$/,
  );
});
