import { withLayer, type Layer } from '../../src/core/dispatch';
import { dryRun } from '../../src/core/dry_run';
import type { Conv3dForward, KernelArguments, KernelName } from '../../src/core/kernels';
import type { MorphMlpConfig } from '../../src/models/config';
import { MorphMLP } from '../../src/models/morphmlp';
import { scope } from '../../src/core/scope';
import { zeros } from '../../src/core/tensor';
import { simpleModel } from './simple_model';

const convolution = (a: Omit<Conv3dForward, 'x' | 'weight' | 'bias' | 'y'>): number => {
  const { batch, inChannels, outChannels, groups, in: size, kernel, stride, padding, paddingBehind } = a;
  const out = size.map((n, i) => Math.floor((n + padding[i]! + paddingBehind[i]! - kernel[i]!) / stride[i]!) + 1);
  return [batch, ...out, outChannels, inChannels / groups, ...kernel].reduce((a, b) => a * b, 1);
};

/** Multiply-adds of kernels by their call arguments, independent of the model. */
const MACS: { readonly [K in KernelName]?: (a: KernelArguments[K]) => number } = {
  linear_forward: ({ rows, n, k }) => rows * n * k,
  // Every token's group is part of one row of the FC.
  morph_fc_forward: ({ frames, height, width, channels, chunk, groups }) =>
    frames * height * width * channels * ((chunk * channels) / groups),
  temporal_fc_forward: ({ clips, steps, positions, channels, groups }) =>
    clips * positions * groups * ((steps * channels) / groups) ** 2,
  conv3d_forward: convolution,
  conv_norm_forward: convolution,
};

/** The cost of a model of simple ops for one view: parameters from its tensors, multiply-adds from its kernel calls. */
export function measured(config: MorphMlpConfig): { params: number; macs: number } {
  return dryRun(() => {
    let macs = 0;
    const counting: Layer = { over: () => ({ launch: (kernel, args) => void (macs += MACS[kernel]?.(args) ?? 0) }) };
    const model = new MorphMLP(config);
    const params = model.parameters().reduce((sum, p) => sum + p.size, 0);
    withLayer(counting, () => scope(() => simpleModel(model, zeros([1, 3, config.frames, 224, 224]))));
    return { params, macs };
  });
}
