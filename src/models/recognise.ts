import { expectOptions, type Known } from '../core/options';
import type { Shape } from '../core/tensor';
import { ablationWords, SWITCHES, withAblation, type Ablation } from './ablation';
import { checkConfig, temporalGroups, VARIANTS, type MorphMlpConfig } from './config';

/** Shapes of the tensors of a file by PyTorch name. */
export type Shapes = ReadonlyMap<string, { readonly shape: Shape }>;

/** Properties of a model that its tensors do not determine. */
export interface Hints {
  /** Frames of a clip, if the temporal FCs fit several numbers. */
  frames?: number | undefined;
  /** Chunk lengths, on which no weight's shape depends. */
  segmentDim?: MorphMlpConfig['segmentDim'] | undefined;
}

/** The names of hints. */
export const HINTS: Known<Hints> = { frames: true, segmentDim: true };

/** A model recognised from its tensors. */
export interface Recognised {
  config: MorphMlpConfig;
  /** Name in `VARIANTS` for any number of classes; null if no published model has these sizes. */
  variant: string | null;
}

type Four<T> = readonly [T, T, T, T];
const four = <T>(make: (stage: number) => T): Four<T> => [make(1), make(2), make(3), make(4)];
const list = (numbers: readonly number[]) => numbers.join(', ');

class Reader {
  constructor(private readonly tensors: Shapes) {}

  has(name: string): boolean {
    return this.tensors.has(name);
  }

  /** Size number `dim` of a tensor. */
  size(name: string, dim = 0): number {
    const size = this.tensors.get(name)?.shape[dim];
    if (size === undefined) throw new Error(`these are not the weights of a MorphMLP: there is no tensor ${name}`);
    return size;
  }

  blocks(stage: number): number {
    let count = 0;
    while (this.has(`blocks${stage}.${count}.norm1.weight`)) count++;
    return count;
  }
}

/** Width of the temporal FC in a stage of `channels`: steps × channels / groups. */
const rowOf = (channels: number, steps: number) => (steps * channels) / temporalGroups(channels, steps);

/** Number of frames whose temporal FCs have these widths: the hint, else a published model's 16 or 32, else the smallest. */
function framesFor(channels: Four<number>, rows: Four<number>, hint: number | undefined): number {
  const fits = (frames: number) => channels.every((c, i) => rowOf(c, Math.ceil(frames / 2)) === rows[i]);
  const candidates = hint ? [hint] : [16, 32, ...Array.from({ length: 128 }, (_, i) => i + 1)];
  const found = candidates.find(fits);
  if (found !== undefined) return found;
  const asked = hint
    ? `${hint} frames need ${list(channels.map((c) => rowOf(c, Math.ceil(hint / 2))))}`
    : 'no number of frames fits';
  throw new Error(`the temporal FCs have rows of ${list(rows)}; ${asked}`);
}

type Sizes = Pick<MorphMlpConfig, 'kind' | 'frames' | 'layers' | 'embedDims' | 'ablation'>;

const sameSizes = (a: Sizes, b: Sizes) =>
  a.kind === b.kind &&
  a.frames === b.frames &&
  list(a.layers) === list(b.layers) &&
  list(a.embedDims) === list(b.embedDims) &&
  ablationWords(a).join() === ablationWords(b).join();

/** Ablation switches, which the first block's tensors determine. */
function ablationIn(read: Reader, channels: number): Ablation {
  const has = (part: string) => read.has(`blocks1.0.fc.${part}.weight`);
  const side = has('conv') ? read.size('blocks1.0.fc.conv.weight', 3) : null;
  if (side !== null) {
    const spatial = SWITCHES.spatial.find((name) => name === `conv_${side}x${side}`);
    if (!spatial)
      throw new Error(`its spatial part is a convolution of ${side} x ${side}, which is not one of the paper's`);
    return { groupDim: 'C/L', branches: 'H+W+C', weighting: 'softmax', spatial };
  }
  const groups = has('conv_h');
  const scale = groups ? 1 : read.size('blocks1.0.fc.mlp_h.weight') / channels;
  return {
    groupDim: scale < 1 ? 'C/2L' : scale > 1 ? '2C/L' : 'C/L',
    branches: has('mlp_c') ? 'H+W+C' : 'H+W',
    weighting: has('reweight.fc1') ? 'softmax' : 'sum',
    spatial: groups ? 'group_conv' : 'morph_fc',
  };
}

