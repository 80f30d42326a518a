import {
  ablationOf,
  branchesOf,
  convolutionSide,
  groupScale,
  groupWindow,
  type Ablation,
} from '../../src/models/ablation';
import { AblatedFc } from '../../src/models/ablated_fc';
import type { Array64, OpCase } from '../../src/bench/op_cases/case';
import { conv3d64 } from '../../src/bench/op_cases/conv3d';
import { gelu64, linear64, morphFc64, softmax64, type MorphOptions } from '../../src/bench/op_cases/float64';
import type { Tensor } from '../../src/core/tensor';
import { runCases } from '../support/run_cases';

type Arrays = Record<string, Array64>;

const shaped = (shape: readonly number[], data: Float64Array): Array64 => ({ shape, data });

/** A convolution with zeros round the frame such that its size stays: more of them behind where the window is even. */
function frameConv64(a: Arrays, name: string, groups: number): Float64Array {
  const [weight, bias] = [a[`${name}.weight`]!, a[`${name}.bias`]!];
  const kernel = weight.shape.slice(2) as [number, number, number];
  const before = kernel.map((k) => Math.floor((k - 1) / 2)) as unknown as readonly [number, number, number];
  const behind = kernel.map((k, i) => k - 1 - before[i]!) as unknown as readonly [number, number, number];
  const options = { stride: [1, 1, 1], padding: before, paddingBehind: behind, groups, input: 'NTHWC' } as const;
  return conv3d64({ x: a.x!, weight, bias }, options).data;
}

/** Weights [B, C, n] of the branches from the mean of their sum. */
function weights64(a: Arrays, branches: Float64Array[], [clips, channels]: [number, number]): Float64Array {
  const tokens = branches[0]!.length / clips / channels;
  const mean = new Float64Array(clips * channels);
  for (const branch of branches)
    branch.forEach((v, i) => (mean[Math.floor(i / channels / tokens) * channels + (i % channels)]! += v / tokens));
  const fc = (x: Float64Array, name: string) => linear64(x, a[`reweight.${name}.weight`]!, a[`reweight.${name}.bias`]!);
  return softmax64(fc(fc(mean, 'fc1').map(gelu64), 'fc2'), branches.length);
}

function oracle(a: Arrays, ablation: Ablation, stage: number, chunk: number): Array64 {
  const { shape } = a.x!;
  const [clips, channels] = [shape[0]!, shape[4]!];
  const side = convolutionSide(ablation);
  const groups = chunk / groupScale(ablation, stage);
  const morph = (branch: 'h' | 'w'): Float64Array => {
    if (ablation.spatial === 'group_conv') return frameConv64(a, `conv_${branch}`, chunk);
    const [axis, order] = stage === 3 ? ['width', 'strided'] : [branch === 'h' ? 'height' : 'width', 'consecutive'];
    const options = { axis, order, chunk, groups } as MorphOptions;
    return morphFc64(a.x!, a[`mlp_${branch}.weight`]!, a[`mlp_${branch}.bias`], options);
  };
  const branches =
    side !== null
      ? [frameConv64(a, 'conv', 1)]
      : branchesOf(ablation, stage).map((b) =>
          b === 'c' ? linear64(a.x!.data, a['mlp_c.weight']!, a['mlp_c.bias']) : morph(b),
        );
  const n = branches.length;
  const weights = a['reweight.fc1.weight'] ? weights64(a, branches, [clips, channels]) : null;
  const perClip = branches[0]!.length / clips;
  const sum = branches[0]!.map((_, i) => {
    const at = (Math.floor(i / perClip) * channels + (i % channels)) * n;
    return branches.reduce((total, branch, j) => total + branch[i]! * (weights ? weights[at + j]! : 1), 0);
  });
  return shaped(shape, linear64(sum, a['proj.weight']!, a['proj.bias']));
}

