import { ROLES, type KernelArguments, type KernelName } from '../core/kernels';
import type { Handle, Operand } from '../core/operand';

/** How to compute the work of a kernel from its arguments. */
interface Work<A> {
  /** Multiply-adds of FCs and convolutions, as papers and `countOps` count them. */
  macs: (a: A) => number;
  /** The relevant sizes as text. */
  shape: (a: A) => string;
}

const shown = (...sizes: number[]): string => `[${sizes.join(', ')}]`;

/** Elementwise kernels, sums and copies: only FCs and convolutions count as multiply-adds. */
const elementwise = <A>(shape: (a: A) => string): Work<A> => ({ macs: () => 0, shape });
const byLength = elementwise(({ n }: { n: number }) => shown(n));
const byRows = elementwise(({ rows, cols }: { rows: number; cols: number }) => shown(rows, cols));
const byClasses = elementwise(({ rows, classes }: { rows: number; classes: number }) => shown(rows, classes));
const byTokens = elementwise(({ clips, tokens, channels }: Record<'clips' | 'tokens' | 'channels', number>) =>
  shown(clips, tokens, channels),
);
type PictureSizes = Record<'batch' | 'height' | 'width' | 'outHeight' | 'outWidth', number> & {
  channels?: number;
  classes?: number;
};
const byReduced = elementwise(({ outer, n, inner }: Record<'outer' | 'n' | 'inner', number>) => shown(outer, n, inner));
const byTaken = elementwise(
  ({ rows, width, taken }: Record<'rows' | 'width' | 'taken', number>) => `${shown(rows, width)}, ${taken} rows`,
);
const byPictures = elementwise(
  ({ batch, height, width, outHeight, outWidth, ...of }: PictureSizes) =>
    `${shown(batch, height, width, of.channels ?? of.classes!)} → ${outHeight}×${outWidth}`,
);
const lists = (shape: string): Work<unknown> => elementwise(() => shape);

/** The number of gradients that a backward computes: of x and of the weight. */
const gradientCount = ({ dx, dweight }: { dx: Operand | null; dweight: Operand | null }) =>
  Number(!!dx) + Number(!!dweight);

type FcSizes = Record<'rows' | 'n' | 'k', number>;
const fc = ({ rows, n, k }: FcSizes): number => rows * n * k;
const fcShape = ({ rows, n, k }: FcSizes): string => `[${rows}, ${k}] → ${n}`;

type ConvolutionSizes = Omit<KernelArguments['conv3d_forward'], 'x' | 'weight' | 'bias' | 'y'>;

function convolution({ batch, inChannels, outChannels, groups, ...axes }: ConvolutionSizes) {
  const { in: size, kernel, stride, padding, paddingBehind } = axes;
  const out = size.map((n, i) => Math.floor((n + padding[i]! + paddingBehind[i]! - kernel[i]!) / stride[i]!) + 1);
  const macs = [batch, ...out, outChannels, inChannels / groups, ...kernel].reduce((a, b) => a * b, 1);
  return {
    macs,
    shape: `${shown(batch, ...size, inChannels)} → ${shown(batch, ...out, outChannels)}, ${kernel.join('×')}`,
  };
}
const convolutionShape = (a: ConvolutionSizes): string => convolution(a).shape;

type MorphSizes = Record<'frames' | 'height' | 'width' | 'channels' | 'chunk' | 'groups', number>;
/** The FC mixes rows of L tokens by C/G channels. */
const morph = ({ frames, height, width, channels, chunk, groups }: MorphSizes): number =>
  frames * height * width * channels * ((chunk * channels) / groups);
const morphShape = ({ frames, height, width, channels, chunk }: MorphSizes): string =>
  `${shown(frames, height, width, channels)}, L = ${chunk}`;

type TemporalSizes = Record<'clips' | 'steps' | 'positions' | 'channels' | 'groups', number>;
const temporal = ({ clips, steps, positions, channels, groups }: TemporalSizes): number =>
  clips * steps * positions * channels * ((steps * channels) / groups);
const temporalShape = ({ clips, steps, positions, channels, groups }: TemporalSizes): string =>
  `${shown(clips, steps, positions, channels)}, ${groups} groups`;
const projected = (a: TemporalSizes): number => temporal(a) + a.clips * a.steps * a.positions * a.channels ** 2;

type MlpSizes = Record<'rows' | 'channels' | 'hidden', number>;
const mlp = ({ rows, channels, hidden }: MlpSizes): number => 2 * rows * channels * hidden;
const mlpShape = ({ rows, channels, hidden }: MlpSizes): string => `[${rows}, ${channels}] → ${hidden} → ${channels}`;

type SpatialSizes = Record<'clips' | 'steps' | 'height' | 'width' | 'channels' | 'chunk', number> & {
  strided: boolean;
};
/** Every FC of the spatial part is C × C on every token. */
const tokenFc = ({ clips, steps, height, width, channels }: SpatialSizes): number =>
  clips * steps * height * width * channels * channels;
const branches = ({ strided }: SpatialSizes): number => (strided ? 2 : 3);
const spatialShape = ({ clips, steps, height, width, channels, chunk }: SpatialSizes): string =>
  `${shown(clips, steps, height, width, channels)}, L = ${chunk}`;

