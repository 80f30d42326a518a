import type { DType } from '../../core/native';
import { cast } from '../../ops/cast';
import { scope } from '../../core/scope';
import { tensor, type NumericArray, type Tensor } from '../../core/tensor';
import type { Array64, Input, OpCase } from './case';
import { uniform } from './random';

/** Whether the gradient of an input is checked. */
export const hasGrad = (input: Input): boolean => input.dtype !== 'i32' && input.grad !== false;

/** Numbers as bf16 has them, to the nearest. */
export function rounded(values: ArrayLike<number>): Float32Array {
  return scope(() => cast(tensor(Float32Array.from(values)), 'bf16').floats());
}

/** Numbers in the array that fills a tensor of this type. @throws where bf16 does not have one of them: nothing is rounded here */
export function elementsOf(values: ArrayLike<number>, dtype: DType): NumericArray {
  if (dtype === 'i32') return Int32Array.from(values);
  const floats = Float32Array.from(values);
  if (dtype !== 'bf16') return floats;
  return Uint16Array.from(new Uint32Array(floats.buffer), (bits, i) => {
    if (bits & 0xffff) throw new Error(`${floats[i]} is no number of bf16`);
    return bits >>> 16;
  });
}

/** The numbers of an input: fixed, or from the generator at this seed. */
export function makeInput(input: Input, seed: number): Array64 {
  const n = input.shape.reduce((a, b) => a * b, 1);
  const values = input.values ?? uniform(seed, n, input.scale ?? 1, input.offset ?? 0);
  const shown = input.rounded || input.dtype === 'bf16' ? rounded(values) : values;
  return { shape: input.shape, data: Float64Array.from(shown) };
}

/** The tensor of an input. */
export function makeTensor(input: Input, array: Array64, requiresGrad: boolean): Tensor {
  const { dtype = 'f32', shape } = input;
  return tensor(elementsOf(array.data, dtype), shape, { dtype, requiresGrad: requiresGrad && hasGrad(input) });
}

/** The upstream gradient of an output, of these numbers, in its type. */
export const gradientFor = (y: Pick<Tensor, 'shape' | 'dtype'>, numbers: ArrayLike<number>): Tensor =>
  tensor(elementsOf(numbers, y.dtype), y.shape, { dtype: y.dtype });

/** One value for each input of a case, by name. */
export function mapInputs<T>(c: OpCase, make: (input: Input, name: string, index: number) => T): Record<string, T> {
  return Object.fromEntries(Object.entries(c.inputs).map(([name, input], i) => [name, make(input, name, i)]));
}
