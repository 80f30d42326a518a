import type { Tensor } from '../../core/tensor';

/** A float64 array with a shape, used by oracles. */
export interface Array64 {
  shape: readonly number[];
  data: Float64Array;
}

/** Describes one input of a case. */
export interface Input {
  shape: readonly number[];
  /** Values are uniform in [-scale, scale) + offset; default 1 and 0. */
  scale?: number;
  offset?: number;
  /** Fixed values instead of random ones. */
  values?: readonly number[];
  /** `i32` inputs (labels, indices) need `values`; `bf16` inputs are rounded. */
  dtype?: 'f32' | 'bf16' | 'i32';
  /** true: values are rounded to bf16 whatever their element type. */
  rounded?: boolean;
  /** false: no gradient is checked for this input. i32 inputs never have one. */
  grad?: boolean;
  /** The op itself updates it, such as running statistics. */
  updated?: boolean;
}

/** The number of roundings to bf16 on the way to the output or to a gradient; fewer if they cancel. */
export interface Roundings {
  forward: number;
  gradient: number;
}

/**
 * One op at one set of shapes, used as forward test, gradient check and benchmark. The oracle computes the same in float64 from the
 * exact f32 inputs; gradients are checked against central differences of the oracle.
 */
export interface OpCase {
  name: string;
  inputs: Record<string, Input>;
  forward(inputs: Record<string, Tensor>): Tensor;
  oracle(inputs: Record<string, Array64>): Array64;
  /**
   * The L2 norm of all addends of the output's sums. Rounding errors scale with it rather than with the output if sums cancel, which
   * only happens as a whole for outputs of very few elements.
   */
  addends?(inputs: Record<string, Array64>): number;
  /** Largest relative L2 error of the output and of each gradient; default 1e-6 and 1e-5. */
  tolerance?: { forward?: number; gradient?: number };
  /** The gradient jumps where elements are equal, which differences step over: it is verified by the op's tests, where none are. */
  jumps?: true;
  /** For a bf16 case (`bf16.ts`): determines the tolerance. */
  roundings?: Roundings;
}

/** Creates an Array64 from a shape and a function of the flat index. */
export function array64(shape: readonly number[], at: (i: number) => number): Array64 {
  const n = shape.reduce((a, b) => a * b, 1);
  return { shape, data: Float64Array.from({ length: n }, (_, i) => at(i)) };
}
