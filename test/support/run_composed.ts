import { backward, noGrad } from '../../src/core/autograd';
import { memory } from '../../src/core/runtime';
import { scope } from '../../src/core/scope';
import { tensor, type Tensor } from '../../src/core/tensor';
import type { OpCase } from '../../src/bench/op_cases/case';
import { relativeError } from '../../src/bench/op_cases/compare';
import { uniform } from '../../src/bench/op_cases/random';

type Tensors = Record<string, Tensor>;

function makeInputs(c: OpCase): Tensors {
  const entries = Object.entries(c.inputs).map(([name, input], i): [string, Tensor] => {
    const n = input.shape.reduce((a, b) => a * b, 1);
    const values = uniform(i, n, input.scale ?? 1, input.offset ?? 0);
    return [name, tensor(Float32Array.from(values), input.shape, { requiresGrad: true })];
  });
  return Object.fromEntries(entries);
}

/** Copies of the output and of every input's gradient. */
function run(c: OpCase, forward: (inputs: Tensors) => Tensor): Record<string, Float32Array> {
  return scope(() => {
    const inputs = makeInputs(c);
    const y = forward(inputs);
    const results: Record<string, Float32Array> = {
      output: y.floats(),
      'output without gradients': noGrad(() => forward(inputs)).floats(),
    };
    backward(y, tensor(uniform(77, y.size), y.shape));
    for (const [name, input] of Object.entries(inputs)) {
      if (!input.grad) throw new Error(`no gradient for ${name}`);
      results[`gradient of ${name}`] = input.grad.floats();
      input.grad.dispose();
    }
    return results;
  });
}

/** Registers a test that compares a fused op with the same computation of simple ops: output and every gradient. */
export function runComposed(c: OpCase, composed: (inputs: Tensors) => Tensor, allowed = 3e-6): void {
  test(`agrees with the simple ops: ${c.name}`, () => {
    const live = memory().live;
    const [fused, simple] = [run(c, (inputs) => c.forward(inputs)), run(c, composed)];
    for (const [what, values] of Object.entries(fused)) {
      const error = relativeError(values, simple[what]!);
      if (!(error <= allowed)) throw new Error(`${what}: fused and simple ops differ by ${error.toExponential(2)}`);
    }
    expect(memory().live).toBe(live);
  });
}
