import { backward } from '../src/autograd';
import { memory } from '../src/runtime';
import { scope } from '../src/scope';
import { tensor } from '../src/tensor';
import type { Array64, OpCase } from '../test/cases/case';
import { hasGrad, makeInput, makeTensor, mapInputs } from '../test/support/case_tensors';
import { relativeError } from '../test/support/compare';
import { uniform } from '../test/support/random';

/** Errors against float64: of the output (relative, L2), and of the gradients (see `gradientError`). */
export interface Errors {
  forward: number;
  gradient: number;
}

const TOLERANCE: Errors = { forward: 2e-6, gradient: 1e-4 };

type Gradients = Record<string, Float32Array>;

/** Our output and gradients of every input for the upstream gradient gy. */
function ours(c: OpCase, arrays: Record<string, Array64>, gy: Float32Array): { y: Float32Array; grads: Gradients } {
  return scope(() => {
    const inputs = mapInputs(c, (input, name) => makeTensor(input, arrays[name]!, true));
    const output = c.forward(inputs);
    const y = output.floats();
    backward(output, tensor(gy, output.shape));
    const grads: Gradients = {};
    for (const [name, t] of Object.entries(inputs)) {
      if (!hasGrad(c.inputs[name]!)) continue;
      grads[name] = t.grad?.floats() ?? new Float32Array();
      t.grad?.dispose();
    }
    return { y, grads };
  });
}

const norm = (values: ArrayLike<number>) => Math.sqrt(dot(values, values));

function dot(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i]! * b[i]!;
  return sum;
}

/** The oracle's sum(y * gy) with each input moved by `step` along its direction. */
function lossAt(c: OpCase, arrays: Record<string, Array64>, along: Record<string, Float64Array>, gy: Float32Array) {
  return (step: number): number => {
    const moved = mapInputs(c, (_, name) => {
      const { shape, data } = arrays[name]!;
      const direction = along[name];
      return { shape, data: direction ? data.map((v, i) => v + step * direction[i]!) : data };
    });
    return dot(c.oracle(moved).data, gy);
  };
}

/**
 * Holds all gradients to float64 at once: the derivative of the oracle along one random direction of all inputs, by central
 * differences, against what our gradients say it is. Each input's direction is scaled so that its gradient counts for about 1.
 * A missing, zero or NaN gradient gives NaN or more than any tolerance.
 */
function gradientError(c: OpCase, arrays: Record<string, Array64>, grads: Gradients, gy: Float32Array): number {
  const along = Object.fromEntries(
    Object.entries(grads).map(([name, grad], i) => {
      const scale = Math.sqrt(3) / norm(grad);
      return [name, Float64Array.from(uniform(900 + i, grad.length), (v) => v * scale)];
    }),
  );
  const largest = Math.max(...Object.values(along).map((v) => norm(v) / Math.sqrt(v.length)));
  const loss = lossAt(c, arrays, along, gy);
  const step = 1e-4 / largest;
  const expected = (loss(step) - loss(-step)) / (2 * step);
  const found = Object.entries(grads).reduce((sum, [name, grad]) => sum + dot(grad, along[name]!), 0);
  return Math.abs(found - expected);
}

/** Compares a case with its oracle, output and gradients; throws when it is wrong or leaves memory behind. */
export function verify(c: OpCase): Errors {
  const live = memory().live;
  const arrays = mapInputs(c, (input, _, i) => makeInput(input, i));
  const expected = c.oracle(arrays);
  const gy = uniform(77, expected.data.length);
  const { y, grads } = ours(c, arrays, gy);
  const errors = { forward: relativeError(y, expected.data), gradient: gradientError(c, arrays, grads, gy) };
  if (!(errors.forward <= TOLERANCE.forward) || !(errors.gradient <= TOLERANCE.gradient))
    throw new Error(`${c.name} is wrong: errors ${JSON.stringify(errors)}, allowed ${JSON.stringify(TOLERANCE)}`);
  if (memory().live !== live) throw new Error(`${c.name} leaves ${memory().live - live} bytes behind`);
  return errors;
}
