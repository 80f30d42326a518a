/* eslint-disable max-lines */
/**
 * Written by tools/build/generate_kernels.cjs from native/ops/*.def: do not edit.
 *
 * The kernels and the arguments of each, by name. T is f32, or bf16 where the kernel takes it.
 */
import type { Handle, KernelArgument, Operand } from './operand';

/** Every op, with its kernels: a kernel's name is `<op>_<kernel>`. */
export const OPS = {
  accumulate: ['forward', 'copy'],
  adamw: ['step', 'numbers'],
  arithmetic: ['forward', 'reduce', 'copy'],
  batch_norm: ['forward', 'backward'],
  batched_matmul: ['forward'],
  cast: ['to_bf16', 'to_f32'],
  clip_input: ['forward'],
  conv3d: ['forward', 'backward'],
  conv_norm: ['forward'],
  cross_entropy: ['forward', 'backward'],
  cumsum: ['forward'],
  dropout: ['factors', 'apply'],
  gather: ['forward', 'backward'],
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
  pixel_cross_entropy: ['forward', 'backward'],
  pointwise: ['forward', 'backward'],
  resize: ['forward', 'backward'],
  reweight: ['forward', 'backward'],
  sgd: ['step'],
  softmax: ['forward', 'backward'],
  temporal_fc: ['forward', 'backward'],
  topk: ['index'],
} as const;

/** The ops whose activations may be bf16, on CUDA; an op that asks `expectFloats` for more does not compile. */
export const BF16_OPS = [
  'accumulate',
  'arithmetic',
  'batch_norm',
  'clip_input',
  'conv3d',
  'conv_norm',
  'cumsum',
  'dropout',
  'gelu',
  'layer_norm',
  'linear',
  'mean_pool',
  'morph_fc',
  'non_finite',
  'norm_mlp',
  'norm_spatial',
  'norm_temporal',
  'pointwise',
  'resize',
  'reweight',
  'temporal_fc',
] as const satisfies readonly (keyof typeof OPS)[];

/** One of `BF16_OPS`. */
export type Bf16Op = (typeof BF16_OPS)[number];

/*
 * accumulate
 * into += from, and into = from: accumulates the gradients of a tensor with several uses.
 */
/** The arguments of accumulate_forward. */
export interface AccumulateForward {
  n: number;
  /** T [n]: read. */
  from: Operand;
  /** T [n]: read and written. */
  into: Operand;
}

/** The arguments of accumulate_copy. */
export interface AccumulateCopy {
  n: number;
  /** T [n]: read. */
  from: Operand;
  /** T [n]: written. */
  into: Operand;
}

/*
 * adamw
 * One AdamW step (Loshchilov and Hutter, decoupled weight decay; PyTorch's formula) over many tensors in one pass:
 *   p *= 1 - lr * decay;  m += (1 - b1) (g - m);  v += (1 - b2) (g^2 - v);  p -= lr / c1 * m / (sqrt(v) / sqrt(c2) +
 *   eps)
 * with the bias corrections c1 = 1 - b1^step and c2 = 1 - b2^step.
 */
/** The arguments of adamw_step. */
export interface AdamwStep {
  lr: number;
  beta1: number;
  beta2: number;
  eps: number;
  decay: number;
  step: number;
  /** f32: read and written. */
  parameters: readonly Operand[];
  /** f32: read. */
  gradients: readonly Operand[];
  /** f32: read and written. */
  first: readonly Operand[];
  /** f32: read and written. */
  second: readonly Operand[];
  /** f32 [3]: read. */
  numbers: Operand | null;
}

/** The arguments of adamw_numbers. */
export interface AdamwNumbers {
  lr: number;
  beta1: number;
  beta2: number;
  decay: number;
  step: number;
  /** f32 [3]: written. */
  numbers: Operand;
}

/*
 * arithmetic
 * y = a (op) b, elementwise over up to six dimensions, with stride 0 for a repeated dimension of an operand (NumPy
 * broadcasting), the sum that reduces a gradient to an operand's shape, and the copy between strided layouts.
 */
/** The arguments of arithmetic_forward. */
export interface ArithmeticForward {
  kind: number;
  slope: number;
  dims: readonly number[];
  strideA: readonly number[];
  strideB: readonly number[];
  lengthA: number;
  lengthB: number;
  /** T [length_a]: read. */
  a: Operand;
  /** T [length_b]: read. */
  b: Operand;
  /** T [product(dims)]: written. */
  y: Operand;
}

/** The arguments of arithmetic_reduce. */
export interface ArithmeticReduce {
  kept: readonly number[];
  keptStride: readonly number[];
  reduced: readonly number[];
  reducedStride: readonly number[];
  lengthX: number;
  /** T [length_x]: read. */
  x: Operand;
  /** T [product(kept)]: written. */
  y: Operand;
}

/** The arguments of arithmetic_copy. */
export interface ArithmeticCopy {
  dims: readonly number[];
  strideX: readonly number[];
  strideY: readonly number[];
  offsetX: number;
  offsetY: number;
  lengthX: number;
  lengthY: number;
  /** T [length_x]: read. */
  x: Operand;
  /** T [length_y]: read and written. */
  y: Operand;
}

/*
 * batch_norm
 * BatchNorm over the rows of x[rows, cols] (PyTorch's semantics). Training normalises by the batch's mean and biased
 * variance, and moves the running statistics by `momentum` towards mean and unbiased variance; evaluation normalises by
 * the running statistics. With gelu the exact GELU is applied in the same pass. mean and rstd are written as used, for
 * the backward.
 */
/** The arguments of batch_norm_forward. */
export interface BatchNormForward {
  rows: number;
  cols: number;
  training: boolean;
  gelu: boolean;
  momentum: number;
  eps: number;
  /** T [rows, cols]: read. */
  x: Operand;
  /** f32 [cols]: read. */
  gamma: Operand;
  /** f32 [cols]: read. */
  beta: Operand;
  /** f32 [cols]: read and written. */
  runningMean: Operand;
  /** f32 [cols]: read and written. */
  runningVar: Operand;
  /** T [rows, cols]: written. */
  y: Operand;
  /** f32 [cols]: written. */
  mean: Operand;
  /** f32 [cols]: written. */
  rstd: Operand;
}

/** The arguments of batch_norm_backward. */
export interface BatchNormBackward {
  rows: number;
  cols: number;
  training: boolean;
  gelu: boolean;
  /** T [rows, cols]: read. */
  x: Operand;
  /** f32 [cols]: read. */
  gamma: Operand;
  /** f32 [cols]: read. */
  beta: Operand;
  /** f32 [cols]: read. */
  mean: Operand;
  /** f32 [cols]: read. */
  rstd: Operand;
  /** T [rows, cols]: read. */
  dy: Operand;
  /** T [rows, cols]: written. */
  dx: Operand;
  /** f32 [cols]: written. */
  dgamma: Operand;
  /** f32 [cols]: written. */
  dbeta: Operand;
}

/*
 * batched_matmul
 * y[b] = op(a[b]) op(b[b]) for `batch` pairs of matrices [m, k] and [k, n]; `transpose_a`: a is stored as [k, m],
 * `transpose_b`: b is stored as [n, k]. The gradients are the same kernel: da = dy bᵀ, db = aᵀ dy.
 */
/** The arguments of batched_matmul_forward. */
export interface BatchedMatmulForward {
  batch: number;
  m: number;
  n: number;
  k: number;
  transposeA: boolean;
  transposeB: boolean;
  /** f32 [batch, m, k]: read. */
  a: Operand;
  /** f32 [batch, k, n]: read. */
  b: Operand;
  /** f32 [batch, m, n]: written. */
  y: Operand;
}

/*
 * cast
 * y = x in the other type: rounded to the nearest bf16, ties to even (NaN stays NaN), or exact. Each is the gradient
 * of the other.
 */
/** The arguments of cast_to_bf16. */
export interface CastToBf16 {
  n: number;
  /** f32 [n]: read. */
  x: Operand;
  /** bf16 [n]: written. */
  y: Operand;
}

/** The arguments of cast_to_f32. */
export interface CastToF32 {
  n: number;
  /** bf16 [n]: read. */
  x: Operand;
  /** f32 [n]: written. */
  y: Operand;
}

/*
 * clip_input
 * Converts clips of bytes to the network's input: x[clip, channel, t, y, x] = (pixel / 255 - mean) / std by a lookup
 * table per channel, mixed with the reversed batch: inside a box, `keep` times the clip's value plus `take` times that
 * of clip B - 1 - b. Transferring bytes to a GPU takes a quarter of the bandwidth of f32.
 */
/** The arguments of clip_input_forward. */
export interface ClipInputForward {
  clips: number;
  frames: number;
  height: number;
  width: number;
  /** u8 [clips, frames, height, width, 3]: read. */
  pixels: Operand;
  /** f32 [kClipTables + 6]: read. */
  settings: Operand;
  /** T [clips, frames, height, width, 3]: written. */
  x: Operand;
}

/*
 * conv3d
 * A 3-D convolution with zero padding, y[b, t', h', w', o] = bias[o] + sum over c and taps of weight[o, c, kt, kh, kw]
 * * x. The input is [B, T, H, W, C], or with `planar` PyTorch's [B, C, T, H, W] (the network's input); the output is
 * always channels last. With G `groups`, group g of the outputs depends on group g of the channels only, with
 * weight[out, C / G, kt, kh, kw], and the input must not be planar. `padding` precedes each axis; `padding_behind`
 * follows it and only determines `out`.
 */
/** The arguments of conv3d_forward. */
export interface Conv3dForward {
  batch: number;
  inChannels: number;
  outChannels: number;
  groups: number;
  in: readonly number[];
  kernel: readonly number[];
  stride: readonly number[];
  padding: readonly number[];
  paddingBehind: readonly number[];
  planar: boolean;
  /** T [batch, in_channels, in[0], in[1], in[2]]: read. */
  x: Operand;
  /** f32 [out_channels, in_channels / groups, product(kernel)]: read. */
  weight: Operand;
  /** f32 [out_channels]: read. */
  bias: Operand | null;
  /** T [batch, out_channels, out[0], out[1], out[2]]: written. */
  y: Operand;
}

