import { normSpatial, type NormSpatialParameters } from '../../ops/norm_spatial';
import { tensor, type Tensor } from '../../core/tensor';
import { array64, type Array64, type Input, type OpCase } from './case';
import { gelu64, layerNorm64, linear64, morphFc64, softmax64, type MorphOptions } from './float64';

/** One shape of the op. Two branches: stage 4. `same`: x and xt are one tensor. */
export interface SpatialCase {
  shape: readonly number[];
  chunk: number;
  branches: 2 | 3;
  scale?: readonly number[];
  bias?: boolean;
  same?: boolean;
}

/** The options of each morph FC of the op; the channel FC follows them. */
export function spatialOptions({ chunk, branches }: SpatialCase): MorphOptions[] {
  if (branches === 2) return [{ axis: 'width', chunk, order: 'strided' }];
  return (['height', 'width'] as const).map((axis) => ({ axis, chunk, order: 'consecutive' }));
}

function branches64(i: Record<string, Array64>, c: SpatialCase): Float64Array[] {
  const normed = { shape: c.shape, data: layerNorm64(i.xt ?? i.x!, i.gamma!, i.beta!) };
  const mixed = spatialOptions(c).map((options, n) => morphFc64(normed, i[`w${n}`]!, i[`b${n}`], options));
  return [...mixed, linear64(normed.data, i[`w${mixed.length}`]!, i[`b${mixed.length}`])];
}

/** The mean over each clip's tokens of the sum of branches. */
function pooled64(branches: Float64Array[], clips: number, channels: number): Float64Array {
  const pooled = new Float64Array(clips * channels);
  const clip = branches[0]!.length / clips;
  for (const branch of branches)
    branch.forEach((v, i) => (pooled[Math.floor(i / clip) * channels + (i % channels)]! += (v * channels) / clip));
  return pooled;
}

function oracle(i: Record<string, Array64>, c: SpatialCase): Array64 {
  const [clips, channels] = [c.shape[0]!, c.shape[4]!];
  const branches = branches64(i, c);
  const hidden = linear64(pooled64(branches, clips, channels), i.fc1!, i.fc1Bias).map(gelu64);
  const weights = softmax64(linear64(hidden, i.fc2!, i.fc2Bias), branches.length);
  const clip = branches[0]!.length / clips;
  const weight = (j: number, n: number) =>
    weights[(Math.floor(j / clip) * channels + (j % channels)) * branches.length + n]!;
  const mix = branches[0]!.map((_, j) => branches.reduce((sum, branch, n) => sum + branch[j]! * weight(j, n), 0));
  const out = linear64(mix, i.proj!, i.projBias);
  return array64(c.shape, (j) => i.x!.data[j]! + (c.scale?.[Math.floor(j / clip)] ?? 1) * out[j]!);
}

/** The op's parameters among a case's inputs. */
export function normSpatialParameters(t: Record<string, Tensor>, branches: number): NormSpatialParameters {
  const fc = (weight: string, bias: string) => ({ weight: t[weight]!, bias: t[bias]! });
  return {
    gamma: t.gamma!,
    beta: t.beta!,
    branches: Array.from({ length: branches }, (_, i) => ({ weight: t[`w${i}`]!, bias: t[`b${i}`] ?? null })),
    fc1: fc('fc1', 'fc1Bias'),
    fc2: fc('fc2', 'fc2Bias'),
    proj: fc('proj', 'projBias'),
  };
}

function inputsOf({ shape, branches, bias = true, same = false }: SpatialCase): Record<string, Input> {
  const [c, hidden] = [shape[4]!, Math.ceil(shape[4]! / 4)];
  const each = (make: (i: number) => [string, Input][]) => Array.from({ length: branches }, (_, i) => make(i)).flat();
  const weight = (n: number, k: number): Input => ({ shape: [n, k], scale: Math.sqrt(3 / k) });
  return {
    x: { shape },
    ...(same ? {} : { xt: { shape } }),
    gamma: { shape: [c], scale: 0.2, offset: 1 },
    beta: { shape: [c], scale: 0.1 },
    ...Object.fromEntries(each((i) => [[`w${i}`, weight(c, c)]])),
    ...(bias ? Object.fromEntries(each((i) => [[`b${i}`, { shape: [c], scale: 0.5 }]])) : {}),
    fc1: { ...weight(hidden, c), scale: 2 },
    fc1Bias: { shape: [hidden], scale: 0.5 },
    fc2: { ...weight(c * branches, hidden), scale: 2 },
    fc2Bias: { shape: [c * branches], scale: 0.5 },
    proj: weight(c, c),
    projBias: { shape: [c], scale: 0.1 },
  };
}

/** Creates a case. */
export function normSpatialCase(c: SpatialCase): OpCase {
  const { shape, chunk, branches, scale, bias = true, same = false } = c;
  const notes = [scale ? `, scale ${scale.join(' ')}` : '', bias ? '' : ', no bias', same ? ', one input' : ''].join(
    '',
  );
  return {
    name: `[${shape.join(', ')}], ${branches} branches, L = ${chunk}${notes}`,
    inputs: inputsOf(c),
    forward: (t) => {
      const factors = scale ? tensor(Float32Array.from(scale)) : null;
      return normSpatial(t.x!, t.xt ?? t.x!, normSpatialParameters(t, branches), chunk, factors);
    },
    oracle: (inputs) => oracle(inputs, c),
  };
}

/** Both variants; full and padded frames, one frame and many, dropped clips, images. */
export const normSpatialCases = [
  normSpatialCase({ shape: [1, 1, 4, 4, 8], chunk: 4, branches: 3 }),
  normSpatialCase({ shape: [2, 2, 3, 3, 4], chunk: 2, branches: 3, scale: [0, 1.25] }),
  normSpatialCase({ shape: [2, 1, 3, 4, 5], chunk: 5, branches: 3, bias: false, same: true }),
  normSpatialCase({ shape: [1, 1, 3, 3, 4], chunk: 2, branches: 2, same: true }),
  normSpatialCase({ shape: [2, 3, 2, 2, 6], chunk: 3, branches: 2, scale: [2, 0], bias: false }),
];
