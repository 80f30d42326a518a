import { backward } from '../../src/core/autograd';
import { tensor } from '../../src/core/tensor';
import { scope } from '../../src/core/scope';
import { memory } from '../../src/core/runtime';
import type { Array64, OpCase } from '../../src/bench/op_cases/case';
import { hasGrad, makeInput, makeTensor, mapInputs } from '../../src/bench/op_cases/tensors';
import { relativeError, worstElement } from '../../src/bench/op_cases/compare';
import { uniform } from '../../src/bench/op_cases/random';

type Arrays = Record<string, Array64>;

/** d(sum(oracle * gy))/d(input) by central differences in float64. */
export function numericGradient(c: OpCase, arrays: Arrays, name: string, gy: Float64Array): Float64Array {
  const x = (arrays[name] as Array64).data;
  const loss = () => c.oracle(arrays).data.reduce((sum, y, i) => sum + y * (gy[i] as number), 0);
  return x.map((value, i) => {
    const h = 1e-4 * Math.max(1, Math.abs(value));
    x[i] = value + h;
    const up = loss();
    x[i] = value - h;
    const down = loss();
    x[i] = value;
    return (up - down) / (2 * h);
  });
}

function expectClose(what: string, actual: ArrayLike<number>, expected: ArrayLike<number>, tolerance: number): void {
  const errors = { l2: relativeError(actual, expected), worst: worstElement(actual, expected) };
  if (!(errors.l2 <= tolerance) || !(errors.worst <= tolerance * 20)) {
    throw new Error(
      `${what}: L2 error ${errors.l2.toExponential(2)}, worst element ${errors.worst.toExponential(2)}, allowed ${tolerance}`,
    );
  }
}

function checkForward(c: OpCase): void {
  const arrays = mapInputs(c, (input, _, i) => makeInput(input, i));
  scope(() => {
    const y = c.forward(mapInputs(c, (input, name) => makeTensor(input, arrays[name] as Array64, false)));
    const expected = c.oracle(arrays);
    expect(y.shape).toEqual(expected.shape);
    expectClose('forward', y.floats(), expected.data, c.tolerance?.forward ?? 1e-6);
  });
}

function checkGradient(c: OpCase): void {
  const arrays = mapInputs(c, (input, _, i) => makeInput(input, i));
  scope(() => {
    const inputs = mapInputs(c, (input, name) => makeTensor(input, arrays[name] as Array64, true));
    const y = c.forward(inputs);
    const gy = uniform(77, y.size);
    backward(y, tensor(gy, y.shape));
    for (const [name, input] of Object.entries(c.inputs)) {
      if (!hasGrad(input)) continue;
      const grad = inputs[name]?.grad;
      if (!grad) throw new Error(`no gradient for ${name}`);
      const expected = numericGradient(c, arrays, name, Float64Array.from(gy));
      expectClose(`gradient of ${name}`, grad.floats(), expected, c.tolerance?.gradient ?? 1e-5);
      grad.dispose();
    }
  });
}

/** Wraps a test body that must not leak memory. Measured inside it, because between tests the garbage collector may free other memory. */
function leavingNothing(body: () => void): () => void {
  return () => {
    const { live } = memory();
    body();
    expect(memory().live).toBe(live);
  };
}

/** Registers a forward test and a gradient check of each case, both with a leak check. */
export function runCases(op: string, cases: readonly OpCase[]): void {
  describe.each(cases.map((c) => [c.name, c] as const))(`${op}: %s`, (_, c) => {
    test(
      'forward agrees with float64',
      leavingNothing(() => checkForward(c)),
    );
    if (Object.values(c.inputs).some(hasGrad))
      test(
        'gradients agree with float64',
        leavingNothing(() => checkGradient(c)),
      );
  });
}