/** True if the FCs of the branches and the temporal part have biases; the default if there are no such FCs (convolutions). */
function biasIn(read: Reader): boolean {
  const fc = ['fc.mlp_c', 'fc.mlp_h', 't_fc.mlp_t'].find((name) => read.has(`blocks1.0.${name}.weight`));
  return fc === undefined || read.has(`blocks1.0.${fc}.bias`);
}

/** Chunk lengths: the hint, else those of the published model with these widths. */
function chunksFor(channels: Four<number>, hint: Hints['segmentDim']): MorphMlpConfig['segmentDim'] {
  if (hint) return hint;
  const known = Object.values(VARIANTS).find(({ config }) => list(config.embedDims) === list(channels));
  if (known) return known.config.segmentDim;
  throw new Error(
    `no published model has widths ${list(channels)}, and weights do not show the chunk lengths: give them (--segment-dim)`,
  );
}

/**
 * Recognises the configuration of a MorphMLP from the names and shapes of its tensors: depths, widths, classes, MLP ratio, biases,
 * and the frames as far as the temporal FCs determine them. Stochastic depth is that of the published model, or 0.
 * @throws if a tensor of every MorphMLP is missing, or sizes contradict each other
 */
export function recognise(tensors: Shapes, hints: Hints = {}): Recognised {
  expectOptions('recognise', hints, HINTS);
  const read = new Reader(tensors);
  const embedDims = four((stage) => read.size(`blocks${stage}.0.norm1.weight`));
  const segments = read.has('neck.lateral.0.weight');
  const kind = read.has('blocks1.0.t_fc.mlp_t.weight') ? 'video' : 'image';
  const rows = () => four((stage) => read.size(`blocks${stage}.0.t_fc.mlp_t.weight`));
  const config: MorphMlpConfig = {
    ...{ kind, layers: four((stage) => read.blocks(stage)), embedDims },
    segmentDim: chunksFor(embedDims, hints.segmentDim),
    frames: kind === 'image' ? 1 : framesFor(embedDims, rows(), hints.frames),
    numClasses: read.size(segments ? 'head.predict.weight' : 'head.weight'),
    ...(segments ? { task: 'segment' as const } : {}),
    mlpRatio: read.size('blocks1.0.mlp.fc1.weight') / embedDims[0],
    qkvBias: biasIn(read),
    dropPath: 0,
    ...withAblation(ablationIn(read, embedDims[0])),
  };
  const variant = variantName(config);
  const found = { ...config, dropPath: variant ? VARIANTS[variant]!.config.dropPath : 0 };
  checkConfig(found);
  return { config: found, variant };
}

/** Short description of a model: its name, or its kind, depths, widths and frames. */
export function describeModel({ config, variant }: Recognised): string {
  const sizes = [`layers ${list(config.layers)}`, `widths ${list(config.embedDims)}`, ...ablationWords(config)].join(
    ', ',
  );
  const frames = config.kind === 'video' ? `, ${config.frames} frames` : '';
  return `${variant ?? (config.kind === 'image' ? 'an image model' : 'a video model')} (${sizes}${frames})`;
}

/** Throws if the tensors are not those of the variant `wanted`, naming both. */
export function expectVariant(found: Recognised, wanted: string): void {
  const config = VARIANTS[wanted]?.config;
  if (!config) throw new Error(`model '${wanted}' is not one of ${Object.keys(VARIANTS).join(', ')}`);
  if (found.variant === wanted) return;
  throw new Error(`it holds ${describeModel(found)}, not ${describeModel({ config, variant: wanted })}`);
}

/** Throws if weights differ from a model in depths, widths or switches, or belong to a video model and it is for images. */
export function expectSizes(found: MorphMlpConfig, wanted: Omit<MorphMlpConfig, 'numClasses'>): void {
  const sizes = (config: Pick<MorphMlpConfig, 'layers' | 'embedDims' | 'ablation'>) =>
    `${list(config.layers)}/${list(config.embedDims)}/${ablationWords(config).join()}`;
  if (sizes(found) === sizes(wanted) && !(found.kind === 'video' && wanted.kind === 'image')) return;
  const ours = describeModel({ config: { ...wanted, numClasses: found.numClasses }, variant: null });
  throw new Error(`it holds ${describeModel({ config: found, variant: variantName(found) })}; this is ${ours}`);
}

/** Name in `VARIANTS` of the published model with these sizes; null if there is none. */
export function variantName(config: Sizes): string | null {
  return Object.entries(VARIANTS).find(([, known]) => sameSizes(known.config, config))?.[0] ?? null;
}
