/** The calls of plugins: how the arguments of our kernels become those of `include/morphmlp_kernel.h`. One entry for each op. */
import type { WholeOps } from './dispatch';
import type { KernelArguments } from './kernels';
import type { Operand } from './operand';

/** A tensor argument of a plugin, and its shape in the plugin's interface. */
export type Given = readonly [tensor: Operand | null, shape: readonly number[]];

/** Arguments of a plugin call, in the order of the header; an absent tensor is null. */
export interface PluginCall {
  /** The op's inputs, in the order in which it enters the graph. */
  inputs: Readonly<Record<string, Given>>;
  /** Inputs without a gradient, which follow the others. */
  constants?: Readonly<Record<string, Given>>;
  attributes: Readonly<Record<string, number>>;
  y: Given;
}

/** Converts the arguments of a built-in kernel to those of a plugin; null if the built-in kernel must run. */
type Contract<Arguments> = (a: Arguments) => PluginCall | null;

const norm = (channels: number, gamma: Operand | null, beta: Operand | null) => ({
  gamma: [gamma, [channels]] as Given,
  beta: [beta, [channels]] as Given,
});

const TRIPLE = ['t', 'h', 'w'] as const;
const triple = (name: string, values: readonly number[]) =>
  Object.fromEntries(TRIPLE.map((axis, i) => [`${name}_${axis}`, values[i]!]));

function spatialCall(a: WholeOps['norm_spatial']): PluginCall {
  const { clips, steps, height, width, channels: c, chunk, strided, eps, hidden, x, xt, gamma, beta, y } = a;
  const shape = [clips, steps, height, width, c];
  const branches = [0, 1, 2].flatMap((i): [string, Given][] => [
    [`weight${i}`, [a.weight[i] ?? null, [c, c]]],
    [`bias${i}`, [a.bias[i] ?? null, [c]]],
  ]);
  const n = a.weight.length;
  return {
    inputs: {
      ...{ x: [x, shape], xt: [xt, shape], ...norm(c, gamma, beta), ...Object.fromEntries(branches) },
      ...{ fc1: [a.fc1, [hidden, c]], fc1_bias: [a.fc1Bias, [hidden]] },
      ...{ fc2: [a.fc2, [c * n, hidden]], fc2_bias: [a.fc2Bias, [c * n]] },
      ...{ proj: [a.proj, [c, c]], proj_bias: [a.projBias, [c]] },
    },
    constants: { scale: [a.scale, [clips]] },
    attributes: { eps, chunk, strided: Number(strided), branches: n },
    y: [y, shape],
  };
}

/** For each op that a plugin can replace, the kernel whose call it takes over, and the arguments of that call. */
export const CONTRACTS = {
  gelu: ({ n, x, y }) => ({ inputs: { x: [x, [n]] }, attributes: {}, y: [y, [n]] }),
  layer_norm: ({ rows, cols, eps, x, gamma, beta, y }) => ({
    inputs: { x: [x, [rows, cols]], ...norm(cols, gamma, beta) },
    attributes: { eps },
    y: [y, [rows, cols]],
  }),
  linear: ({ rows, n, k, gelu, x, weight, bias, y }) =>
    gelu
      ? null // the header's op has no fused GELU
      : {
          inputs: { x: [x, [rows, k]], weight: [weight, [n, k]], bias: [bias, [n]] },
          attributes: {},
          y: [y, [rows, n]],
        },
  morph_fc({ frames, height, width, channels, chunk, groups, vertical, strided, x, weight, bias, y }) {
    if (groups !== chunk)
      throw new Error(`morphFc: kernels of others have as many groups as tokens in a chunk, ${chunk}, not ${groups}`);
    const shape = [frames, height, width, channels];
    return {
      inputs: { x: [x, shape], weight: [weight, [channels, channels]], bias: [bias, [channels]] },
      attributes: { chunk, vertical: Number(vertical), strided: Number(strided) },
      y: [y, shape],
    };
  },
  temporal_fc({ clips, steps, positions, channels, groups, x, weight, bias, y }) {
    const [shape, row] = [[clips, steps, positions, channels], steps * (channels / groups)];
    const inputs = { x: [x, shape], weight: [weight, [row, row]], bias: [bias, [row]] } as const;
    return { inputs, attributes: { groups }, y: [y, shape] };
  },
  norm_mlp({ rows, channels: c, hidden, rowsPerClip, eps, x, gamma, beta, w1, b1, w2, b2, scale, y }) {
    const [clips, shape] = [rows / rowsPerClip, [rows / rowsPerClip, rowsPerClip, c]];
    return {
      inputs: {
        ...{ x: [x, shape], ...norm(c, gamma, beta) },
        ...{ w1: [w1, [hidden, c]], b1: [b1, [hidden]], w2: [w2, [c, hidden]], b2: [b2, [c]] },
      },
      constants: { scale: [scale, [clips]] },
      attributes: { eps },
      y: [y, shape],
    };
  },
  norm_temporal({
    clips,
    steps,
    positions,
    channels: c,
    groups,
    eps,
    x,
    gamma,
    beta,
    weight,
    bias,
    proj,
    projBias,
    y,
  }) {
    const [shape, row] = [[clips, steps, positions, c], steps * (c / groups)];
    return {
      inputs: {
        ...{ x: [x, shape], ...norm(c, gamma, beta), weight: [weight, [row, row]], bias: [bias, [row]] },
        ...{ proj: [proj, [c, c]], proj_bias: [projBias, [c]] },
      },
      attributes: { eps, groups },
      y: [y, shape],
    };
  },
  norm_spatial: spatialCall,
  conv3d(a) {
    const { batch, inChannels, outChannels, groups, in: size, kernel, stride, padding, paddingBehind, planar } = a;
    const out = size.map((n, i) => Math.floor((n + padding[i]! + paddingBehind[i]! - kernel[i]!) / stride[i]!) + 1);
    return {
      inputs: {
        x: [a.x, planar ? [batch, inChannels, ...size] : [batch, ...size, inChannels]],
        weight: [a.weight, [outChannels, inChannels / groups, ...kernel]],
        bias: [a.bias, [outChannels]],
      },
      attributes: {
        ...{ planar: Number(planar), groups, ...triple('stride', stride) },
        ...{ ...triple('padding', padding), ...triple('padding_behind', paddingBehind) },
      },
      y: [a.y, [batch, ...out, outChannels]],
    };
  },
} satisfies {
  gelu: Contract<KernelArguments['gelu_forward']>;
  layer_norm: Contract<KernelArguments['layer_norm_forward']>;
  linear: Contract<KernelArguments['linear_forward']>;
  morph_fc: Contract<KernelArguments['morph_fc_forward']>;
  temporal_fc: Contract<KernelArguments['temporal_fc_forward']>;
  norm_mlp: Contract<KernelArguments['norm_mlp_forward']>;
  norm_temporal: Contract<KernelArguments['norm_temporal_forward']>;
  norm_spatial: Contract<WholeOps['norm_spatial']>;
  conv3d: Contract<KernelArguments['conv3d_forward']>;
};

/** An op that a plugin can replace. */
export type PluggableOp = keyof typeof CONTRACTS;

/** Ops that a plugin can replace. */
export const PLUGGABLE = Object.keys(CONTRACTS) as readonly PluggableOp[];