/** The arguments of conv3d_backward. */
export interface Conv3dBackward {
  batch: number;
  inChannels: number;
  outChannels: number;
  groups: number;
  in: readonly number[];
  kernel: readonly number[];
  stride: readonly number[];
  padding: readonly number[];
  paddingBehind: readonly number[];
  planar: boolean;
  /** T [batch, in_channels, in[0], in[1], in[2]]: read. */
  x: Operand;
  /** f32 [out_channels, in_channels / groups, product(kernel)]: read. */
  weight: Operand;
  /** T [batch, out_channels, out[0], out[1], out[2]]: read. */
  dy: Operand;
  /** T [batch, in_channels, in[0], in[1], in[2]]: written. */
  dx: Operand | null;
  /** f32 [out_channels, in_channels / groups, product(kernel)]: written. */
  dweight: Operand;
  /** f32 [out_channels]: written. */
  dbias: Operand;
}

/*
 * conv_norm
 * A convolution fused with the BatchNorm after it, and with gelu the GELU: conv3d_forward and batch_norm_forward. In
 * training a GPU computes the statistics from the convolution's accumulators. In evaluation without a backward (u
 * null) the GPU's convolution stores y directly, and the CPU normalises each block while it is in cache. The backward
 * is batch_norm_backward of u, then conv3d_backward.
 */
/** The arguments of conv_norm_forward. */
export interface ConvNormForward {
  batch: number;
  inChannels: number;
  outChannels: number;
  groups: number;
  in: readonly number[];
  kernel: readonly number[];
  stride: readonly number[];
  padding: readonly number[];
  paddingBehind: readonly number[];
  planar: boolean;
  training: boolean;
  gelu: boolean;
  momentum: number;
  eps: number;
  /** T [batch, in_channels, in[0], in[1], in[2]]: read. */
  x: Operand;
  /** f32 [out_channels, in_channels / groups, product(kernel)]: read. */
  weight: Operand;
  /** f32 [out_channels]: read. */
  bias: Operand | null;
  /** f32 [out_channels]: read. */
  gamma: Operand;
  /** f32 [out_channels]: read. */
  beta: Operand;
  /** f32 [out_channels]: read and written. */
  runningMean: Operand;
  /** f32 [out_channels]: read and written. */
  runningVar: Operand;
  /** T [batch, out_channels, out[0], out[1], out[2]]: written. */
  y: Operand;
  /** T [batch, out_channels, out[0], out[1], out[2]]: written. */
  u: Operand | null;
  /** f32 [out_channels]: written. */
  mean: Operand;
  /** f32 [out_channels]: written. */
  rstd: Operand;
}

/*
 * cross_entropy
 * Softmax cross entropy with soft targets: loss = mean over rows of -sum(target * log_softmax(logits)). probabilities
 * are saved for the backward: dlogits = dloss / rows * (probabilities * sum(target) - target).
 */
/** The arguments of cross_entropy_forward. */
export interface CrossEntropyForward {
  rows: number;
  classes: number;
  /** f32 [rows, classes]: read. */
  logits: Operand;
  /** f32 [rows, classes]: read. */
  targets: Operand;
  /** f32 [1]: written. */
  loss: Operand;
  /** f32 [rows, classes]: written. */
  probabilities: Operand;
}

/** The arguments of cross_entropy_backward. */
export interface CrossEntropyBackward {
  rows: number;
  classes: number;
  /** f32 [rows, classes]: read. */
  targets: Operand;
  /** f32 [rows, classes]: read. */
  probabilities: Operand;
  /** f32 [1]: read. */
  dloss: Operand;
  /** f32 [rows, classes]: written. */
  dlogits: Operand;
}

/*
 * cumsum
 * y[o, j, i] = the sum of x[o, :j + 1, i], or with `reverse` of x[o, j:, i]: the gradient of a cumulative sum is the one
 * in the other direction.
 */
/** The arguments of cumsum_forward. */
export interface CumsumForward {
  outer: number;
  n: number;
  inner: number;
  reverse: boolean;
  /** T [outer, n, inner]: read. */
  x: Operand;
  /** T [outer, n, inner]: written. */
  y: Operand;
}

/*
 * dropout
 * factor[i] = 0 with probability p, else 1 / (1 - p), from the random words of src/core/generator.ts: the factors of
 * dropout (one per element) and of drop path (one per clip).
 */
/** The arguments of dropout_factors. */
export interface DropoutFactors {
  n: number;
  p: number;
  seed: number;
  offset: number;
  /** f32 [n]: written. */
  factor: Operand;
  /** i32 [4]: read. */
  start: Operand | null;
}

/** The arguments of dropout_apply. */
export interface DropoutApply {
  n: number;
  span: number;
  /** T [n]: read. */
  x: Operand;
  /** f32 [n / span]: read. */
  factor: Operand;
  /** T [n]: written. */
  y: Operand;
}

/*
 * gather
 * y[o, j, i] = x[o, index[o, j, i], i]. The backward adds dy in the order of j.
 */
/** The arguments of gather_forward. */
export interface GatherForward {
  outer: number;
  n: number;
  inner: number;
  taken: number;
  /** f32 [outer, n, inner]: read. */
  x: Operand;
  /** i32 [outer, taken, inner]: read. */
  index: Operand;
  /** f32 [outer, taken, inner]: written. */
  y: Operand;
}

/** The arguments of gather_backward. */
export interface GatherBackward {
  outer: number;
  n: number;
  inner: number;
  taken: number;
  /** f32 [outer, taken, inner]: read. */
  dy: Operand;
  /** i32 [outer, taken, inner]: read. */
  index: Operand;
  /** f32 [outer, n, inner]: written. */
  dx: Operand;
}

/*
 * gelu
 * The exact GELU, y = x * Phi(x) with the normal distribution's Phi, and its gradient dx = dy * (Phi(x) + x * phi(x)).
 */
/** The arguments of gelu_forward. */
export interface GeluForward {
  n: number;
  /** T [n]: read. */
  x: Operand;
  /** T [n]: written. */
  y: Operand;
}

/** The arguments of gelu_backward. */
export interface GeluBackward {
  n: number;
  /** T [n]: read. */
  x: Operand;
  /** T [n]: read. */
  dy: Operand;
  /** T [n]: written. */
  dx: Operand;
}

/*
 * grad_norm
 * Gradient clipping: the L2 norm of many tensors as one vector, accumulated in double in a fixed order, and scaling by
 * one factor. lerp updates the moving average of weights.
 */
/** The arguments of grad_norm_measure. */
export interface GradNormMeasure {
  /** f32 [1]: written. */
  norm: Operand;
  /** f32: read. */
  gradients: readonly Operand[];
}

/** The arguments of grad_norm_scale. */
export interface GradNormScale {
  factor: number;
  /** f32: read and written. */
  gradients: readonly Operand[];
  /** f32 [1]: read. */
  factorOfStep: Operand | null;
}

/** The arguments of grad_norm_lerp. */
export interface GradNormLerp {
  weight: number;
  /** f32: read and written. */
  into: readonly Operand[];
  /** f32: read. */
  from: readonly Operand[];
}

/*
 * index_rows
 * y[i, :] = x[index[i], :] for rows of `width` floats. The backward adds the rows of dy to dx[index[i], :] in order.
 */
/** The arguments of index_rows_forward. */
export interface IndexRowsForward {
  rows: number;
  width: number;
  taken: number;
  /** f32 [rows, width]: read. */
  x: Operand;
  /** i32 [taken]: read. */
  index: Operand;
  /** f32 [taken, width]: written. */
  y: Operand;
}

/** The arguments of index_rows_backward. */
export interface IndexRowsBackward {
  rows: number;
  width: number;
  taken: number;
  /** f32 [taken, width]: read. */
  dy: Operand;
  /** i32 [taken]: read. */
  index: Operand;
  /** f32 [rows, width]: written. */
  dx: Operand;
}

/*
 * layer_norm
 * LayerNorm over the last dimension of x[rows, cols]: y = (x - mean) * rstd * gamma + beta, rstd = 1 / sqrt(var + eps),
 * with the biased variance. mean and rstd (one per row) are saved for the backward.
 */
/** The arguments of layer_norm_forward. */
export interface LayerNormForward {
  rows: number;
  cols: number;
  eps: number;
  /** T [rows, cols]: read. */
  x: Operand;
  /** f32 [cols]: read. */
  gamma: Operand;
  /** f32 [cols]: read. */
  beta: Operand;
  /** T [rows, cols]: written. */
  y: Operand;
  /** f32 [rows]: written. */
  mean: Operand;
  /** f32 [rows]: written. */
  rstd: Operand;
}

/** The arguments of layer_norm_backward. */
export interface LayerNormBackward {
  rows: number;
  cols: number;
  /** T [rows, cols]: read. */
  x: Operand;
  /** f32 [cols]: read. */
  gamma: Operand;
  /** f32 [rows]: read. */
  mean: Operand;
  /** f32 [rows]: read. */
  rstd: Operand;
  /** T [rows, cols]: read. */
  dy: Operand;
  /** T [rows, cols]: written. */
  dx: Operand;
  /** f32 [cols]: written. */
  dgamma: Operand;
  /** f32 [cols]: written. */
  dbeta: Operand;
}

/*
 * linear
 * y[rows, n] = x[rows, k] weight^T + bias, PyTorch's nn.Linear. With gelu: z = x weight^T + bias and y = gelu(z); z may
 * be null if no backward follows. The backward takes dz, the gradient of the GELU's input, as dy.
 */
/** The arguments of linear_forward. */
export interface LinearForward {
  rows: number;
  n: number;
  k: number;
  gelu: boolean;
  /** T [rows, k]: read. */
  x: Operand;
  /** f32 [n, k]: read. */
  weight: Operand;
  /** f32 [n]: read. */
  bias: Operand | null;
  /** T [rows, n]: written. */
  y: Operand;
  /** T [rows, n]: written. */
  z: Operand | null;
}

/** The arguments of linear_backward. */
export interface LinearBackward {
  rows: number;
  n: number;
  k: number;
  /** T [rows, k]: read. */
  x: Operand;
  /** f32 [n, k]: read. */
  weight: Operand;
  /** T [rows, n]: read. */
  dy: Operand;
  /** T [rows, k]: written. */
  dx: Operand | null;
  /** f32 [n, k]: written. */
  dweight: Operand | null;
  /** f32 [n]: written. */
  dbias: Operand | null;
}

