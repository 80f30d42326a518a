import { backward } from '../../src/autograd';
import { judge } from '../../src/bench/verify';
import { allowedIn, inBf16, type Bf16Terms } from '../../src/cases/bf16';
import type { OpCase } from '../../src/cases/case';
import { uniform } from '../../src/cases/random';
import { gradientFor, hasGrad, makeInput, makeTensor, mapInputs, rounded } from '../../src/cases/tensors';
import { memory } from '../../src/runtime';
import { scope } from '../../src/scope';
import { numericGradient } from './run_cases';

function runCase(c: OpCase): void {
  const [arrays, roundings] = [mapInputs(c, (input, _, i) => makeInput(input, i)), c.roundings!];
  scope(() => {
    const leaves = mapInputs(c, (input, name) => makeTensor(input, arrays[name]!, true));
    const y = c.forward(leaves);
    const expected = c.oracle(arrays);
    expect(y.shape).toEqual(expected.shape);
    judge('forward', y.floats(), expected.data, allowedIn(roundings.forward));
    if (!Object.values(c.inputs).some(hasGrad)) return;
    const gy = rounded(uniform(77, y.size));
    backward(y, gradientFor(y, gy));
    for (const [name, input] of Object.entries(c.inputs)) {
      const { grad } = leaves[name]!;
      if (!hasGrad(input)) continue;
      if (!grad) throw new Error(`no gradient for ${name}`);
      expect(grad.dtype).toBe(input.dtype ?? 'f32');
      const truth = numericGradient(c, arrays, name, Float64Array.from(gy));
      judge(`gradient of ${name}`, grad.floats(), truth, allowedIn(roundings.gradient));
      grad.dispose();
    }
  });
}

/** Registers a test of each case in bf16, forward and backward, against float64 on the same rounded numbers. */
export function runBf16Cases(op: string, cases: readonly OpCase[], terms: Bf16Terms): void {
  test.each(cases.map((c) => [c.name, c] as const))(`${op} in bf16: %s`, (_, c) => {
    const { live } = memory();
    runCase(inBf16(c, terms));
    expect(memory().live).toBe(live);
  });
}
