import type { Tensor } from '../../core/tensor';

/** A float64 array with a shape: what oracles compute with. */
export interface Array64 {
  shape: readonly number[];
  data: Float64Array;
}

/** How one input of a case is made. */
export interface Input {
  shape: readonly number[];
  /** Values are uniform in [-scale, scale) + offset; default 1 and 0. */
  scale?: number;
  offset?: number;
  /** Fixed values instead of random ones. */
  values?: readonly number[];
  /** `i32` inputs (labels, indices) need `values`; those of `bf16` are rounded to it. */
  dtype?: 'f32' | 'bf16' | 'i32';
  /** true: the numbers are those of bf16, whatever they are stored in. */
  rounded?: boolean;
  /** false: no gradient is checked for this input. i32 inputs never have one. */
  grad?: boolean;
  /** The op itself writes to it: running statistics. */
  updated?: boolean;
}

/** How often numbers are rounded to bf16 on the way to the output or to a gradient, or fewer where roundings cancel. */
export interface Roundings {
  forward: number;
  gradient: number;
}

/**
 * One op at one set of shapes, written once and used as forward test, gradient check and benchmark. The oracle computes the
 * same in float64 from the exact f32 inputs; gradients are checked against central differences of the oracle.
 */
export interface OpCase {
  name: string;
  inputs: Record<string, Input>;
  forward(inputs: Record<string, Tensor>): Tensor;
  oracle(inputs: Record<string, Array64>): Array64;
  /**
   * The L2 norm of all that the output's sums are made of. Roundings are of its size, not of the output's, where a sum cancels:
   * only an output of very few numbers can cancel as a whole.
   */
  addends?(inputs: Record<string, Array64>): number;
  /** Largest relative L2 error of the output and of each gradient; default 1e-6 and 1e-5. */
  tolerance?: { forward?: number; gradient?: number };
  /** Of a case in bf16 (`bf16.ts`): what it is held to, in place of a tolerance. */
  roundings?: Roundings;
}

/** An Array64 from a shape and a function of the flat index. */
export function array64(shape: readonly number[], at: (i: number) => number): Array64 {
  const n = shape.reduce((a, b) => a * b, 1);
  return { shape, data: Float64Array.from({ length: n }, (_, i) => at(i)) };
}