/*
 * max
 * y[o, i] = the maximum of x[o, :, i]; index: its position, the first of equal elements or the first NaN, which alone
 * receives the gradient.
 */
/** The arguments of max_forward. */
export interface MaxForward {
  outer: number;
  n: number;
  inner: number;
  /** f32 [outer, n, inner]: read. */
  x: Operand;
  /** f32 [outer, inner]: written. */
  y: Operand;
  /** i32 [outer, inner]: written. */
  index: Operand;
}

/** The arguments of max_backward. */
export interface MaxBackward {
  outer: number;
  n: number;
  inner: number;
  /** f32 [outer, inner]: read. */
  dy: Operand;
  /** i32 [outer, inner]: read. */
  index: Operand;
  /** f32 [outer, n, inner]: written. */
  dx: Operand;
}

/*
 * mean_pool
 * y[clip, c] = mean over the tokens of the sum of the inputs [clip, token, c]. The backward broadcasts dy / tokens to
 * all tokens.
 */
/** The arguments of mean_pool_forward. */
export interface MeanPoolForward {
  clips: number;
  tokens: number;
  channels: number;
  inputs: number;
  /** f32 [clips, channels]: written. */
  y: Operand;
  /** T [clips, tokens, channels], one for each of inputs: read. */
  x: readonly Operand[];
}

/** The arguments of mean_pool_backward. */
export interface MeanPoolBackward {
  clips: number;
  tokens: number;
  channels: number;
  /** f32 [clips, channels]: read. */
  dy: Operand;
  /** T [clips, tokens, channels]: written. */
  dx: Operand;
}

/*
 * morph_fc
 * MorphFC, one spatial branch (paper section 3.2, equation 2): the tokens of each frame are cut into chunks of `chunk`
 * tokens and the channels into `groups` groups. Each group of a chunk, chunk * (channels / groups) = row() numbers,
 * passes through the same FC [row, row], whose outputs return to the same positions. The paper's network has as many
 * groups as tokens in a chunk, so that row() is `channels`; table 8 has twice and half as many. `vertical` orders
 * tokens by columns (height branch); `strided` puts token l * J + j into chunk j (stage 4). The last chunk is padded
 * with zeros, and the outputs of the padding are dropped.
 */
/** The arguments of morph_fc_forward. */
export interface MorphFcForward {
  frames: number;
  height: number;
  width: number;
  channels: number;
  chunk: number;
  groups: number;
  vertical: boolean;
  strided: boolean;
  /** T [frames, height, width, channels]: read. */
  x: Operand;
  /** f32 [row(), row()]: read. */
  weight: Operand;
  /** f32 [row()]: read. */
  bias: Operand | null;
  /** T [frames, height, width, channels]: written. */
  y: Operand;
}

/** The arguments of morph_fc_backward. */
export interface MorphFcBackward {
  frames: number;
  height: number;
  width: number;
  channels: number;
  chunk: number;
  groups: number;
  vertical: boolean;
  strided: boolean;
  /** T [frames, height, width, channels]: read. */
  x: Operand;
  /** f32 [row(), row()]: read. */
  weight: Operand;
  /** T [frames, height, width, channels]: read. */
  dy: Operand;
  /** T [frames, height, width, channels]: written. */
  dx: Operand | null;
  /** f32 [row(), row()]: written. */
  dweight: Operand | null;
  /** f32 [row()]: written. */
  dbias: Operand | null;
}

/*
 * non_finite
 * The number of NaN and infinite elements of x[n], written to found[0]: anomaly detection and the early stop of a
 * training run.
 */
/** The arguments of non_finite_count. */
export interface NonFiniteCount {
  n: number;
  /** T [n]: read. */
  x: Operand;
  /** f32 [1]: written. */
  found: Operand;
}

/*
 * norm_mlp
 * The MLP part of a block as one kernel: y = x + scale * (gelu(LN(x) w1^T + b1) w2^T + b2), row by row, with LN's gamma
 * and beta. scale has one number per clip (drop path) or is null. Only z = LN(x) w1^T + b1 and LN's statistics are saved
 * for the backward; z is null if none follows.
 */
/** The arguments of norm_mlp_forward. */
export interface NormMlpForward {
  rows: number;
  channels: number;
  hidden: number;
  rowsPerClip: number;
  eps: number;
  /** T [rows, channels]: read. */
  x: Operand;
  /** f32 [channels]: read. */
  gamma: Operand;
  /** f32 [channels]: read. */
  beta: Operand;
  /** f32 [hidden, channels]: read. */
  w1: Operand;
  /** f32 [hidden]: read. */
  b1: Operand;
  /** f32 [channels, hidden]: read. */
  w2: Operand;
  /** f32 [channels]: read. */
  b2: Operand;
  /** f32 [rows / rows_per_clip]: read. */
  scale: Operand | null;
  /** T [rows, channels]: written. */
  y: Operand;
  /** f32 [rows]: written. */
  mean: Operand;
  /** f32 [rows]: written. */
  rstd: Operand;
  /** T [rows, hidden]: written. */
  z: Operand | null;
}

/** The arguments of norm_mlp_backward. */
export interface NormMlpBackward {
  rows: number;
  channels: number;
  hidden: number;
  rowsPerClip: number;
  /** T [rows, channels]: read. */
  x: Operand;
  /** f32 [channels]: read. */
  gamma: Operand;
  /** f32 [channels]: read. */
  beta: Operand;
  /** f32 [hidden, channels]: read. */
  w1: Operand;
  /** f32 [channels, hidden]: read. */
  w2: Operand;
  /** f32 [rows / rows_per_clip]: read. */
  scale: Operand | null;
  /** f32 [rows]: read. */
  mean: Operand;
  /** f32 [rows]: read. */
  rstd: Operand;
  /** T [rows, hidden]: read. */
  z: Operand;
  /** T [rows, channels]: read. */
  dy: Operand;
  /** T [rows, channels]: written. */
  dx: Operand;
  /** f32 [channels]: written. */
  dgamma: Operand;
  /** f32 [channels]: written. */
  dbeta: Operand;
  /** f32 [hidden, channels]: written. */
  dw1: Operand;
  /** f32 [hidden]: written. */
  db1: Operand;
  /** f32 [channels, hidden]: written. */
  dw2: Operand;
  /** f32 [channels]: written. */
  db2: Operand;
}

/*
 * norm_spatial
 * The spatial part of a block in two steps, for tokens [clips, steps, height, width, C]. Separate small kernels compute
 * the branches' weights between them:
 *   branches: branch_i = FC_i(LN(x)) and their mean over the tokens of a clip, summed over i;
 *   mix: y = x + scale * proj(sum over i of weights_i * branch_i), with one scale per clip or null.
 * Without a backward the branches need not be stored, because their mean is linear in LN(x) and can be computed first:
 *   pool: the mean of the branches' sum, from sums of LN(x) over the chunks' positions (C^2 multiply-adds a frame);
 *   apply: y as above, in one pass over tiles that fit in cache.
 * With `strided` (stage 4) branch 0 is the horizontal FC in strided order and branch 1 the channel FC; otherwise they
 * are the vertical, the horizontal and the channel FC (morph_fc.h). branch is one tensor [branches, tokens, C], weights
 * is [clips, C, branches] (reweight.h).
 */
/** The arguments of norm_spatial_branches. */
export interface NormSpatialBranches {
  clips: number;
  steps: number;
  height: number;
  width: number;
  channels: number;
  chunk: number;
  strided: boolean;
  eps: number;
  /** T [clips, steps, height, width, channels]: read. */
  x: Operand;
  /** f32 [channels]: read. */
  gamma: Operand;
  /** f32 [channels]: read. */
  beta: Operand;
  /** f32 [channels, channels], one for each of branches: read. */
  weight: readonly Operand[];
  /** f32 [channels], one for each of branches: read. */
  bias: readonly (Operand | null)[];
  /** T [branches(), clips, steps, height, width, channels]: written. */
  branch: Operand;
  /** f32 [clips, steps, height, width]: written. */
  mean: Operand;
  /** f32 [clips, steps, height, width]: written. */
  rstd: Operand;
  /** f32 [clips, channels]: written. */
  pooled: Operand;
}

/** The arguments of norm_spatial_branches_backward. */
export interface NormSpatialBranchesBackward {
  clips: number;
  steps: number;
  height: number;
  width: number;
  channels: number;
  chunk: number;
  strided: boolean;
  /** T [clips, steps, height, width, channels]: read. */
  x: Operand;
  /** f32 [channels]: read. */
  gamma: Operand;
  /** f32 [channels]: read. */
  beta: Operand;
  /** f32 [clips, steps, height, width]: read. */
  mean: Operand;
  /** f32 [clips, steps, height, width]: read. */
  rstd: Operand;
  /** f32 [clips, channels, branches()]: read. */
  weights: Operand;
  /** T [clips, steps, height, width, channels]: read. */
  dmix: Operand;
  /** f32 [clips, channels]: read. */
  dpooled: Operand;
  /** T [clips, steps, height, width, channels]: read. */
  residual: Operand | null;
  /** f32 [channels, channels], one for each of branches: read. */
  weight: readonly Operand[];
  /** T [clips, steps, height, width, channels]: written. */
  dx: Operand;
  /** f32 [channels]: written. */
  dgamma: Operand;
  /** f32 [channels]: written. */
  dbeta: Operand;
  /** f32 [channels, channels], one for each of branches: written. */
  dweight: readonly Operand[];
  /** f32 [channels], one for each of branches: written. */
  dbias: readonly (Operand | null)[];
}

/** The arguments of norm_spatial_mix. */
export interface NormSpatialMix {
  clips: number;
  steps: number;
  height: number;
  width: number;
  channels: number;
  chunk: number;
  strided: boolean;
  /** T [clips, steps, height, width, channels]: read. */
  x: Operand;
  /** T [branches(), clips, steps, height, width, channels]: read. */
  branch: Operand;
  /** f32 [clips, channels, branches()]: read. */
  weights: Operand;
  /** f32 [clips]: read. */
  scale: Operand | null;
  /** f32 [channels, channels]: read. */
  proj: Operand;
  /** f32 [channels]: read. */
  projBias: Operand;
  /** T [clips, steps, height, width, channels]: written. */
  y: Operand;
}

