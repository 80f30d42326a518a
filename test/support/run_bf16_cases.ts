import { backward } from '../../src/core/autograd';
import { takeGradients } from '../../src/bench/kernels/variant';
import { judge } from '../../src/bench/kernels/verify';
import { bf16Tolerance, inBf16, type Bf16Terms } from '../../src/bench/op_cases/bf16';
import type { Array64, OpCase } from '../../src/bench/op_cases/case';
import { uniform } from '../../src/bench/op_cases/random';
import { gradientFor, hasGrad, makeInput, makeTensor, mapInputs, rounded } from '../../src/bench/op_cases/tensors';
import { memory } from '../../src/core/runtime';
import { scope } from '../../src/core/scope';
import { tensor } from '../../src/core/tensor';
import { numericGradient } from './run_cases';

/** Computes the reference gradient of an input. */
type Truth = (name: string, arrays: Record<string, Array64>, gy: Float32Array) => ArrayLike<number>;

/** By central differences of the oracle. */
const ofOracle =
  (c: OpCase): Truth =>
  (name, arrays, gy) =>
    numericGradient(c, arrays, name, Float64Array.from(gy));

/** The op's f32 gradient, which other tests verify against float64: for cases too large for central differences. */
function ofF32(c: OpCase): Truth {
  let grads: Record<string, Float32Array> | undefined;
  return (name, arrays, gy) => {
    grads ??= scope(() => {
      const leaves = mapInputs(c, (input, at) => makeTensor(input, arrays[at]!, true));
      const y = c.forward(leaves);
      backward(y, tensor(gy, y.shape));
      return takeGradients(c, leaves);
    });
    return grads[name]!;
  };
}

function runCase(c: OpCase, truth: Truth): void {
  const [arrays, roundings] = [mapInputs(c, (input, _, i) => makeInput(input, i)), c.roundings!];
  scope(() => {
    const leaves = mapInputs(c, (input, name) => makeTensor(input, arrays[name]!, true));
    const y = c.forward(leaves);
    const expected = c.oracle(arrays);
    expect(y.shape).toEqual(expected.shape);
    judge('forward', y.floats(), expected.data, bf16Tolerance(roundings.forward));
    if (!Object.values(c.inputs).some(hasGrad)) return;
    const gy = rounded(uniform(77, y.size));
    backward(y, gradientFor(y, gy));
    for (const [name, input] of Object.entries(c.inputs)) {
      const { grad } = leaves[name]!;
      if (!hasGrad(input)) continue;
      if (!grad) throw new Error(`no gradient for ${name}`);
      expect(grad.dtype).toBe(input.dtype ?? 'f32');
      judge(`gradient of ${name}`, grad.floats(), truth(name, arrays, gy), bf16Tolerance(roundings.gradient));
      grad.dispose();
    }
  });
}

/**
 * Registers a bf16 test of each case, forward and backward, against float64 on the same rounded values; with `gradientsOfF32` gradients
 * are compared with the op's own in f32.
 */
export function runBf16Cases(
  op: string,
  cases: readonly OpCase[],
  terms: Bf16Terms,
  { gradientsOfF32 = false }: { gradientsOfF32?: boolean } = {},
): void {
  test.each(cases.map((c) => [c.name, c] as const))(`${op} in bf16: %s`, (_, c) => {
    const { live } = memory();
    runCase(inBf16(c, terms), gradientsOfF32 ? ofF32(c) : ofOracle(c));
    expect(memory().live).toBe(live);
  });
}