/** Replaces a module's tensors. */
function withTensors(module: AblatedFc, tensors: Record<string, Tensor>): AblatedFc {
  for (const [name, own] of module.namedTensors()) {
    const parts = name.split('.');
    const last = parts.pop()!;
    own.dispose();
    const holder = parts.reduce<object>((at, part) => (at as Record<string, object>)[part]!, module);
    Object.assign(holder, { [last]: tensors[name]! });
  }
  return module;
}

function ablatedCase(
  change: Partial<Ablation>,
  stage: 0 | 3,
  shape: readonly number[],
  chunk: number,
  qkvBias = true,
): OpCase {
  const [channels, ablation] = [shape[4]!, ablationOf({ ablation: change })];
  const four = <T>(value: T) => [value, value, value, value] as const;
  const config = { embedDims: four(channels), segmentDim: four(chunk), qkvBias, ablation: change };
  const module = new AblatedFc(config, stage);
  const parameters = module.namedTensors().map(([name, t]) => {
    const fan = t.size / t.shape[0]!;
    return [name, { shape: t.shape, scale: t.ndim > 1 ? Math.sqrt(3 / fan) : 0.5 }] as const;
  });
  module.dispose();
  return {
    name: `${Object.values(change).join(', ')}, stage ${stage + 1}, [${shape.join(', ')}], L = ${chunk}${qkvBias ? '' : ', no bias'}`,
    inputs: { x: { shape }, ...Object.fromEntries(parameters) },
    forward: ({ x, ...own }) => withTensors(new AblatedFc(config, stage), own).forward(x!),
    oracle: (arrays) => oracle(arrays, ablation, stage, chunk),
    tolerance: { forward: 2e-6 },
  };
}

runCases('AblatedFc', [
  ablatedCase({ groupDim: 'C/2L' }, 0, [1, 2, 3, 4, 8], 4),
  ablatedCase({ groupDim: '2C/L' }, 0, [2, 1, 3, 3, 8], 4),
  ablatedCase({ groupDim: '2C/L', weighting: 'sum' }, 0, [1, 1, 4, 2, 4], 2, false),
  ablatedCase({ groupDim: 'C/2L' }, 3, [1, 1, 2, 3, 8], 4),
  ablatedCase({ branches: 'H+W' }, 0, [2, 1, 3, 4, 8], 4),
  ablatedCase({ branches: 'H+W' }, 3, [1, 2, 2, 2, 8], 4),
  ablatedCase({ weighting: 'sum' }, 0, [1, 2, 3, 2, 8], 2),
  ablatedCase({ weighting: 'sum' }, 3, [1, 1, 3, 3, 8], 4, false),
  ablatedCase({ branches: 'H+W', weighting: 'sum' }, 0, [1, 1, 2, 4, 8], 4),
  ablatedCase({ spatial: 'conv_3x3' }, 0, [1, 2, 3, 4, 4], 4),
  ablatedCase({ spatial: 'conv_7x7' }, 3, [1, 1, 4, 3, 4], 4),
  ablatedCase({ spatial: 'group_conv' }, 0, [1, 2, 5, 3, 8], 4),
  ablatedCase({ spatial: 'group_conv', branches: 'H+W', weighting: 'sum' }, 0, [2, 1, 3, 4, 6], 3),
  ablatedCase({ spatial: 'group_conv' }, 3, [1, 1, 3, 4, 12], 6),
]);

test.each([
  [14, 0, { h: [14, 1], w: [1, 14] }],
  [49, 3, { h: [7, 7] }],
  [6, 3, { h: [2, 3] }],
  [5, 3, { h: [1, 5] }],
] as const)(
  'a group convolution has as many taps as a chunk has tokens: %d in stage %d + 1',
  (chunk, stage, windows) => {
    for (const [branch, window] of Object.entries(windows))
      expect(groupWindow(branch as 'h' | 'w', chunk, stage)).toEqual(window);
  },
);