/** The arguments of norm_spatial_mix_backward. */
export interface NormSpatialMixBackward {
  clips: number;
  steps: number;
  height: number;
  width: number;
  channels: number;
  chunk: number;
  strided: boolean;
  /** T [branches(), clips, steps, height, width, channels]: read. */
  branch: Operand;
  /** f32 [clips, channels, branches()]: read. */
  weights: Operand;
  /** f32 [clips]: read. */
  scale: Operand | null;
  /** f32 [channels, channels]: read. */
  proj: Operand;
  /** T [clips, steps, height, width, channels]: read. */
  dy: Operand;
  /** T [clips, steps, height, width, channels]: written. */
  dmix: Operand;
  /** f32 [clips, channels, branches()]: written. */
  dweights: Operand;
  /** f32 [channels, channels]: written. */
  dproj: Operand;
  /** f32 [channels]: written. */
  dprojBias: Operand;
}

/** The arguments of norm_spatial_pool. */
export interface NormSpatialPool {
  clips: number;
  steps: number;
  height: number;
  width: number;
  channels: number;
  chunk: number;
  strided: boolean;
  eps: number;
  /** T [clips, steps, height, width, channels]: read. */
  x: Operand;
  /** f32 [channels]: read. */
  gamma: Operand;
  /** f32 [channels]: read. */
  beta: Operand;
  /** f32 [channels, channels], one for each of branches: read. */
  weight: readonly Operand[];
  /** f32 [channels], one for each of branches: read. */
  bias: readonly (Operand | null)[];
  /** f32 [clips, steps, height, width]: written. */
  mean: Operand;
  /** f32 [clips, steps, height, width]: written. */
  rstd: Operand;
  /** f32 [clips, channels]: written. */
  pooled: Operand;
}

/** The arguments of norm_spatial_apply. */
export interface NormSpatialApply {
  clips: number;
  steps: number;
  height: number;
  width: number;
  channels: number;
  chunk: number;
  strided: boolean;
  /** T [clips, steps, height, width, channels]: read. */
  x: Operand;
  /** T [clips, steps, height, width, channels]: read. */
  xt: Operand;
  /** f32 [channels]: read. */
  gamma: Operand;
  /** f32 [channels]: read. */
  beta: Operand;
  /** f32 [clips, steps, height, width]: read. */
  mean: Operand;
  /** f32 [clips, steps, height, width]: read. */
  rstd: Operand;
  /** f32 [clips, channels, branches()]: read. */
  weights: Operand;
  /** f32 [clips]: read. */
  scale: Operand | null;
  /** f32 [channels, channels], one for each of branches: read. */
  weight: readonly Operand[];
  /** f32 [channels], one for each of branches: read. */
  bias: readonly (Operand | null)[];
  /** f32 [channels, channels]: read. */
  proj: Operand;
  /** f32 [channels]: read. */
  projBias: Operand;
  /** T [clips, steps, height, width, channels]: written. */
  y: Operand;
}

/*
 * norm_temporal
 * The temporal part of a block as one kernel: y = x + proj(u), u = temporal FC of LN(x) (temporal_fc.def), for tokens
 * [clips, steps, positions, C]. u and LN's statistics are saved for the backward; u is null if none follows.
 */
/** The arguments of norm_temporal_forward. */
export interface NormTemporalForward {
  clips: number;
  steps: number;
  positions: number;
  channels: number;
  groups: number;
  eps: number;
  /** T [clips, steps, positions, channels]: read. */
  x: Operand;
  /** f32 [channels]: read. */
  gamma: Operand;
  /** f32 [channels]: read. */
  beta: Operand;
  /** f32 [steps, channels / groups, steps, channels / groups]: read. */
  weight: Operand;
  /** f32 [steps, channels / groups]: read. */
  bias: Operand | null;
  /** f32 [channels, channels]: read. */
  proj: Operand;
  /** f32 [channels]: read. */
  projBias: Operand;
  /** T [clips, steps, positions, channels]: written. */
  y: Operand;
  /** f32 [clips, steps, positions]: written. */
  mean: Operand;
  /** f32 [clips, steps, positions]: written. */
  rstd: Operand;
  /** T [clips, steps, positions, channels]: written. */
  u: Operand | null;
}

/** The arguments of norm_temporal_backward. */
export interface NormTemporalBackward {
  clips: number;
  steps: number;
  positions: number;
  channels: number;
  groups: number;
  /** T [clips, steps, positions, channels]: read. */
  x: Operand;
  /** f32 [channels]: read. */
  gamma: Operand;
  /** f32 [channels]: read. */
  beta: Operand;
  /** f32 [steps, channels / groups, steps, channels / groups]: read. */
  weight: Operand;
  /** f32 [channels, channels]: read. */
  proj: Operand;
  /** f32 [clips, steps, positions]: read. */
  mean: Operand;
  /** f32 [clips, steps, positions]: read. */
  rstd: Operand;
  /** T [clips, steps, positions, channels]: read. */
  u: Operand;
  /** T [clips, steps, positions, channels]: read. */
  dy: Operand;
  /** T [clips, steps, positions, channels]: written. */
  dx: Operand;
  /** f32 [channels]: written. */
  dgamma: Operand;
  /** f32 [channels]: written. */
  dbeta: Operand;
  /** f32 [steps, channels / groups, steps, channels / groups]: written. */
  dweight: Operand;
  /** f32 [steps, channels / groups]: written. */
  dbias: Operand | null;
  /** f32 [channels, channels]: written. */
  dproj: Operand;
  /** f32 [channels]: written. */
  dprojBias: Operand;
}

/*
 * pixel_cross_entropy
 * Softmax cross entropy of every pixel of a mask, whose logits are those of a smaller picture, resized bilinearly as they
 * are read (resize_axis.h): logits of the mask's size are never stored. A label of `classes` or more has no loss. loss is
 * the sum of weights[label] * loss over that of weights[label] (0 without labels), total the latter; log_sums are the
 * logarithms of the sums of exp(logit), for the backward; predicted the first class with the largest logit.
 */
/** The arguments of pixel_cross_entropy_forward. */
export interface PixelCrossEntropyForward {
  batch: number;
  height: number;
  width: number;
  classes: number;
  outHeight: number;
  outWidth: number;
  /** f32 [batch, height, width, classes]: read. */
  logits: Operand;
  /** u8 [batch, out_height, out_width]: read. */
  labels: Operand;
  /** f32 [classes]: read. */
  weights: Operand;
  /** f32 [1]: written. */
  loss: Operand;
  /** f32 [1]: written. */
  total: Operand;
  /** f32 [batch, out_height, out_width]: written. */
  logSums: Operand;
  /** u8 [batch, out_height, out_width]: written. */
  predicted: Operand;
}

/** The arguments of pixel_cross_entropy_backward. */
export interface PixelCrossEntropyBackward {
  batch: number;
  height: number;
  width: number;
  classes: number;
  outHeight: number;
  outWidth: number;
  /** f32 [batch, height, width, classes]: read. */
  logits: Operand;
  /** u8 [batch, out_height, out_width]: read. */
  labels: Operand;
  /** f32 [classes]: read. */
  weights: Operand;
  /** f32 [1]: read. */
  total: Operand;
  /** f32 [batch, out_height, out_width]: read. */
  logSums: Operand;
  /** f32 [1]: read. */
  dloss: Operand;
  /** f32 [batch, height, width, classes]: written. */
  dlogits: Operand;
}

/*
 * pointwise
 * y = f(x) for each element, and its gradient dx = dy f'(x). `kind` is the position of f in ops/pointwise_functions.h; a
 * and b are its parameters (the bounds of clamp, the exponent of pow).
 */
/** The arguments of pointwise_forward. */
export interface PointwiseForward {
  kind: number;
  n: number;
  a: number;
  b: number;
  /** T [n]: read. */
  x: Operand;
  /** T [n]: written. */
  y: Operand;
}

/** The arguments of pointwise_backward. */
export interface PointwiseBackward {
  kind: number;
  n: number;
  a: number;
  b: number;
  /** T [n]: read. */
  x: Operand;
  /** T [n]: read. */
  dy: Operand;
  /** T [n]: written. */
  dx: Operand;
}

/*
 * resize
 * y[b, :, :, c] = the picture x[b, :, :, c] at another size: of the nearest element, or bilinear between the four around
 * it (resize_axis.h). The backward adds the gradients of all outputs that read an element, in their order.
 */
/** The arguments of resize_forward. */
export interface ResizeForward {
  batch: number;
  height: number;
  width: number;
  channels: number;
  outHeight: number;
  outWidth: number;
  nearest: boolean;
  /** T [batch, height, width, channels]: read. */
  x: Operand;
  /** T [batch, out_height, out_width, channels]: written. */
  y: Operand;
}

/** The arguments of resize_backward. */
export interface ResizeBackward {
  batch: number;
  height: number;
  width: number;
  channels: number;
  outHeight: number;
  outWidth: number;
  nearest: boolean;
  /** T [batch, out_height, out_width, channels]: read. */
  dy: Operand;
  /** T [batch, height, width, channels]: written. */
  dx: Operand;
}

/*
 * reweight
 * y[clip, token, c] = sum over i of branch_i[clip, token, c] * weights[clip, c, i]: the weighted sum of two or three
 * branches (paper section 3.2). weights are those after the softmax over i.
 */
/** The arguments of reweight_forward. */
export interface ReweightForward {
  clips: number;
  tokens: number;
  channels: number;
  branches: number;
  /** f32 [clips, channels, branches]: read. */
  weights: Operand;
  /** T [clips, tokens, channels]: written. */
  y: Operand;
  /** T [clips, tokens, channels], one for each of branches: read. */
  branch: readonly Operand[];
}

/** The arguments of reweight_backward. */
export interface ReweightBackward {
  clips: number;
  tokens: number;
  channels: number;
  branches: number;
  /** f32 [clips, channels, branches]: read. */
  weights: Operand;
  /** T [clips, tokens, channels]: read. */
  dy: Operand;
  /** f32 [clips, channels, branches]: written. */
  dweights: Operand;
  /** T [clips, tokens, channels], one for each of branches: read. */
  branch: readonly Operand[];
  /** T [clips, tokens, channels], one for each of branches: written. */
  dbranch: readonly (Operand | null)[];
}

