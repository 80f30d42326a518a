/**
 * Every op once: its stem and the kernels it has, in the order of `native/ops/ops.def`. A kernel's name is `<stem>_<kernel>`.
 * Calling a kernel that is not listed here is a compile error; a difference from what the addon exports is an error when the
 * addon is loaded.
 */
export const OPS = {
  accumulate: ['forward', 'copy'],
  adamw: ['step', 'numbers'],
  arithmetic: ['forward', 'reduce'],
  batch_norm: ['forward', 'backward'],
  cast: ['to_bf16', 'to_f32'],
  clip_input: ['forward'],
  conv3d: ['forward', 'backward'],
  conv_norm: ['forward'],
  cross_entropy: ['forward', 'backward'],
  dropout: ['factors', 'apply'],
  gelu: ['forward', 'backward'],
  grad_norm: ['measure', 'scale', 'lerp'],
  index_rows: ['forward', 'backward'],
  layer_norm: ['forward', 'backward'],
  linear: ['forward', 'backward'],
  max: ['forward', 'backward'],
  mean_pool: ['forward', 'backward'],
  morph_fc: ['forward', 'backward'],
  non_finite: ['count'],
  norm_mlp: ['forward', 'backward'],
  norm_spatial: ['branches', 'branches_backward', 'mix', 'mix_backward', 'pool', 'apply'],
  norm_temporal: ['forward', 'backward'],
  reweight: ['forward', 'backward'],
  sgd: ['step'],
  softmax: ['forward', 'backward'],
  temporal_fc: ['forward', 'backward'],
} as const;

type Ops = typeof OPS;

/**
 * The ops whose activations may be bf16, on CUDA: the KBs of `native/ops/ops.def`, which is where it is decided; a difference is an error
 * when the addon is loaded. All other ops take f32 alone, and an op that asks `expectFloats` for more does not compile.
 */
export const BF16_OPS = [
  ...(['accumulate', 'arithmetic', 'batch_norm', 'clip_input', 'conv3d', 'conv_norm', 'dropout', 'gelu'] as const),
  ...(['layer_norm', 'linear', 'mean_pool', 'morph_fc', 'non_finite', 'norm_mlp', 'norm_spatial'] as const),
  ...(['norm_temporal', 'reweight', 'temporal_fc'] as const),
] satisfies readonly (keyof Ops)[];

/** One of `BF16_OPS`. */
export type Bf16Op = (typeof BF16_OPS)[number];

/** The names of all kernels, such as `layer_norm_forward`. */
export type KernelName = { [Op in keyof Ops]: `${Op}_${Ops[Op][number]}` }[keyof Ops];

/** All kernel names, in table order. */
export const KERNEL_NAMES = Object.entries(OPS).flatMap(([op, kernels]) =>
  kernels.map((kernel) => `${op}_${kernel}` as KernelName),
);
