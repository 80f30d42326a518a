import { dryRun } from '../../src/core/dry_run';
import type { MorphMlpConfig } from '../../src/models/config';
import { MorphMLP } from '../../src/models/morphmlp';
import { kernels, type KernelArgument } from '../../src/core/native';
import { scope } from '../../src/core/scope';
import { zeros } from '../../src/core/tensor';
import { simpleModel } from './simple_model';

const convolution = ([batch, ins, outs, groups, ...at]: number[]): number => {
  const [size, kernel, stride, before, behind] = [0, 3, 6, 9, 12].map((i) => at.slice(i, i + 3)) as number[][];
  const out = size!.map((n, i) => Math.floor((n + before![i]! + behind![i]! - kernel![i]!) / stride![i]!) + 1);
  return [batch!, ...out, outs!, ins! / groups!, ...kernel!].reduce((a, b) => a * b, 1);
};

/** Multiply-adds of the kernels that have any, from what they are called with: none is told what model it belongs to. */
const MACS: Record<string, (n: number[]) => number> = {
  linear_forward: ([rows, k, out]) => rows! * k! * out!,
  // frames, h, w, c, chunk, groups: every token's group is part of one row of the FC.
  morph_fc_forward: ([frames, h, w, c, chunk, groups]) => frames! * h! * w! * c! * ((chunk! * c!) / groups!),
  temporal_fc_forward: ([clips, steps, positions, c, groups]) =>
    clips! * positions! * groups! * ((steps! * c!) / groups!) ** 2,
  conv3d_forward: convolution,
  conv_norm_forward: convolution,
};

/** What one view costs a model of simple ops: parameters from its tensors, multiply-adds from the calls of its kernels. */
export function measured(config: MorphMlpConfig): { params: number; macs: number } {
  return dryRun(() => {
    let macs = 0;
    for (const [name, count] of Object.entries(MACS))
      kernels[name as keyof typeof kernels] = (...args: KernelArgument[]) =>
        void (macs += count(args.filter((a): a is number => typeof a === 'number')));
    const model = new MorphMLP(config);
    const params = model.parameters().reduce((sum, p) => sum + p.size, 0);
    scope(() => simpleModel(model, zeros([1, 3, config.frames, 224, 224])));
    return { params, macs };
  });
}