/*
 * sgd
 * One SGD step with momentum over many tensors in one pass (PyTorch's formula, no dampening): g += decay * p; buffer =
 * momentum * buffer + g; p -= lr * (nesterov ? g + momentum * buffer : buffer). Buffers start at zero, so that the
 * first step has buffer = g.
 */
/** The arguments of sgd_step. */
export interface SgdStep {
  lr: number;
  momentum: number;
  decay: number;
  nesterov: boolean;
  /** f32: read and written. */
  parameters: readonly Operand[];
  /** f32: read. */
  gradients: readonly Operand[];
  /** f32: read and written. */
  buffers: readonly Operand[];
  /** f32 [1]: read. */
  lrOfStep: Operand | null;
}

/*
 * softmax
 * Softmax over each row of x[rows, cols]; the backward takes y: dx = y * (dy - sum(dy * y)).
 */
/** The arguments of softmax_forward. */
export interface SoftmaxForward {
  rows: number;
  cols: number;
  /** f32 [rows, cols]: read. */
  x: Operand;
  /** f32 [rows, cols]: written. */
  y: Operand;
}

/** The arguments of softmax_backward. */
export interface SoftmaxBackward {
  rows: number;
  cols: number;
  /** f32 [rows, cols]: read. */
  y: Operand;
  /** f32 [rows, cols]: read. */
  dy: Operand;
  /** f32 [rows, cols]: written. */
  dx: Operand;
}

/*
 * temporal_fc
 * MorphFC along time (paper section 3.3): at each position of a clip the channels are cut into `groups` groups of S =
 * channels / groups. The steps * S numbers of each group pass through the same FC [steps * S, steps * S], whose outputs
 * return to the same positions.
 */
/** The arguments of temporal_fc_forward. */
export interface TemporalFcForward {
  clips: number;
  steps: number;
  positions: number;
  channels: number;
  groups: number;
  /** T [clips, steps, positions, channels]: read. */
  x: Operand;
  /** f32 [steps, channels / groups, steps, channels / groups]: read. */
  weight: Operand;
  /** f32 [steps, channels / groups]: read. */
  bias: Operand | null;
  /** T [clips, steps, positions, channels]: written. */
  y: Operand;
}

/** The arguments of temporal_fc_backward. */
export interface TemporalFcBackward {
  clips: number;
  steps: number;
  positions: number;
  channels: number;
  groups: number;
  /** T [clips, steps, positions, channels]: read. */
  x: Operand;
  /** f32 [steps, channels / groups, steps, channels / groups]: read. */
  weight: Operand;
  /** T [clips, steps, positions, channels]: read. */
  dy: Operand;
  /** T [clips, steps, positions, channels]: written. */
  dx: Operand | null;
  /** f32 [steps, channels / groups, steps, channels / groups]: written. */
  dweight: Operand | null;
  /** f32 [steps, channels / groups]: written. */
  dbias: Operand | null;
}

/*
 * topk
 * index[o, :, i] = the positions of the k largest (or smallest) elements of x[o, :, i], from the first on. A NaN is larger
 * than any number; of equal elements the first comes first.
 */
/** The arguments of topk_index. */
export interface TopkIndex {
  outer: number;
  n: number;
  inner: number;
  k: number;
  largest: boolean;
  /** f32 [outer, n, inner]: read. */
  x: Operand;
  /** i32 [outer, k, inner]: written. */
  index: Operand;
}

/** The arguments of each kernel. */
export interface KernelArguments {
  accumulate_forward: AccumulateForward;
  accumulate_copy: AccumulateCopy;
  adamw_step: AdamwStep;
  adamw_numbers: AdamwNumbers;
  arithmetic_forward: ArithmeticForward;
  arithmetic_reduce: ArithmeticReduce;
  arithmetic_copy: ArithmeticCopy;
  batch_norm_forward: BatchNormForward;
  batch_norm_backward: BatchNormBackward;
  batched_matmul_forward: BatchedMatmulForward;
  cast_to_bf16: CastToBf16;
  cast_to_f32: CastToF32;
  clip_input_forward: ClipInputForward;
  conv3d_forward: Conv3dForward;
  conv3d_backward: Conv3dBackward;
  conv_norm_forward: ConvNormForward;
  cross_entropy_forward: CrossEntropyForward;
  cross_entropy_backward: CrossEntropyBackward;
  cumsum_forward: CumsumForward;
  dropout_factors: DropoutFactors;
  dropout_apply: DropoutApply;
  gather_forward: GatherForward;
  gather_backward: GatherBackward;
  gelu_forward: GeluForward;
  gelu_backward: GeluBackward;
  grad_norm_measure: GradNormMeasure;
  grad_norm_scale: GradNormScale;
  grad_norm_lerp: GradNormLerp;
  index_rows_forward: IndexRowsForward;
  index_rows_backward: IndexRowsBackward;
  layer_norm_forward: LayerNormForward;
  layer_norm_backward: LayerNormBackward;
  linear_forward: LinearForward;
  linear_backward: LinearBackward;
  max_forward: MaxForward;
  max_backward: MaxBackward;
  mean_pool_forward: MeanPoolForward;
  mean_pool_backward: MeanPoolBackward;
  morph_fc_forward: MorphFcForward;
  morph_fc_backward: MorphFcBackward;
  non_finite_count: NonFiniteCount;
  norm_mlp_forward: NormMlpForward;
  norm_mlp_backward: NormMlpBackward;
  norm_spatial_branches: NormSpatialBranches;
  norm_spatial_branches_backward: NormSpatialBranchesBackward;
  norm_spatial_mix: NormSpatialMix;
  norm_spatial_mix_backward: NormSpatialMixBackward;
  norm_spatial_pool: NormSpatialPool;
  norm_spatial_apply: NormSpatialApply;
  norm_temporal_forward: NormTemporalForward;
  norm_temporal_backward: NormTemporalBackward;
  pixel_cross_entropy_forward: PixelCrossEntropyForward;
  pixel_cross_entropy_backward: PixelCrossEntropyBackward;
  pointwise_forward: PointwiseForward;
  pointwise_backward: PointwiseBackward;
  resize_forward: ResizeForward;
  resize_backward: ResizeBackward;
  reweight_forward: ReweightForward;
  reweight_backward: ReweightBackward;
  sgd_step: SgdStep;
  softmax_forward: SoftmaxForward;
  softmax_backward: SoftmaxBackward;
  temporal_fc_forward: TemporalFcForward;
  temporal_fc_backward: TemporalFcBackward;
  topk_index: TopkIndex;
}

/** The names of all kernels, such as `layer_norm_forward`. */
export type KernelName = keyof KernelArguments;

