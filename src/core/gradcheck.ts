import { backward, noGrad } from './autograd';
import { expectOptions } from './options';
import { Philox } from './philox';
import { scope } from './scope';
import { tensor, type Tensor } from './tensor';

/** Options of `gradcheck`. */
export interface GradcheckOptions {
  /** Allowed difference, relative to 1 plus the gradient; default 1e-3: numbers are f32. */
  tolerance?: number;
  /** Step of the differences, relative to 1 or the element if that is larger; default 1/32. */
  step?: number;
}

/** The sum of y times fixed random numbers, in float64: a scalar whose gradient tests all elements of y. */
function project(y: Tensor, weights: Float32Array): number {
  return y.floats().reduce((sum, v, i) => sum + v * weights[i]!, 0);
}

function checkInputs(inputs: readonly Tensor[]): void {
  if (!inputs.some((t) => t.requiresGrad)) throw new Error('gradcheck: none of the inputs requires a gradient');
  inputs.forEach((t, i) => {
    if (t.requiresGrad && (t.dtype !== 'f32' || t.node))
      throw new Error(`gradcheck: input ${i} must be an f32 leaf, got ${t.node ? 'the result of an op' : t.dtype}`);
  });
}

/** Gradients of the projection by a backward; the inputs' own gradients stay as they were. */
function analytic(f: (...inputs: Tensor[]) => Tensor, inputs: readonly Tensor[], weights: Float32Array) {
  const before = inputs.map((t) => t.grad);
  inputs.forEach((t) => (t.grad = null));
  try {
    const y = f(...inputs);
    backward(y, tensor(weights, y.shape, { device: y.device }));
    return inputs.map((t) => t.grad?.floats() ?? new Float32Array(t.size));
  } finally {
    inputs.forEach((t, i) => {
      t.grad?.dispose();
      t.grad = before[i]!;
    });
  }
}

/**
 * Compares the gradients of `f` with differences of its values at four points around each element. The inputs should lie away from
 * corners (as those of `relu` and `max`) by a few steps; `f` must compute the same each time, so no dropout.
 * @param f from the inputs to a tensor of f32, of any shape
 * @param inputs f32 leaves; those with `requiresGrad` are checked
 * @returns true
 * @throws naming the input and the element whose gradient is wrong
 */
export function gradcheck(
  f: (...inputs: Tensor[]) => Tensor,
  inputs: readonly Tensor[],
  options: GradcheckOptions = {},
): true {
  expectOptions('gradcheck', options, { tolerance: true, step: true });
  const { tolerance = 1e-3, step = 1 / 32 } = options;
  checkInputs(inputs);
  const random = new Philox(1);
  const size = noGrad(() => scope(() => f(...inputs).size));
  const weights = Float32Array.from({ length: size }, () => random.uniform(-1, 1));
  const gradients = scope(() => analytic(f, inputs, weights));
  const value = () => noGrad(() => scope(() => project(f(...inputs), weights)));
  for (const [index, input] of inputs.entries()) {
    if (!input.requiresGrad) continue;
    const original = input.floats();
    const at = (i: number, shift: number): number => {
      input.copyFrom(original.map((v, j) => (j === i ? v + shift : v)));
      return value();
    };
    try {
      original.forEach((v, i) => {
        const h = step * Math.max(1, Math.abs(v));
        const expected = (8 * (at(i, h) - at(i, -h)) - (at(i, 2 * h) - at(i, -2 * h))) / (12 * h);
        const got = gradients[index]![i]!;
        if (Math.abs(got - expected) <= tolerance * (1 + Math.abs(expected))) return;
        throw new Error(
          `gradcheck: element ${i} of input ${index}: the gradient is ${got}, by differences ${expected.toPrecision(6)}`,
        );
      });
    } finally {
      input.copyFrom(original);
    }
  }
  return true;
}
