import { tensor, type Tensor } from '../tensor';
import type { Array64, Input, OpCase } from './case';
import { uniform } from './random';

/** Whether the gradient of an input is checked. */
export const hasGrad = (input: Input): boolean => (input.dtype ?? 'f32') === 'f32' && input.grad !== false;

/** The numbers of an input: fixed, or from the generator at this seed. */
export function makeInput(input: Input, seed: number): Array64 {
  const n = input.shape.reduce((a, b) => a * b, 1);
  const values = input.values ?? uniform(seed, n, input.scale ?? 1, input.offset ?? 0);
  return { shape: input.shape, data: Float64Array.from(values) };
}

/** The tensor of an input. */
export function makeTensor(input: Input, array: Array64, requiresGrad: boolean): Tensor {
  const Kind = input.dtype === 'i32' ? Int32Array : Float32Array;
  return tensor(Kind.from(array.data), input.shape, { requiresGrad: requiresGrad && hasGrad(input) });
}

/** One value for each input of a case, by name. */
export function mapInputs<T>(c: OpCase, make: (input: Input, name: string, index: number) => T): Record<string, T> {
  return Object.fromEntries(Object.entries(c.inputs).map(([name, input], i) => [name, make(input, name, i)]));
}