/** Which arguments a kernel reads, writes, and reads and writes again. */
export const ROLES: Readonly<Record<KernelName, Readonly<Record<'in' | 'out' | 'update', readonly string[]>>>> = {
  accumulate_forward: { in: ['from'], out: [], update: ['into'] },
  accumulate_copy: { in: ['from'], out: ['into'], update: [] },
  adamw_step: { in: ['gradients', 'numbers'], out: [], update: ['parameters', 'first', 'second'] },
  adamw_numbers: { in: [], out: ['numbers'], update: [] },
  arithmetic_forward: { in: ['a', 'b'], out: ['y'], update: [] },
  arithmetic_reduce: { in: ['x'], out: ['y'], update: [] },
  arithmetic_copy: { in: ['x'], out: [], update: ['y'] },
  batch_norm_forward: { in: ['x', 'gamma', 'beta'], out: ['y', 'mean', 'rstd'], update: ['runningMean', 'runningVar'] },
  batch_norm_backward: { in: ['x', 'gamma', 'beta', 'mean', 'rstd', 'dy'], out: ['dx', 'dgamma', 'dbeta'], update: [] },
  batched_matmul_forward: { in: ['a', 'b'], out: ['y'], update: [] },
  cast_to_bf16: { in: ['x'], out: ['y'], update: [] },
  cast_to_f32: { in: ['x'], out: ['y'], update: [] },
  clip_input_forward: { in: ['pixels', 'settings'], out: ['x'], update: [] },
  conv3d_forward: { in: ['x', 'weight', 'bias'], out: ['y'], update: [] },
  conv3d_backward: { in: ['x', 'weight', 'dy'], out: ['dx', 'dweight', 'dbias'], update: [] },
  conv_norm_forward: {
    in: ['x', 'weight', 'bias', 'gamma', 'beta'],
    out: ['y', 'u', 'mean', 'rstd'],
    update: ['runningMean', 'runningVar'],
  },
  cross_entropy_forward: { in: ['logits', 'targets'], out: ['loss', 'probabilities'], update: [] },
  cross_entropy_backward: { in: ['targets', 'probabilities', 'dloss'], out: ['dlogits'], update: [] },
  cumsum_forward: { in: ['x'], out: ['y'], update: [] },
  dropout_factors: { in: ['start'], out: ['factor'], update: [] },
  dropout_apply: { in: ['x', 'factor'], out: ['y'], update: [] },
  gather_forward: { in: ['x', 'index'], out: ['y'], update: [] },
  gather_backward: { in: ['dy', 'index'], out: ['dx'], update: [] },
  gelu_forward: { in: ['x'], out: ['y'], update: [] },
  gelu_backward: { in: ['x', 'dy'], out: ['dx'], update: [] },
  grad_norm_measure: { in: ['gradients'], out: ['norm'], update: [] },
  grad_norm_scale: { in: ['factorOfStep'], out: [], update: ['gradients'] },
  grad_norm_lerp: { in: ['from'], out: [], update: ['into'] },
  index_rows_forward: { in: ['x', 'index'], out: ['y'], update: [] },
  index_rows_backward: { in: ['dy', 'index'], out: ['dx'], update: [] },
  layer_norm_forward: { in: ['x', 'gamma', 'beta'], out: ['y', 'mean', 'rstd'], update: [] },
  layer_norm_backward: { in: ['x', 'gamma', 'mean', 'rstd', 'dy'], out: ['dx', 'dgamma', 'dbeta'], update: [] },
  linear_forward: { in: ['x', 'weight', 'bias'], out: ['y', 'z'], update: [] },
  linear_backward: { in: ['x', 'weight', 'dy'], out: ['dx', 'dweight', 'dbias'], update: [] },
  max_forward: { in: ['x'], out: ['y', 'index'], update: [] },
  max_backward: { in: ['dy', 'index'], out: ['dx'], update: [] },
  mean_pool_forward: { in: ['x'], out: ['y'], update: [] },
  mean_pool_backward: { in: ['dy'], out: ['dx'], update: [] },
  morph_fc_forward: { in: ['x', 'weight', 'bias'], out: ['y'], update: [] },
  morph_fc_backward: { in: ['x', 'weight', 'dy'], out: ['dx', 'dweight', 'dbias'], update: [] },
  non_finite_count: { in: ['x'], out: ['found'], update: [] },
  norm_mlp_forward: {
    in: ['x', 'gamma', 'beta', 'w1', 'b1', 'w2', 'b2', 'scale'],
    out: ['y', 'mean', 'rstd', 'z'],
    update: [],
  },
  norm_mlp_backward: {
    in: ['x', 'gamma', 'beta', 'w1', 'w2', 'scale', 'mean', 'rstd', 'z', 'dy'],
    out: ['dx', 'dgamma', 'dbeta', 'dw1', 'db1', 'dw2', 'db2'],
    update: [],
  },
  norm_spatial_branches: {
    in: ['x', 'gamma', 'beta', 'weight', 'bias'],
    out: ['branch', 'mean', 'rstd', 'pooled'],
    update: [],
  },
  norm_spatial_branches_backward: {
    in: ['x', 'gamma', 'beta', 'mean', 'rstd', 'weights', 'dmix', 'dpooled', 'residual', 'weight'],
    out: ['dx', 'dgamma', 'dbeta', 'dweight', 'dbias'],
    update: [],
  },
  norm_spatial_mix: { in: ['x', 'branch', 'weights', 'scale', 'proj', 'projBias'], out: ['y'], update: [] },
  norm_spatial_mix_backward: {
    in: ['branch', 'weights', 'scale', 'proj', 'dy'],
    out: ['dmix', 'dweights', 'dproj', 'dprojBias'],
    update: [],
  },
  norm_spatial_pool: { in: ['x', 'gamma', 'beta', 'weight', 'bias'], out: ['mean', 'rstd', 'pooled'], update: [] },
  norm_spatial_apply: {
    in: ['x', 'xt', 'gamma', 'beta', 'mean', 'rstd', 'weights', 'scale', 'weight', 'bias', 'proj', 'projBias'],
    out: ['y'],
    update: [],
  },
  norm_temporal_forward: {
    in: ['x', 'gamma', 'beta', 'weight', 'bias', 'proj', 'projBias'],
    out: ['y', 'mean', 'rstd', 'u'],
    update: [],
  },
  norm_temporal_backward: {
    in: ['x', 'gamma', 'beta', 'weight', 'proj', 'mean', 'rstd', 'u', 'dy'],
    out: ['dx', 'dgamma', 'dbeta', 'dweight', 'dbias', 'dproj', 'dprojBias'],
    update: [],
  },
  pixel_cross_entropy_forward: {
    in: ['logits', 'labels', 'weights'],
    out: ['loss', 'total', 'logSums', 'predicted'],
    update: [],
  },
  pixel_cross_entropy_backward: {
    in: ['logits', 'labels', 'weights', 'total', 'logSums', 'dloss'],
    out: ['dlogits'],
    update: [],
  },
  pointwise_forward: { in: ['x'], out: ['y'], update: [] },
  pointwise_backward: { in: ['x', 'dy'], out: ['dx'], update: [] },
  resize_forward: { in: ['x'], out: ['y'], update: [] },
  resize_backward: { in: ['dy'], out: ['dx'], update: [] },
  reweight_forward: { in: ['weights', 'branch'], out: ['y'], update: [] },
  reweight_backward: { in: ['weights', 'dy', 'branch'], out: ['dweights', 'dbranch'], update: [] },
  sgd_step: { in: ['gradients', 'lrOfStep'], out: [], update: ['parameters', 'buffers'] },
  softmax_forward: { in: ['x'], out: ['y'], update: [] },
  softmax_backward: { in: ['y', 'dy'], out: ['dx'], update: [] },
  temporal_fc_forward: { in: ['x', 'weight', 'bias'], out: ['y'], update: [] },
  temporal_fc_backward: { in: ['x', 'weight', 'dy'], out: ['dx', 'dweight', 'dbias'], update: [] },
  topk_index: { in: ['x'], out: ['index'], update: [] },
};

/** All kernel names, in the addon's order. */
export const KERNEL_NAMES = Object.keys(ROLES) as KernelName[];

/** The addon's functions: each takes its kernel's arguments in the order of the .def file. */
export type NativeKernels = Record<KernelName, (...args: KernelArgument[]) => void>;

const handleOf = (t: Operand | null): Handle | null => t && t.handle;

/** The tensors of lists in turn: the first of each list, then the second of each. */
function each(lists: readonly (readonly (Operand | null)[])[]): (Handle | null)[] {
  return lists[0]!.flatMap((_, i) => lists.map((list) => handleOf(list[i] ?? null)));
}

