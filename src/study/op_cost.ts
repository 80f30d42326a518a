import type { KernelName } from '../core/kernels';
import type { Handle, KernelArgument } from '../core/native';

type Sizes = readonly number[];
type Buffers = readonly (Handle | null | readonly Handle[])[];

/** What a kernel is asked to do, by the arguments of a call. */
interface Work {
  /** Multiply-adds of FCs and convolutions, as papers and `countOps` count them. */
  macs: (sizes: Sizes, buffers: Buffers) => number;
  /** The sizes that matter, for people. */
  shape: (sizes: Sizes) => string;
  /** Buffers that are read and written again; others are written where no kernel wrote them before. */
  updates?: (buffers: Buffers) => readonly (Handle | null)[];
}

const flat = (buffers: Buffers): (Handle | null)[] => buffers.flat();
const product = (sizes: Sizes): number => sizes.reduce((a, b) => a * b, 1);
const shown = (sizes: Sizes): string => `[${sizes.join(', ')}]`;
const tokens = ([b, t, h, w, c]: Sizes): Sizes => [b!, t!, h!, w!, c!];

/** Element by element, sums and copies: no product of matrices, so no multiply-adds by the way all of this counts. */
const elementwise = (shape: Work['shape'] = ([n]) => shown([n!])): Work => ({ macs: () => 0, shape });
const rowsOf: Work['shape'] = ([rows, cols]) => shown([rows!, cols!]);
/** Lists of tensors, of which these are read and written. */
const update = (...changed: number[]): Work => ({
  macs: () => 0,
  shape: () => 'all parameters',
  updates: (buffers) => changed.flatMap((i) => buffers[i] as readonly Handle[]),
});

/** How many of the results that stand last are wanted: each is a product of its own. */
const wanted = (buffers: Buffers, results: readonly number[]): number => results.filter((i) => buffers[i]).length;

const fc = ([rows, n, k]: Sizes): number => rows! * n! * k!;
const fcShape: Work['shape'] = ([rows, n, k]) => `[${rows}, ${k}] → ${n}`;

function convolution([batch, into, out, groups, ...rest]: Sizes): { macs: number; shape: string } {
  const triple = (i: number) => rest.slice(3 * i, 3 * i + 3);
  const [size, kernel, stride, before, behind] = [triple(0), triple(1), triple(2), triple(3), triple(4)];
  const sizes = size.map((n, i) => Math.floor((n + before[i]! + behind[i]! - kernel[i]!) / stride[i]!) + 1);
  const shape = `[${[batch, ...size, into].join(', ')}] → [${[batch, ...sizes, out].join(', ')}], ${kernel.join('×')}`;
  return { macs: batch! * product(sizes) * out! * (into! / groups!) * product(kernel), shape };
}

/** Rows of L tokens by C/G channels. */
const morph = ([frames, h, w, c, chunk, groups]: Sizes): number => frames! * h! * w! * c! * ((chunk! * c!) / groups!);
const morphShape: Work['shape'] = ([frames, h, w, c, chunk]) => `${shown([frames!, h!, w!, c!])}, L = ${chunk}`;

const temporal = ([b, t, hw, c, groups]: Sizes): number => b! * t! * hw! * c! * ((t! * c!) / groups!);
const temporalShape: Work['shape'] = ([b, t, hw, c, groups]) => `${shown([b!, t!, hw!, c!])}, ${groups} groups`;
const projected = (sizes: Sizes): number => temporal(sizes) + sizes[0]! * sizes[1]! * sizes[2]! * sizes[3]! ** 2;

const mlp = ([rows, c, hidden]: Sizes): number => 2 * rows! * c! * hidden!;
const mlpShape: Work['shape'] = ([rows, c, hidden]) => `[${rows}, ${c}] → ${hidden} → ${c}`;

/** Every FC of the spatial part is C × C on every token. */
const tokenFc = (sizes: Sizes): number => product(tokens(sizes)) * sizes[4]!;
const branches = (sizes: Sizes): number => (sizes[6] ? 2 : 3);
const spatialShape: Work['shape'] = (sizes) => `${shown(tokens(sizes))}, L = ${sizes[5]}`;

