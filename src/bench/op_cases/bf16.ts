/** bf16 cases of ops. Inputs are exact in bf16, so that only the op's own roundings cause errors. */
import type { Bf16Op } from '../../core/kernels';
import type { Precision } from '../../core/native';
import type { Input, OpCase, Roundings } from './case';
import type { Tolerance } from './compare';

/** The largest relative error of one rounding to bf16 (8 significant bits). */
export const ROUNDING = 2 ** -8;

/** How to run an op in bf16. */
export interface Bf16Terms {
  /** The inputs that are activations; all others stay f32. */
  activations: readonly string[];
  roundings: Roundings;
}

const terms = (activations: readonly string[], forward: number, gradient: number): Bf16Terms => ({
  activations,
  roundings: { forward, gradient },
});

/** The terms of each op with bf16 cases. */
export const BF16_TERMS = {
  arithmetic: terms(['a', 'b'], 1, 2),
  batch_norm: terms(['x'], 1, 1),
  conv3d: terms(['x'], 1, 1),
  // Training rounds after the convolution and again after BatchNorm; evaluation rounds once.
  conv_norm: terms(['x'], 2, 2),
  cumsum: terms(['x'], 1, 2),
  gelu: terms(['x'], 1, 1),
  layer_norm: terms(['x'], 1, 1),
  linear: terms(['x'], 1, 2),
  mean_pool: terms(['x0', 'x1', 'x2'], 0, 1), // its output is f32
  morph_fc: terms(['x'], 1, 1),
  norm_mlp: terms(['x'], 2, 2),
  // The gradient through the softmax of branch weights is a small difference of large sums.
  norm_spatial: terms(['x', 'xt'], 2, 8),
  norm_temporal: terms(['x'], 2, 2),
  resize: terms(['x'], 1, 1),
  reweight: terms(['branch0', 'branch1', 'branch2'], 1, 1),
  temporal_fc: terms(['x'], 1, 1),
} as const satisfies Partial<Record<Bf16Op, Bf16Terms>>;

/** The case with activations in bf16. Other inputs are rounded to bf16 but stored as f32, because GEMMs round their operands. */
export function inBf16(c: OpCase, { activations, roundings }: Bf16Terms): OpCase {
  const convert = ([name, input]: [string, Input]): [string, Input] => {
    if (input.dtype === 'i32') return [name, input];
    return [name, activations.includes(name) ? { ...input, dtype: 'bf16' } : { ...input, rounded: true }];
  };
  return { ...c, inputs: Object.fromEntries(Object.entries(c.inputs).map(convert)), roundings };
}

/** Element type of a case's activations. */
export const precisionOf = ({ roundings }: OpCase): Precision => (roundings ? 'bf16' : 'f32');

/**
 * The tolerance after `roundings` roundings to bf16: one rounding error each in L2, and twice as much of the largest for an element. It
 * does not depend on the length of sums: they are f32, and the error of n rounded terms and their sum both grow as sqrt(n). 2e-5 covers f32.
 */
export function bf16Tolerance(roundings: number): Tolerance {
  const l2 = roundings * ROUNDING + 2e-5;
  return { l2, worst: 2 * l2 };
}