/** For each kernel a function that passes named arguments to the addon. */
export const launchers = (addon: NativeKernels): { [K in KernelName]: (a: KernelArguments[K]) => void } => ({
  accumulate_forward: (a: AccumulateForward) => addon.accumulate_forward(a.n, a.from.handle, a.into.handle),
  accumulate_copy: (a: AccumulateCopy) => addon.accumulate_copy(a.n, a.from.handle, a.into.handle),
  adamw_step: (a: AdamwStep) =>
    addon.adamw_step(
      a.lr,
      a.beta1,
      a.beta2,
      a.eps,
      a.decay,
      a.step,
      a.parameters.map(handleOf),
      a.gradients.map(handleOf),
      a.first.map(handleOf),
      a.second.map(handleOf),
      a.numbers && a.numbers.handle,
    ),
  adamw_numbers: (a: AdamwNumbers) => addon.adamw_numbers(a.lr, a.beta1, a.beta2, a.decay, a.step, a.numbers.handle),
  arithmetic_forward: (a: ArithmeticForward) =>
    addon.arithmetic_forward(
      a.kind,
      a.slope,
      ...a.dims,
      ...a.strideA,
      ...a.strideB,
      a.lengthA,
      a.lengthB,
      a.a.handle,
      a.b.handle,
      a.y.handle,
    ),
  arithmetic_reduce: (a: ArithmeticReduce) =>
    addon.arithmetic_reduce(
      ...a.kept,
      ...a.keptStride,
      ...a.reduced,
      ...a.reducedStride,
      a.lengthX,
      a.x.handle,
      a.y.handle,
    ),
  arithmetic_copy: (a: ArithmeticCopy) =>
    addon.arithmetic_copy(
      ...a.dims,
      ...a.strideX,
      ...a.strideY,
      a.offsetX,
      a.offsetY,
      a.lengthX,
      a.lengthY,
      a.x.handle,
      a.y.handle,
    ),
  batch_norm_forward: (a: BatchNormForward) =>
    addon.batch_norm_forward(
      a.rows,
      a.cols,
      a.training,
      a.gelu,
      a.momentum,
      a.eps,
      a.x.handle,
      a.gamma.handle,
      a.beta.handle,
      a.runningMean.handle,
      a.runningVar.handle,
      a.y.handle,
      a.mean.handle,
      a.rstd.handle,
    ),
  batch_norm_backward: (a: BatchNormBackward) =>
    addon.batch_norm_backward(
      a.rows,
      a.cols,
      a.training,
      a.gelu,
      a.x.handle,
      a.gamma.handle,
      a.beta.handle,
      a.mean.handle,
      a.rstd.handle,
      a.dy.handle,
      a.dx.handle,
      a.dgamma.handle,
      a.dbeta.handle,
    ),
  batched_matmul_forward: (a: BatchedMatmulForward) =>
    addon.batched_matmul_forward(
      a.batch,
      a.m,
      a.n,
      a.k,
      a.transposeA,
      a.transposeB,
      a.a.handle,
      a.b.handle,
      a.y.handle,
    ),
  cast_to_bf16: (a: CastToBf16) => addon.cast_to_bf16(a.n, a.x.handle, a.y.handle),
  cast_to_f32: (a: CastToF32) => addon.cast_to_f32(a.n, a.x.handle, a.y.handle),
  clip_input_forward: (a: ClipInputForward) =>
    addon.clip_input_forward(a.clips, a.frames, a.height, a.width, a.pixels.handle, a.settings.handle, a.x.handle),
  conv3d_forward: (a: Conv3dForward) =>
    addon.conv3d_forward(
      a.batch,
      a.inChannels,
      a.outChannels,
      a.groups,
      ...a.in,
      ...a.kernel,
      ...a.stride,
      ...a.padding,
      ...a.paddingBehind,
      a.planar,
      a.x.handle,
      a.weight.handle,
      a.bias && a.bias.handle,
      a.y.handle,
    ),
  conv3d_backward: (a: Conv3dBackward) =>
    addon.conv3d_backward(
      a.batch,
      a.inChannels,
      a.outChannels,
      a.groups,
      ...a.in,
      ...a.kernel,
      ...a.stride,
      ...a.padding,
      ...a.paddingBehind,
      a.planar,
      a.x.handle,
      a.weight.handle,
      a.dy.handle,
      a.dx && a.dx.handle,
      a.dweight.handle,
      a.dbias.handle,
    ),
  conv_norm_forward: (a: ConvNormForward) =>
    addon.conv_norm_forward(
      a.batch,
      a.inChannels,
      a.outChannels,
      a.groups,
      ...a.in,
      ...a.kernel,
      ...a.stride,
      ...a.padding,
      ...a.paddingBehind,
      a.planar,
      a.training,
      a.gelu,
      a.momentum,
      a.eps,
      a.x.handle,
      a.weight.handle,
      a.bias && a.bias.handle,
      a.gamma.handle,
      a.beta.handle,
      a.runningMean.handle,
      a.runningVar.handle,
      a.y.handle,
      a.u && a.u.handle,
      a.mean.handle,
      a.rstd.handle,
    ),
  cross_entropy_forward: (a: CrossEntropyForward) =>
    addon.cross_entropy_forward(
      a.rows,
      a.classes,
      a.logits.handle,
      a.targets.handle,
      a.loss.handle,
      a.probabilities.handle,
    ),
  cross_entropy_backward: (a: CrossEntropyBackward) =>
    addon.cross_entropy_backward(
      a.rows,
      a.classes,
      a.targets.handle,
      a.probabilities.handle,
      a.dloss.handle,
      a.dlogits.handle,
    ),
  cumsum_forward: (a: CumsumForward) => addon.cumsum_forward(a.outer, a.n, a.inner, a.reverse, a.x.handle, a.y.handle),
  dropout_factors: (a: DropoutFactors) =>
    addon.dropout_factors(a.n, a.p, a.seed, a.offset, a.factor.handle, a.start && a.start.handle),
  dropout_apply: (a: DropoutApply) => addon.dropout_apply(a.n, a.span, a.x.handle, a.factor.handle, a.y.handle),
  gather_forward: (a: GatherForward) =>
    addon.gather_forward(a.outer, a.n, a.inner, a.taken, a.x.handle, a.index.handle, a.y.handle),
  gather_backward: (a: GatherBackward) =>
    addon.gather_backward(a.outer, a.n, a.inner, a.taken, a.dy.handle, a.index.handle, a.dx.handle),
  gelu_forward: (a: GeluForward) => addon.gelu_forward(a.n, a.x.handle, a.y.handle),
  gelu_backward: (a: GeluBackward) => addon.gelu_backward(a.n, a.x.handle, a.dy.handle, a.dx.handle),
  grad_norm_measure: (a: GradNormMeasure) => addon.grad_norm_measure(a.norm.handle, a.gradients.map(handleOf)),
  grad_norm_scale: (a: GradNormScale) =>
    addon.grad_norm_scale(a.factor, a.gradients.map(handleOf), a.factorOfStep && a.factorOfStep.handle),
  grad_norm_lerp: (a: GradNormLerp) => addon.grad_norm_lerp(a.weight, a.into.map(handleOf), a.from.map(handleOf)),
  index_rows_forward: (a: IndexRowsForward) =>
    addon.index_rows_forward(a.rows, a.width, a.taken, a.x.handle, a.index.handle, a.y.handle),
  index_rows_backward: (a: IndexRowsBackward) =>
    addon.index_rows_backward(a.rows, a.width, a.taken, a.dy.handle, a.index.handle, a.dx.handle),
  layer_norm_forward: (a: LayerNormForward) =>
    addon.layer_norm_forward(
      a.rows,
      a.cols,
      a.eps,
      a.x.handle,
      a.gamma.handle,
      a.beta.handle,
      a.y.handle,
      a.mean.handle,
      a.rstd.handle,
    ),
  layer_norm_backward: (a: LayerNormBackward) =>
    addon.layer_norm_backward(
      a.rows,
      a.cols,
      a.x.handle,
      a.gamma.handle,
      a.mean.handle,
      a.rstd.handle,
      a.dy.handle,
      a.dx.handle,
      a.dgamma.handle,
      a.dbeta.handle,
    ),
  linear_forward: (a: LinearForward) =>
    addon.linear_forward(
      a.rows,
      a.n,
      a.k,
      a.gelu,
      a.x.handle,
      a.weight.handle,
      a.bias && a.bias.handle,
      a.y.handle,
      a.z && a.z.handle,
    ),
  linear_backward: (a: LinearBackward) =>
    addon.linear_backward(
      a.rows,
      a.n,
      a.k,
      a.x.handle,
      a.weight.handle,
      a.dy.handle,
      a.dx && a.dx.handle,
      a.dweight && a.dweight.handle,
      a.dbias && a.dbias.handle,
    ),
  max_forward: (a: MaxForward) => addon.max_forward(a.outer, a.n, a.inner, a.x.handle, a.y.handle, a.index.handle),
  max_backward: (a: MaxBackward) => addon.max_backward(a.outer, a.n, a.inner, a.dy.handle, a.index.handle, a.dx.handle),
  mean_pool_forward: (a: MeanPoolForward) =>
    addon.mean_pool_forward(a.clips, a.tokens, a.channels, a.inputs, a.y.handle, ...each([a.x])),
  mean_pool_backward: (a: MeanPoolBackward) =>
    addon.mean_pool_backward(a.clips, a.tokens, a.channels, a.dy.handle, a.dx.handle),
  morph_fc_forward: (a: MorphFcForward) =>
    addon.morph_fc_forward(
      a.frames,
      a.height,
      a.width,
      a.channels,
      a.chunk,
      a.groups,
      a.vertical,
      a.strided,
      a.x.handle,
      a.weight.handle,
      a.bias && a.bias.handle,
      a.y.handle,
    ),
  morph_fc_backward: (a: MorphFcBackward) =>
    addon.morph_fc_backward(
      a.frames,
      a.height,
      a.width,
      a.channels,
      a.chunk,
      a.groups,
      a.vertical,
      a.strided,
      a.x.handle,
      a.weight.handle,
      a.dy.handle,
      a.dx && a.dx.handle,
      a.dweight && a.dweight.handle,
      a.dbias && a.dbias.handle,
    ),
  non_finite_count: (a: NonFiniteCount) => addon.non_finite_count(a.n, a.x.handle, a.found.handle),
  norm_mlp_forward: (a: NormMlpForward) =>
    addon.norm_mlp_forward(
      a.rows,
      a.channels,
      a.hidden,
      a.rowsPerClip,
      a.eps,
      a.x.handle,
      a.gamma.handle,
      a.beta.handle,
      a.w1.handle,
      a.b1.handle,
      a.w2.handle,
      a.b2.handle,
      a.scale && a.scale.handle,
      a.y.handle,
      a.mean.handle,
      a.rstd.handle,
      a.z && a.z.handle,
    ),
  norm_mlp_backward: (a: NormMlpBackward) =>
    addon.norm_mlp_backward(
      a.rows,
      a.channels,
      a.hidden,
      a.rowsPerClip,
      a.x.handle,
      a.gamma.handle,
      a.beta.handle,
      a.w1.handle,
      a.w2.handle,
      a.scale && a.scale.handle,
      a.mean.handle,
      a.rstd.handle,
      a.z.handle,
      a.dy.handle,
      a.dx.handle,
      a.dgamma.handle,
      a.dbeta.handle,
      a.dw1.handle,
      a.db1.handle,
      a.dw2.handle,
      a.db2.handle,
    ),
  norm_spatial_branches: (a: NormSpatialBranches) =>
    addon.norm_spatial_branches(
      a.clips,
      a.steps,
      a.height,
      a.width,
      a.channels,
      a.chunk,
      a.strided,
      a.eps,
      a.x.handle,
      a.gamma.handle,
      a.beta.handle,
      ...each([a.weight, a.bias]),
      a.branch.handle,
      a.mean.handle,
      a.rstd.handle,
      a.pooled.handle,
    ),
  norm_spatial_branches_backward: (a: NormSpatialBranchesBackward) =>
    addon.norm_spatial_branches_backward(
      a.clips,
      a.steps,
      a.height,
      a.width,
      a.channels,
      a.chunk,
      a.strided,
      a.x.handle,
      a.gamma.handle,
      a.beta.handle,
      a.mean.handle,
      a.rstd.handle,
      a.weights.handle,
      a.dmix.handle,
      a.dpooled.handle,
      a.residual && a.residual.handle,
      ...each([a.weight]),
      a.dx.handle,
      a.dgamma.handle,
      a.dbeta.handle,
      ...each([a.dweight, a.dbias]),
    ),
  norm_spatial_mix: (a: NormSpatialMix) =>
    addon.norm_spatial_mix(
      a.clips,
      a.steps,
      a.height,
      a.width,
      a.channels,
      a.chunk,
      a.strided,
      a.x.handle,
      a.branch.handle,
      a.weights.handle,
      a.scale && a.scale.handle,
      a.proj.handle,
      a.projBias.handle,
      a.y.handle,
    ),
  norm_spatial_mix_backward: (a: NormSpatialMixBackward) =>
    addon.norm_spatial_mix_backward(
      a.clips,
      a.steps,
      a.height,
      a.width,
      a.channels,
      a.chunk,
      a.strided,
      a.branch.handle,
      a.weights.handle,
      a.scale && a.scale.handle,
      a.proj.handle,
      a.dy.handle,
      a.dmix.handle,
      a.dweights.handle,
      a.dproj.handle,
      a.dprojBias.handle,
    ),
  norm_spatial_pool: (a: NormSpatialPool) =>
    addon.norm_spatial_pool(
      a.clips,
      a.steps,
      a.height,
      a.width,
      a.channels,
      a.chunk,
      a.strided,
      a.eps,
      a.x.handle,
      a.gamma.handle,
      a.beta.handle,
      ...each([a.weight, a.bias]),
      a.mean.handle,
      a.rstd.handle,
      a.pooled.handle,
    ),
  norm_spatial_apply: (a: NormSpatialApply) =>
    addon.norm_spatial_apply(
      a.clips,
      a.steps,
      a.height,
      a.width,
      a.channels,
      a.chunk,
      a.strided,
      a.x.handle,
      a.xt.handle,
      a.gamma.handle,
      a.beta.handle,
      a.mean.handle,
      a.rstd.handle,
      a.weights.handle,
      a.scale && a.scale.handle,
      ...each([a.weight, a.bias]),
      a.proj.handle,
      a.projBias.handle,
      a.y.handle,
    ),
  norm_temporal_forward: (a: NormTemporalForward) =>
    addon.norm_temporal_forward(
      a.clips,
      a.steps,
      a.positions,
      a.channels,
      a.groups,
      a.eps,
      a.x.handle,
      a.gamma.handle,
      a.beta.handle,
      a.weight.handle,
      a.bias && a.bias.handle,
      a.proj.handle,
      a.projBias.handle,
      a.y.handle,
      a.mean.handle,
      a.rstd.handle,
      a.u && a.u.handle,
    ),
  norm_temporal_backward: (a: NormTemporalBackward) =>
    addon.norm_temporal_backward(
      a.clips,
      a.steps,
      a.positions,
      a.channels,
      a.groups,
      a.x.handle,
      a.gamma.handle,
      a.beta.handle,
      a.weight.handle,
      a.proj.handle,
      a.mean.handle,
      a.rstd.handle,
      a.u.handle,
      a.dy.handle,
      a.dx.handle,
      a.dgamma.handle,
      a.dbeta.handle,
      a.dweight.handle,
      a.dbias && a.dbias.handle,
      a.dproj.handle,
      a.dprojBias.handle,
    ),
  pixel_cross_entropy_forward: (a: PixelCrossEntropyForward) =>
    addon.pixel_cross_entropy_forward(
      a.batch,
      a.height,
      a.width,
      a.classes,
      a.outHeight,
      a.outWidth,
      a.logits.handle,
      a.labels.handle,
      a.weights.handle,
      a.loss.handle,
      a.total.handle,
      a.logSums.handle,
      a.predicted.handle,
    ),
  pixel_cross_entropy_backward: (a: PixelCrossEntropyBackward) =>
    addon.pixel_cross_entropy_backward(
      a.batch,
      a.height,
      a.width,
      a.classes,
      a.outHeight,
      a.outWidth,
      a.logits.handle,
      a.labels.handle,
      a.weights.handle,
      a.total.handle,
      a.logSums.handle,
      a.dloss.handle,
      a.dlogits.handle,
    ),
  pointwise_forward: (a: PointwiseForward) => addon.pointwise_forward(a.kind, a.n, a.a, a.b, a.x.handle, a.y.handle),
  pointwise_backward: (a: PointwiseBackward) =>
    addon.pointwise_backward(a.kind, a.n, a.a, a.b, a.x.handle, a.dy.handle, a.dx.handle),
  resize_forward: (a: ResizeForward) =>
    addon.resize_forward(
      a.batch,
      a.height,
      a.width,
      a.channels,
      a.outHeight,
      a.outWidth,
      a.nearest,
      a.x.handle,
      a.y.handle,
    ),
  resize_backward: (a: ResizeBackward) =>
    addon.resize_backward(
      a.batch,
      a.height,
      a.width,
      a.channels,
      a.outHeight,
      a.outWidth,
      a.nearest,
      a.dy.handle,
      a.dx.handle,
    ),
  reweight_forward: (a: ReweightForward) =>
    addon.reweight_forward(
      a.clips,
      a.tokens,
      a.channels,
      a.branches,
      a.weights.handle,
      a.y.handle,
      ...each([a.branch]),
    ),
  reweight_backward: (a: ReweightBackward) =>
    addon.reweight_backward(
      a.clips,
      a.tokens,
      a.channels,
      a.branches,
      a.weights.handle,
      a.dy.handle,
      a.dweights.handle,
      ...each([a.branch]),
      ...each([a.dbranch]),
    ),
  sgd_step: (a: SgdStep) =>
    addon.sgd_step(
      a.lr,
      a.momentum,
      a.decay,
      a.nesterov,
      a.parameters.map(handleOf),
      a.gradients.map(handleOf),
      a.buffers.map(handleOf),
      a.lrOfStep && a.lrOfStep.handle,
    ),
  softmax_forward: (a: SoftmaxForward) => addon.softmax_forward(a.rows, a.cols, a.x.handle, a.y.handle),
  softmax_backward: (a: SoftmaxBackward) =>
    addon.softmax_backward(a.rows, a.cols, a.y.handle, a.dy.handle, a.dx.handle),
  temporal_fc_forward: (a: TemporalFcForward) =>
    addon.temporal_fc_forward(
      a.clips,
      a.steps,
      a.positions,
      a.channels,
      a.groups,
      a.x.handle,
      a.weight.handle,
      a.bias && a.bias.handle,
      a.y.handle,
    ),
  temporal_fc_backward: (a: TemporalFcBackward) =>
    addon.temporal_fc_backward(
      a.clips,
      a.steps,
      a.positions,
      a.channels,
      a.groups,
      a.x.handle,
      a.weight.handle,
      a.dy.handle,
      a.dx && a.dx.handle,
      a.dweight && a.dweight.handle,
      a.dbias && a.dbias.handle,
    ),
  topk_index: (a: TopkIndex) => addon.topk_index(a.outer, a.n, a.inner, a.k, a.largest, a.x.handle, a.index.handle),
});