/** The work of every kernel. A missing entry is a compile error. */
const WORK: { readonly [K in KernelName]: Work<KernelArguments[K]> } = {
  accumulate_forward: byLength,
  accumulate_copy: byLength,
  adamw_step: lists('all parameters'),
  adamw_numbers: lists('the numbers of a step'),
  arithmetic_forward: elementwise(({ dims }) => shown(...dims)),
  arithmetic_reduce: elementwise(({ kept }) => shown(...kept)),
  arithmetic_copy: elementwise(({ dims }) => shown(...dims)),
  batched_matmul_forward: {
    macs: ({ batch, m, n, k }) => batch * m * n * k,
    shape: ({ batch, m, n, k }) => `${shown(batch, m, k)} ${shown(batch, k, n)}`,
  },
  batch_norm_forward: byRows,
  batch_norm_backward: byRows,
  cast_to_bf16: byLength,
  cast_to_f32: byLength,
  conv3d_forward: { macs: (a) => convolution(a).macs, shape: convolutionShape },
  conv3d_backward: { macs: (a) => gradientCount(a) * convolution(a).macs, shape: convolutionShape },
  conv_norm_forward: { macs: (a) => convolution(a).macs, shape: convolutionShape },
  cross_entropy_forward: byClasses,
  cross_entropy_backward: byClasses,
  clip_input_forward: elementwise(({ clips }) => shown(clips)),
  cumsum_forward: byReduced,
  dropout_factors: byLength,
  dropout_apply: byLength,
  gather_forward: byReduced,
  gather_backward: byReduced,
  gelu_forward: byLength,
  gelu_backward: byLength,
  grad_norm_measure: lists('all gradients'),
  grad_norm_scale: lists('all parameters'),
  grad_norm_lerp: lists('all parameters'),
  index_rows_forward: byTaken,
  index_rows_backward: byTaken,
  layer_norm_forward: byRows,
  layer_norm_backward: byRows,
  linear_forward: { macs: fc, shape: fcShape },
  linear_backward: { macs: (a) => gradientCount(a) * fc(a), shape: fcShape },
  max_forward: byReduced,
  max_backward: byReduced,
  mean_pool_forward: byTokens,
  mean_pool_backward: byTokens,
  morph_fc_forward: { macs: morph, shape: morphShape },
  morph_fc_backward: { macs: (a) => gradientCount(a) * morph(a), shape: morphShape },
  non_finite_count: byLength,
  norm_mlp_forward: { macs: mlp, shape: mlpShape },
  norm_mlp_backward: { macs: (a) => 2 * mlp(a), shape: mlpShape },
  norm_spatial_branches: { macs: (a) => branches(a) * tokenFc(a), shape: spatialShape },
  norm_spatial_branches_backward: { macs: (a) => 2 * branches(a) * tokenFc(a), shape: spatialShape },
  norm_spatial_mix: { macs: tokenFc, shape: spatialShape },
  norm_spatial_mix_backward: { macs: (a) => 2 * tokenFc(a), shape: spatialShape },
  // Computes the mean of the branches from sums over the tokens, which replaces none of the network's multiply-adds.
  norm_spatial_pool: { macs: () => 0, shape: spatialShape },
  norm_spatial_apply: { macs: (a) => (branches(a) + 1) * tokenFc(a), shape: spatialShape },
  norm_temporal_forward: { macs: projected, shape: temporalShape },
  norm_temporal_backward: { macs: (a) => 2 * projected(a), shape: temporalShape },
  pixel_cross_entropy_forward: byPictures,
  pixel_cross_entropy_backward: byPictures,
  pointwise_forward: byLength,
  pointwise_backward: byLength,
  resize_forward: byPictures,
  resize_backward: byPictures,
  reweight_forward: byTokens,
  reweight_backward: byTokens,
  sgd_step: lists('all parameters'),
  softmax_forward: byRows,
  softmax_backward: byRows,
  topk_index: byReduced,
  temporal_fc_forward: { macs: temporal, shape: temporalShape },
  temporal_fc_backward: { macs: (a) => gradientCount(a) * temporal(a), shape: temporalShape },
};

/** The work of one kernel call. */
export interface CallWork {
  macs: number;
  shape: string;
  /** The buffers that are read, each once, including updated ones. */
  read: readonly Handle[];
  /** The buffers that are written, each once, including updated ones. */
  written: readonly Handle[];
}

/** The distinct buffers of these arguments. */
function buffersOf(args: object, names: readonly string[]): Handle[] {
  const given = args as Readonly<Record<string, Operand | null | readonly (Operand | null)[]>>;
  const operands = names.flatMap((name) => [given[name]!].flat() as (Operand | null)[]);
  return [...new Set(operands.filter((t) => t !== null).map(({ handle }) => handle))];
}

/** Computes the work of a call. The kernel's .def file defines which arguments it reads and writes. */
export function workOf<K extends KernelName>(kernel: K, args: KernelArguments[K]): CallWork {
  const { macs, shape } = WORK[kernel];
  const roles = ROLES[kernel];
  return {
    macs: macs(args),
    shape: shape(args),
    read: buffersOf(args, [...roles.in, ...roles.update]),
    written: buffersOf(args, [...roles.out, ...roles.update]),
  };
}
