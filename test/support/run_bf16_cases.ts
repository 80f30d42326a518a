import { backward } from '../../src/autograd';
import type { Array64, OpCase } from '../../src/cases/case';
import { relativeError, worstElement } from '../../src/cases/compare';
import { uniform } from '../../src/cases/random';
import { hasGrad, makeInput, makeTensor, mapInputs } from '../../src/cases/tensors';
import { cast } from '../../src/ops';
import { memory } from '../../src/runtime';
import { scope } from '../../src/scope';
import { tensor, type Tensor } from '../../src/tensor';
import { numericGradient } from './run_cases';

/** Half a step between neighbours of bf16 (8 bits), relative to the smallest that has it: the most that one rounding is off. */
export const ROUNDING = 2 ** -8;

/** Numbers as bf16 has them. */
export function rounded(values: ArrayLike<number>): Float32Array {
  return scope(() => cast(tensor(Float32Array.from(values)), 'bf16').floats());
}

/** How an op is run in bf16. */
export interface Bf16Options {
  /** Inputs that are activations; all others stay f32. */
  activations: readonly string[];
  /** The most that may be off, in roundings: those on the way to the output or a gradient, or fewer where they cancel. */
  roundings: { forward: number; gradient: number };
  /** Hold gradients to the op's own in f32, which other tests hold to float64: for cases too large for differences of the oracle. */
  gradientsOfF32?: boolean;
}

/** Inputs that are bf16 numbers already, so that what is measured is the op's own rounding. */
function roundedInputs(c: OpCase): Record<string, Array64> {
  return mapInputs(c, (input, _, i) => {
    const made = makeInput(input, i);
    return input.dtype === 'i32' ? made : { shape: made.shape, data: Float64Array.from(rounded(made.data)) };
  });
}

/**
 * The L2 error is at most a rounding for each time that numbers are rounded on the way, and no element is off by more than twice as much
 * of the largest. The length of a sum does not count: sums are f32, and n rounded terms are off by sqrt(n) roundings of one of them, as
 * their sum is sqrt(n) times as large. 2e-5 is for f32.
 */
function expectWithin(what: string, actual: ArrayLike<number>, expected: ArrayLike<number>, roundings: number): void {
  const errors = { l2: relativeError(actual, expected), worst: worstElement(actual, expected) };
  const allowed = roundings * ROUNDING + 2e-5;
  if (errors.l2 <= allowed && errors.worst <= 2 * allowed) return;
  const [l2, worst] = [errors.l2, errors.worst].map((e) => (e / ROUNDING).toFixed(2));
  throw new Error(`${what}: off by ${l2} roundings (L2), ${worst} (worst element), allowed ${roundings}`);
}

type Truth = (name: string) => ArrayLike<number>;

function f32Gradients(c: OpCase, arrays: Record<string, Array64>, gy: Float32Array): Truth {
  const found = scope(() => {
    const leaves = mapInputs(c, (input, name) => makeTensor(input, arrays[name]!, true));
    const y = c.forward(leaves);
    backward(y, tensor(gy, y.shape));
    return mapInputs(c, (_, name) => {
      const { grad } = leaves[name]!;
      const values = grad?.floats() ?? new Float32Array();
      grad?.dispose();
      return values;
    });
  });
  return (name) => found[name]!;
}

function runCase(c: OpCase, { activations, roundings, gradientsOfF32 }: Bf16Options): void {
  const arrays = roundedInputs(c);
  scope(() => {
    const leaves = mapInputs(c, (input, name) => makeTensor(input, arrays[name]!, true));
    const given = mapInputs(c, (_, name): Tensor => {
      return activations.includes(name) ? cast(leaves[name]!, 'bf16') : leaves[name]!;
    });
    const y = c.forward(given);
    const expected = c.oracle(arrays);
    expect(y.shape).toEqual(expected.shape);
    expectWithin('forward', y.floats(), expected.data, roundings.forward);
    if (!Object.values(c.inputs).some(hasGrad)) return;
    const gy = rounded(uniform(77, y.size));
    const wide = cast(y, 'f32');
    backward(wide, tensor(gy, y.shape));
    const truth: Truth = gradientsOfF32
      ? f32Gradients(c, arrays, gy)
      : (name) => numericGradient(c, arrays, name, Float64Array.from(gy));
    for (const [name, input] of Object.entries(c.inputs)) {
      const { grad } = leaves[name]!;
      if (!hasGrad(input)) continue;
      if (!grad) throw new Error(`no gradient for ${name}`);
      expectWithin(`gradient of ${name}`, grad.floats(), truth(name), roundings.gradient);
      grad.dispose();
    }
  });
}

/** Registers a test of each case in bf16, forward and backward, against float64 on the same rounded numbers. */
export function runBf16Cases(op: string, cases: readonly OpCase[], options: Bf16Options): void {
  test.each(cases.map((c) => [c.name, c] as const))(`${op} in bf16: %s`, (_, c) => {
    const { live } = memory();
    runCase(c, options);
    expect(memory().live).toBe(live);
  });
}