/** The kernels as methods that hand their name and arguments to `launch`. */
export const methods = (launch: <K extends KernelName>(kernel: K, a: KernelArguments[K]) => void) => ({
  accumulateForward: (a: AccumulateForward) => launch('accumulate_forward', a),
  accumulateCopy: (a: AccumulateCopy) => launch('accumulate_copy', a),
  adamwStep: (a: AdamwStep) => launch('adamw_step', a),
  adamwNumbers: (a: AdamwNumbers) => launch('adamw_numbers', a),
  arithmeticForward: (a: ArithmeticForward) => launch('arithmetic_forward', a),
  arithmeticReduce: (a: ArithmeticReduce) => launch('arithmetic_reduce', a),
  arithmeticCopy: (a: ArithmeticCopy) => launch('arithmetic_copy', a),
  batchNormForward: (a: BatchNormForward) => launch('batch_norm_forward', a),
  batchNormBackward: (a: BatchNormBackward) => launch('batch_norm_backward', a),
  batchedMatmulForward: (a: BatchedMatmulForward) => launch('batched_matmul_forward', a),
  castToBf16: (a: CastToBf16) => launch('cast_to_bf16', a),
  castToF32: (a: CastToF32) => launch('cast_to_f32', a),
  clipInputForward: (a: ClipInputForward) => launch('clip_input_forward', a),
  conv3dForward: (a: Conv3dForward) => launch('conv3d_forward', a),
  conv3dBackward: (a: Conv3dBackward) => launch('conv3d_backward', a),
  convNormForward: (a: ConvNormForward) => launch('conv_norm_forward', a),
  crossEntropyForward: (a: CrossEntropyForward) => launch('cross_entropy_forward', a),
  crossEntropyBackward: (a: CrossEntropyBackward) => launch('cross_entropy_backward', a),
  cumsumForward: (a: CumsumForward) => launch('cumsum_forward', a),
  dropoutFactors: (a: DropoutFactors) => launch('dropout_factors', a),
  dropoutApply: (a: DropoutApply) => launch('dropout_apply', a),
  gatherForward: (a: GatherForward) => launch('gather_forward', a),
  gatherBackward: (a: GatherBackward) => launch('gather_backward', a),
  geluForward: (a: GeluForward) => launch('gelu_forward', a),
  geluBackward: (a: GeluBackward) => launch('gelu_backward', a),
  gradNormMeasure: (a: GradNormMeasure) => launch('grad_norm_measure', a),
  gradNormScale: (a: GradNormScale) => launch('grad_norm_scale', a),
  gradNormLerp: (a: GradNormLerp) => launch('grad_norm_lerp', a),
  indexRowsForward: (a: IndexRowsForward) => launch('index_rows_forward', a),
  indexRowsBackward: (a: IndexRowsBackward) => launch('index_rows_backward', a),
  layerNormForward: (a: LayerNormForward) => launch('layer_norm_forward', a),
  layerNormBackward: (a: LayerNormBackward) => launch('layer_norm_backward', a),
  linearForward: (a: LinearForward) => launch('linear_forward', a),
  linearBackward: (a: LinearBackward) => launch('linear_backward', a),
  maxForward: (a: MaxForward) => launch('max_forward', a),
  maxBackward: (a: MaxBackward) => launch('max_backward', a),
  meanPoolForward: (a: MeanPoolForward) => launch('mean_pool_forward', a),
  meanPoolBackward: (a: MeanPoolBackward) => launch('mean_pool_backward', a),
  morphFcForward: (a: MorphFcForward) => launch('morph_fc_forward', a),
  morphFcBackward: (a: MorphFcBackward) => launch('morph_fc_backward', a),
  nonFiniteCount: (a: NonFiniteCount) => launch('non_finite_count', a),
  normMlpForward: (a: NormMlpForward) => launch('norm_mlp_forward', a),
  normMlpBackward: (a: NormMlpBackward) => launch('norm_mlp_backward', a),
  normSpatialBranches: (a: NormSpatialBranches) => launch('norm_spatial_branches', a),
  normSpatialBranchesBackward: (a: NormSpatialBranchesBackward) => launch('norm_spatial_branches_backward', a),
  normSpatialMix: (a: NormSpatialMix) => launch('norm_spatial_mix', a),
  normSpatialMixBackward: (a: NormSpatialMixBackward) => launch('norm_spatial_mix_backward', a),
  normSpatialPool: (a: NormSpatialPool) => launch('norm_spatial_pool', a),
  normSpatialApply: (a: NormSpatialApply) => launch('norm_spatial_apply', a),
  normTemporalForward: (a: NormTemporalForward) => launch('norm_temporal_forward', a),
  normTemporalBackward: (a: NormTemporalBackward) => launch('norm_temporal_backward', a),
  pixelCrossEntropyForward: (a: PixelCrossEntropyForward) => launch('pixel_cross_entropy_forward', a),
  pixelCrossEntropyBackward: (a: PixelCrossEntropyBackward) => launch('pixel_cross_entropy_backward', a),
  pointwiseForward: (a: PointwiseForward) => launch('pointwise_forward', a),
  pointwiseBackward: (a: PointwiseBackward) => launch('pointwise_backward', a),
  resizeForward: (a: ResizeForward) => launch('resize_forward', a),
  resizeBackward: (a: ResizeBackward) => launch('resize_backward', a),
  reweightForward: (a: ReweightForward) => launch('reweight_forward', a),
  reweightBackward: (a: ReweightBackward) => launch('reweight_backward', a),
  sgdStep: (a: SgdStep) => launch('sgd_step', a),
  softmaxForward: (a: SoftmaxForward) => launch('softmax_forward', a),
  softmaxBackward: (a: SoftmaxBackward) => launch('softmax_backward', a),
  temporalFcForward: (a: TemporalFcForward) => launch('temporal_fc_forward', a),
  temporalFcBackward: (a: TemporalFcBackward) => launch('temporal_fc_backward', a),
  topkIndex: (a: TopkIndex) => launch('topk_index', a),
});
