/** The MLP of bf16 tokens as one kernel, at the widths that have one; narrow ones are among the cases of bf16_ops.test.ts too. */
import { noGrad } from '../../src/core/autograd';
import { BF16_TERMS } from '../../src/bench/op_cases/bf16';
import { normMlpCase } from '../../src/bench/op_cases/norm_mlp';
import { makeInput, makeTensor, mapInputs } from '../../src/bench/op_cases/tensors';
import { cast } from '../../src/ops';
import { memory, resetPeakMemory } from '../../src/core/runtime';
import { scope } from '../../src/core/scope';
import { runBf16Cases } from '../support/run_bf16_cases';

/** More rows than a block's 128 and whole blocks; hidden numbers that end within a slice; clips that end within a block. */
const cases = [
  normMlpCase([1, 131, 112], 336),
  normMlpCase([2, 65, 224], 672, [1.25, 0]),
  normMlpCase([1, 128, 112], 60),
  normMlpCase([3, 11, 84], 252, [0, 1, 1.5]),
  normMlpCase([1, 2, 5, 168], 504),
  normMlpCase([1, 1, 92], 4),
];
runBf16Cases('a fused MLP', cases, BF16_TERMS.norm_mlp, { gradientsOfF32: true });

/** Runs a case's op on tokens in bf16, with or without what a backward needs. */
function run(c: (typeof cases)[number], training: boolean): { y: Float32Array; peak: number } {
  return scope(() => {
    const given = mapInputs(c, (input, name, i) => {
      const made = makeTensor(input, makeInput(input, i), training);
      return name === 'x' ? cast(made, 'bf16') : made;
    });
    resetPeakMemory();
    const { live } = memory('cuda');
    const y = training ? c.forward(given) : noGrad(() => c.forward(given));
    return { peak: memory('cuda').peak - live, y: y.floats() };
  });
}

test.each(cases.map((c) => [c.name, c] as const))('%s: the same bits where z is kept and where it is not', (_, c) => {
  expect(run(c, false).y).toEqual(run(c, true).y);
});

test('the hidden numbers are in memory as z alone, and without a backward not at all', () => {
  const [rows, channels, hidden] = [1000, 112, 336];
  const c = normMlpCase([2, rows / 2, channels], hidden);
  const [y, weights, z] = [2 * rows * channels + 8 * rows, 4 * channels * hidden, 2 * rows * hidden];
  const small = z / 4;
  expect(run(c, false).peak).toBeLessThan(y + weights + small);
  expect(run(c, true).peak).toBeLessThan(y + weights + z + small);
});
