/** Cases of ops in bf16: on numbers that are bf16 already, so that what is off is how often an op rounds, and no more. */
import type { Bf16Op } from '../../core/kernels';
import type { Precision } from '../../core/native';
import type { Input, OpCase, Roundings } from './case';
import type { Allowed } from './compare';

/** Half a step between neighbours of bf16 (8 bits), relative to the smallest that has it: the most that one rounding is off. */
export const ROUNDING = 2 ** -8;

/** How an op is run in bf16. */
export interface Bf16Terms {
  /** Inputs that are activations; all others stay f32. */
  activations: readonly string[];
  roundings: Roundings;
}

const terms = (activations: readonly string[], forward: number, gradient: number): Bf16Terms => ({
  activations,
  roundings: { forward, gradient },
});

/** The terms of each op that has cases in bf16, by its stem. */
export const BF16_TERMS = {
  arithmetic: terms(['a', 'b'], 1, 2),
  batch_norm: terms(['x'], 1, 1),
  conv3d: terms(['x'], 1, 1),
  // Rounded as the convolution leaves them, and once more; in evaluation once.
  conv_norm: terms(['x'], 2, 2),
  gelu: terms(['x'], 1, 1),
  layer_norm: terms(['x'], 1, 1),
  linear: terms(['x'], 1, 2),
  mean_pool: terms(['x0', 'x1', 'x2'], 0, 1), // its output is f32
  morph_fc: terms(['x'], 1, 1),
  norm_mlp: terms(['x'], 2, 2),
  // What comes back through the softmax of the branches' weights is small differences of large sums.
  norm_spatial: terms(['x', 'xt'], 2, 8),
  norm_temporal: terms(['x'], 2, 2),
  reweight: terms(['branch0', 'branch1', 'branch2'], 1, 1),
  temporal_fc: terms(['x'], 1, 1),
} as const satisfies Partial<Record<Bf16Op, Bf16Terms>>;

/** The case with its activations in bf16; its other numbers are bf16 too, but stored as f32, as products round what they load. */
export function inBf16(c: OpCase, { activations, roundings }: Bf16Terms): OpCase {
  const turned = ([name, input]: [string, Input]): [string, Input] => {
    if (input.dtype === 'i32') return [name, input];
    return [name, activations.includes(name) ? { ...input, dtype: 'bf16' } : { ...input, rounded: true }];
  };
  return { ...c, inputs: Object.fromEntries(Object.entries(c.inputs).map(turned)), roundings };
}

/** What the activations of a case are. */
export const precisionOf = ({ roundings }: OpCase): Precision => (roundings ? 'bf16' : 'f32');

/**
 * What numbers that were rounded so many times may be off: a rounding each time in L2, and no element by more than twice as much of the
 * largest. The length of a sum does not count: sums are f32, and n rounded terms are off by sqrt(n) roundings of one of them, as their sum
 * is sqrt(n) times as large. 2e-5 is for f32.
 */
export function allowedIn(roundings: number): Allowed {
  const l2 = roundings * ROUNDING + 2e-5;
  return { l2, worst: 2 * l2 };
}
