import type { Device, Precision } from '../core/native';
import type { Known } from '../core/options';
import { checkAblation, checkGroups, type Ablation } from './ablation';

/** Configuration of a MorphMLP with four stages; arrays have one entry per stage. */
export interface MorphMlpConfig {
  kind: 'video' | 'image';
  /** `segment`: an image model that classifies pixels (`SemanticFpn`); absent: clips (`MorphMLP`). */
  task?: 'segment';
  /** Number of blocks. */
  layers: readonly [number, number, number, number];
  /** Number of channels. */
  embedDims: readonly [number, number, number, number];
  /** Chunk lengths L of the spatial FCs. */
  segmentDim: readonly [number, number, number, number];
  /** Frames of the input clip (video only): the stem halves them. */
  frames: number;
  numClasses: number;
  /** Hidden width of a block's MLP as a multiple of the channels. */
  mlpRatio: number;
  /** Biases in the FCs of the spatial branches and of the temporal part. */
  qkvBias: boolean;
  /** Drop probability of the last block (stochastic depth); it rises linearly from 0 at the first. */
  dropPath: number;
  /** Switches of the paper's ablations; absent for the published networks. */
  ablation?: Partial<Ablation>;
}

/** Channels of the pyramid of a segmentation and of its head. */
export const FPN_WIDTHS = { pyramid: 256, head: 128 } as const;

/** The keys of a configuration. */
export const CONFIG_KEYS: Known<MorphMlpConfig> = {
  ...{ kind: true, layers: true, embedDims: true, segmentDim: true, frames: true, numClasses: true },
  ...{ mlpRatio: true, qkvBias: true, dropPath: true, ablation: true, task: true },
};

/** A named model. */
export interface Variant {
  config: MorphMlpConfig;
  /** Side of the input that it is made for, in pixels. */
  crop: number;
  /** The paper's parameters (in millions) and GMACs per view; null for a model that is ours and not the paper's. */
  paper: { params: number | null; gmacs: number } | null;
}

type Stage4 = readonly [number, number, number, number];
const WIDE: Stage4 = [112, 224, 392, 784];

function image(layers: Stage4, embedDims: Stage4, dropPath: number): MorphMlpConfig {
  const common = { segmentDim: [14, 28, 28, 49] as const, mlpRatio: 3, qkvBias: true };
  return { kind: 'image', layers, embedDims, ...common, frames: 1, numClasses: 1000, dropPath };
}

function video(layers: Stage4, frames: number, dropPath: number): MorphMlpConfig {
  return { ...image(layers, WIDE, dropPath), kind: 'video', frames, numClasses: 400 };
}

function published(config: MorphMlpConfig, params: number | null, gmacs: number): Variant {
  return { config, crop: 224, paper: { params, gmacs } };
}

function small(layers: Stage4, embedDims: Stage4, segmentDim: Stage4, crop: number, numClasses = 400): Variant {
  return { config: { ...video(layers, 16, 0), embedDims, segmentDim, numClasses }, crop, paper: null };
}

const QUICKSTART = small([1, 1, 2, 1], [32, 64, 96, 128], [16, 16, 16, 4], 64, 8);

/**
 * Models by their names on the command line: small ones of ours, for small sets of videos (2M and 8M are their parameters), then
 * those of the paper (tables 1, 3, 4 and 5).
 */
export const VARIANTS: Readonly<Record<string, Variant>> = {
  quickstart: QUICKSTART,
  'quickstart-image': { ...QUICKSTART, config: { ...QUICKSTART.config, kind: 'image', frames: 1 } },
  'video-2m': small([1, 1, 2, 1], [56, 112, 168, 224], [14, 14, 14, 16], 112),
  'video-8m': small([2, 3, 5, 2], [56, 112, 224, 384], [14, 14, 14, 16], 112),
  'image-t': published(image([3, 4, 7, 3], [84, 168, 336, 588], 0.1), 23, 3.9),
  'image-s': published(image([3, 4, 9, 3], WIDE, 0.1), 38, 7.0),
  'image-b': published(image([4, 6, 15, 4], WIDE, 0.3), 58, 10.2),
  'image-l': published(image([4, 8, 18, 6], WIDE, 0.4), 76, 12.5),
  'video-s': published(video([3, 4, 9, 3], 16, 0.1), null, 67),
  'video-s-32': published(video([3, 4, 9, 3], 32, 0.1), null, 133),
  'video-b': published(video([4, 6, 15, 4], 16, 0.3), null, 98),
  'video-b-32': published(video([4, 6, 15, 4], 32, 0.3), null, 197),
};

/** Time steps after the stem: half the frames of a video (odd counts rounded up), 1 for an image. */
export function timeSteps(config: MorphMlpConfig): number {
  return config.kind === 'video' ? Math.ceil(config.frames / 2) : 1;
}

/** Channel groups of the temporal FC: the largest divisor of the channels that does not exceed the time steps. */
export function temporalGroups(channels: number, steps: number): number {
  for (let groups = Math.min(steps, channels); groups > 1; groups--) if (channels % groups === 0) return groups;
  return 1;
}

const STAGES = [0, 1, 2, 3] as const;

function checkStage(config: MorphMlpConfig, i: 0 | 1 | 2 | 3): void {
  const [layers, channels, chunk] = [config.layers[i], config.embedDims[i], config.segmentDim[i]];
  const where = `stage ${i + 1}`;
  for (const [name, value] of Object.entries({ layers, channels, chunk })) {
    if (!Number.isInteger(value) || value < 1)
      throw new Error(`model: ${where}: ${name} must be a whole number of at least 1, got ${value}`);
  }
  if (channels % chunk !== 0)
    throw new Error(`model: ${where}: ${channels} channels are not a multiple of the chunk length ${chunk}`);
  if (channels % 4 !== 0)
    throw new Error(`model: ${where}: ${channels} channels are not a multiple of 4, which the reweighting FC needs`);
  checkGroups(config, i, channels, chunk);
}

function checkSegmentation({ kind, numClasses }: MorphMlpConfig): void {
  if (kind !== 'image') throw new Error('model: segmentation is of images: give an image model, such as image-t');
  if (numClasses > 255) throw new Error(`model: segmentation has at most 255 classes, got ${numClasses}`);
}

/** Throws if a configuration is invalid. */
export function checkConfig(config: MorphMlpConfig): void {
  checkAblation(config);
  for (const i of STAGES) checkStage(config, i);
  const { frames, numClasses, dropPath, mlpRatio } = config;
  if (!Number.isInteger(frames) || frames < 1)
    throw new Error(`model: frames must be a whole number of at least 1, got ${frames}`);
  if (!Number.isInteger(numClasses) || numClasses < 1)
    throw new Error(`model: classes must be a whole number of at least 1, got ${numClasses}`);
  if (!(dropPath >= 0 && dropPath < 1)) throw new Error(`model: drop path must be in [0, 1), got ${dropPath}`);
  if (config.task === 'segment') checkSegmentation(config);
  if (!(mlpRatio > 0)) throw new Error(`model: MLP ratio must be above 0, got ${mlpRatio}`);
}

/**
 * Blocks, from the first, that a training run recomputes unless told otherwise: in bf16 on a CPU a quarter of them (rounded up), so that a process
 * takes at most 0.65 of its memory in f32 although weights, gradients and moments stay f32; else none.
 */
export function defaultRecompute({ layers }: MorphMlpConfig, precision: Precision, device: Device): number {
  return precision === 'bf16' && device === 'cpu' ? Math.ceil(layers.reduce((a, b) => a + b, 0) / 4) : 0;
}