/** Every kernel: one that is missing here does not compile. */
const WORK: Readonly<Record<KernelName, Work>> = {
  accumulate_forward: { ...elementwise(), updates: (buffers) => flat(buffers).slice(1) },
  accumulate_copy: elementwise(),
  adamw_step: update(0, 2, 3),
  adamw_numbers: { macs: () => 0, shape: () => 'the numbers of a step' },
  arithmetic_forward: elementwise((sizes) => shown(sizes.slice(1, 7))),
  arithmetic_reduce: elementwise((sizes) => shown(sizes.slice(0, 6))),
  batch_norm_forward: {
    ...elementwise(rowsOf),
    updates: (buffers) => flat(buffers).slice(3, 5),
  },
  batch_norm_backward: elementwise(rowsOf),
  cast_to_bf16: elementwise(),
  cast_to_f32: elementwise(),
  conv3d_forward: { macs: (sizes) => convolution(sizes).macs, shape: (sizes) => convolution(sizes).shape },
  conv3d_backward: {
    macs: (sizes, buffers) => wanted(buffers, [3, 4]) * convolution(sizes).macs,
    shape: (sizes) => convolution(sizes).shape,
  },
  conv_norm_forward: {
    macs: (sizes) => convolution(sizes).macs,
    shape: (sizes) => convolution(sizes).shape,
    updates: (buffers) => flat(buffers).slice(5, 7),
  },
  cross_entropy_forward: elementwise(rowsOf),
  cross_entropy_backward: elementwise(rowsOf),
  clip_input_forward: elementwise(),
  dropout_factors: elementwise(),
  dropout_apply: elementwise(),
  gelu_forward: elementwise(),
  gelu_backward: elementwise(),
  grad_norm_measure: { macs: () => 0, shape: () => 'all gradients' },
  grad_norm_scale: update(0),
  grad_norm_lerp: update(0),
  index_rows_forward: elementwise(([rows, width, count]) => `${shown([rows!, width!])}, ${count} rows`),
  index_rows_backward: elementwise(([rows, width, count]) => `${shown([rows!, width!])}, ${count} rows`),
  layer_norm_forward: elementwise(rowsOf),
  layer_norm_backward: elementwise(rowsOf),
  linear_forward: { macs: fc, shape: fcShape },
  linear_backward: { macs: (sizes, buffers) => wanted(buffers, [3, 4]) * fc(sizes), shape: fcShape },
  max_forward: elementwise((sizes) => shown(sizes.slice(0, 3))),
  max_backward: elementwise((sizes) => shown(sizes.slice(0, 3))),
  mean_pool_forward: elementwise((sizes) => shown(sizes.slice(0, 3))),
  mean_pool_backward: elementwise((sizes) => shown(sizes.slice(0, 3))),
  morph_fc_forward: { macs: morph, shape: morphShape },
  morph_fc_backward: { macs: (sizes, buffers) => wanted(buffers, [3, 4]) * morph(sizes), shape: morphShape },
  non_finite_count: elementwise(),
  norm_mlp_forward: { macs: mlp, shape: mlpShape },
  norm_mlp_backward: { macs: (sizes) => 2 * mlp(sizes), shape: mlpShape },
  norm_spatial_branches: { macs: (sizes) => branches(sizes) * tokenFc(sizes), shape: spatialShape },
  norm_spatial_branches_backward: { macs: (sizes) => 2 * branches(sizes) * tokenFc(sizes), shape: spatialShape },
  norm_spatial_mix: { macs: tokenFc, shape: spatialShape },
  norm_spatial_mix_backward: { macs: (sizes) => 2 * tokenFc(sizes), shape: spatialShape },
  // It finds the branches' mean ahead of them, from sums over the tokens: a shortcut beside the network's own multiply-adds.
  norm_spatial_pool: { macs: () => 0, shape: spatialShape },
  norm_spatial_apply: { macs: (sizes) => (branches(sizes) + 1) * tokenFc(sizes), shape: spatialShape },
  norm_temporal_forward: { macs: projected, shape: temporalShape },
  norm_temporal_backward: { macs: (sizes) => 2 * projected(sizes), shape: temporalShape },
  reweight_forward: elementwise((sizes) => shown(sizes.slice(0, 3))),
  reweight_backward: elementwise((sizes) => shown(sizes.slice(0, 3))),
  sgd_step: update(0, 2),
  softmax_forward: elementwise(rowsOf),
  softmax_backward: elementwise(rowsOf),
  temporal_fc_forward: { macs: temporal, shape: temporalShape },
  temporal_fc_backward: { macs: (sizes, buffers) => wanted(buffers, [3, 4]) * temporal(sizes), shape: temporalShape },
};

/** The work of one call. */
export interface CallWork {
  macs: number;
  shape: string;
  /** Every buffer once. */
  buffers: Handle[];
  /** Those that are read and written again. */
  updated: ReadonlySet<Handle>;
}

/** The work of a call, from the arguments its binding reads: sizes and options first, then buffers. */
export function workOf(kernel: KernelName, args: readonly KernelArgument[]): CallWork {
  const isBuffer = (a: KernelArgument): a is Handle | null | readonly Handle[] => typeof a === 'object';
  const [sizes, given] = [args.filter((a) => !isBuffer(a)).map(Number), args.filter(isBuffer)];
  const { macs, shape, updates } = WORK[kernel];
  const present = (list: readonly (Handle | null)[]) => list.filter((handle) => handle !== null);
  return {
    macs: macs(sizes, given),
    shape: shape(sizes),
    buffers: [...new Set(present(flat(given)))],
    updated: new Set(present(updates?.(given) ?? [])),
  };
}
