import type { DType } from '../../core/native';
import { cast } from '../../ops/cast';
import { scope } from '../../core/scope';
import { tensor, type NumericArray, type Tensor } from '../../core/tensor';
import type { Array64, Input, OpCase } from './case';
import { uniform } from './random';

/** Whether the gradient of an input is checked. */
export const hasGrad = (input: Input): boolean => input.dtype !== 'i32' && input.grad !== false;

/** Rounds values to the nearest bf16. */
export function rounded(values: ArrayLike<number>): Float32Array {
  return scope(() => cast(tensor(Float32Array.from(values)), 'bf16').floats());
}

/** Converts values to the array type of a tensor of `dtype`. @throws if a value is not exact in bf16: nothing is rounded here */
export function elementsOf(values: ArrayLike<number>, dtype: DType): NumericArray {
  if (dtype === 'i32') return Int32Array.from(values);
  const floats = Float32Array.from(values);
  if (dtype !== 'bf16') return floats;
  return Uint16Array.from(new Uint32Array(floats.buffer), (bits, i) => {
    if (bits & 0xffff) throw new Error(`${floats[i]} is not exact in bf16`);
    return bits >>> 16;
  });
}

/** The values of an input: fixed, or generated from a seed. */
export function makeInput(input: Input, seed: number): Array64 {
  const n = input.shape.reduce((a, b) => a * b, 1);
  const values = input.values ?? uniform(seed, n, input.scale ?? 1, input.offset ?? 0);
  const shown = input.rounded || input.dtype === 'bf16' ? rounded(values) : values;
  return { shape: input.shape, data: Float64Array.from(shown) };
}

/** Creates the tensor of an input. */
export function makeTensor(input: Input, array: Array64, requiresGrad: boolean): Tensor {
  const { dtype = 'f32', shape } = input;
  return tensor(elementsOf(array.data, dtype), shape, { dtype, requiresGrad: requiresGrad && hasGrad(input) });
}

/** Creates the upstream gradient of an output from values, with the output's element type. */
export const gradientFor = (y: Pick<Tensor, 'shape' | 'dtype'>, numbers: ArrayLike<number>): Tensor =>
  tensor(elementsOf(numbers, y.dtype), y.shape, { dtype: y.dtype });

/** Maps each input of a case to a value, by name. */
export function mapInputs<T>(c: OpCase, make: (input: Input, name: string, index: number) => T): Record<string, T> {
  return Object.fromEntries(Object.entries(c.inputs).map(([name, input], i) => [name, make(input, name, i)]));
}
