/** Cost of a changed network. Runs in the page too (`pageModules`), so it imports nothing that a browser lacks. */
import { ablationOf, groupScale, type Ablation } from '../models/ablation';
import { checkConfig, type MorphMlpConfig } from '../models/config';
import { countOps, type Count, type CountedOp } from '../models/flops';
import { levelsOf } from './receptive_field';

/** What mixes the tokens of a frame: an operation of the model's switches, or self-attention, which is counted but not built. */
export type Spatial = Ablation['spatial'] | 'attention';

type Four = readonly [number, number, number, number];

/** A change of a network. */
export interface Change {
  /** Chunk length L of each stage. */
  chunks: Four;
  /** Factor of all widths. */
  width: number;
  /** Frames of the clip (video only). */
  frames: number;
  /** Side of the square input in pixels. */
  size: number;
  groupDim: Ablation['groupDim'];
  branches: Ablation['branches'];
  weighting: Ablation['weighting'];
  spatial: Spatial;
}

/** The measured time of one clip in a stage: 0 for the stem, 1 to 4, 5 for the head. */
export interface StageRate {
  ms: number;
  macs: number;
}

/** Limits of the machine, as in `Limits`. */
interface Roof {
  gflops: number;
  gbs: number;
}

/** Cost of one stage or of the whole network for one clip. */
export interface Outcome {
  macs: number;
  params: number;
  /** Least traffic of FCs and convolutions in f32: each reads its input and weights once and writes its output once. */
  bytes: number;
  /** Measured time per multiply-add of the stage, times its multiply-adds; null without a measurement. */
  ms: number | null;
  /** Least time by the machine's limits; null without a measurement. */
  floorMs: number | null;
}

/** What has been measured of the unchanged network. */
export interface Measured {
  rates: readonly StageRate[];
  limits: Roof;
}

const gcd = (a: number, b: number): number => (b === 0 ? a : gcd(b, a % b));
const lcm = (a: number, b: number): number => (a / gcd(a, b)) * b;

/** Channels scaled by `factor`: the nearest number that L groups, 2L groups and the weighting FC (C/4) divide. */
export function scaledChannels(channels: number, factor: number, chunk: number): number {
  if (factor === 1 && channels % chunk === 0) return channels;
  const unit = lcm(2 * chunk, 4);
  return Math.max(1, Math.round((channels * factor) / unit)) * unit;
}

/** The change that changes nothing. */
export function unchanged(config: MorphMlpConfig, size: number): Change {
  const { groupDim, branches, weighting, spatial } = ablationOf(config);
  const { segmentDim: chunks, frames } = config;
  return { chunks, width: 1, frames, size, groupDim, branches, weighting, spatial };
}

/**
 * The configuration of a changed network. With attention it is that of the published network, whose spatial part `countChanged` replaces.
 * @throws if the switches exclude each other or do not fit the channels
 */
export function changedConfig(base: MorphMlpConfig, change: Change): MorphMlpConfig {
  const { chunks, width, frames, groupDim, branches, weighting, spatial } = change;
  const embedDims = base.embedDims.map((c, i) => scaledChannels(c, width, chunks[i]!)) as unknown as Four;
  const config: MorphMlpConfig = { ...base, embedDims, segmentDim: chunks };
  delete config.ablation;
  if (base.kind === 'video') config.frames = frames;
  const switches =
    spatial === 'morph_fc' ? { groupDim, branches, weighting } : spatial === 'attention' ? {} : { spatial };
  if (Object.keys(switches).length > 0) config.ablation = switches;
  checkConfig(config);
  return config;
}

/** Self-attention over the tokens of each frame in place of branches, weighting and projection. Softmax and scaling count 0, as elsewhere. */
function attentionOps(
  name: string,
  stage: number,
  [frames, tokens, c]: readonly [number, number, number],
): CountedOp[] {
  const rows = frames * tokens;
  const op = (part: string, inside: number, out: number, params: number, inputs: number): CountedOp => {
    const shape = { rows, in: inside, out, inputs, macs: rows * inside * out, params };
    return { name: `${name}.${part}`, stage, kind: 'fc', ...shape };
  };
  return [
    op('attention.qkv', c, 3 * c, 3 * c * c + 3 * c, rows * c),
    op('attention.scores', c, tokens, 0, 2 * rows * c), // queries and keys
    op('attention.values', tokens, c, 0, rows * tokens + rows * c),
    op('attention.proj', c, c, c * c + c, rows * c),
  ];
}

/** `countOps` with self-attention in place of every block's spatial part. */
function countAttention(config: MorphMlpConfig, size: number): Count {
  const levels = new Map(levelsOf(config, size).map((level) => [level.name, level]));
  const { ops, params } = countOps(config, { height: size, width: size });
  const isSpatial = ({ name }: CountedOp) => /^blocks\d\.\d+\.fc\./.test(name);
  const removed = ops.filter(isSpatial).reduce((sum, op) => sum + op.params, 0);
  const kept = ops.flatMap((op) => {
    if (!isSpatial(op)) return [op];
    if (!op.name.endsWith('.fc.proj')) return [];
    const block = op.name.replace('.fc.proj', '');
    const [frames, h, w] = levels.get(block)!.size;
    return attentionOps(block, op.stage, [frames, h * w, config.embedDims[op.stage - 1]!]);
  });
  const added = kept.filter(({ name }) => name.includes('.attention.')).reduce((sum, op) => sum + op.params, 0);
  return { ops: kept, params: params - removed + added, macs: kept.reduce((sum, op) => sum + op.macs, 0) };
}

/** Counts a changed network: by `countOps` of its configuration, with attention by its own formulas. */
export function countChanged(base: MorphMlpConfig, change: Change): Count {
  const config = changedConfig(base, change);
  const { size } = change;
  return change.spatial === 'attention'
    ? countAttention(config, size)
    : countOps(config, { height: size, width: size });
}

const bytesOf = ({ inputs, rows, out, params }: CountedOp): number => 4 * (inputs + rows * out + params);

function outcomeOf(ops: readonly CountedOp[], rate: StageRate | undefined, roof: Roof | undefined): Outcome {
  const sum = (pick: (op: CountedOp) => number) => ops.reduce((total, op) => total + pick(op), 0);
  const macs = sum((op) => op.macs);
  const floor = ({ gflops, gbs }: Roof) => sum((op) => Math.max((2 * op.macs) / gflops, bytesOf(op) / gbs) / 1e6);
  return {
    ...{ macs, params: sum((op) => op.params), bytes: sum(bytesOf) },
    ms: rate && rate.macs > 0 ? (rate.ms * macs) / rate.macs : null,
    floorMs: roof ? floor(roof) : null,
  };
}

/** Sums over stages; null if it is null for one. */
function total(stages: readonly Outcome[], params: number): Outcome {
  const sum = (pick: (one: Outcome) => number | null) =>
    stages.reduce<number | null>((all, one) => (all === null || pick(one) === null ? null : all + pick(one)!), 0);
  return {
    ...{ macs: sum((o) => o.macs)!, bytes: sum((o) => o.bytes)!, params },
    ...{ ms: sum((o) => o.ms), floorMs: sum((o) => o.floorMs) },
  };
}

/**
 * The cost of a changed network, whole and by stage (stem, stages 1 to 4, head).
 * @param measured the time of the unchanged network, if it was measured
 */
export function whatIf(base: MorphMlpConfig, change: Change, measured?: Measured): { all: Outcome; stages: Outcome[] } {
  const { ops, params } = countChanged(base, change);
  const stages = [0, 1, 2, 3, 4, 5].map((stage) => {
    const own = ops.filter((op) => op.stage === stage);
    return outcomeOf(own, measured?.rates[stage], measured?.limits);
  });
  return { stages, all: total(stages, params) };
}

/** One stage of a changed network as the reader sees it. */
export interface StageShape {
  stage: number;
  /** Time steps, height and width in tokens. */
  size: readonly [number, number, number];
  channels: number;
  chunk: number;
  /** Channels of a group, S. */
  group: number;
  /** Chunks of a frame, the last one padded if L does not divide the tokens. */
  chunks: number;
  /** Fraction of the chunks' positions that is padding. */
  padding: number;
  /** Groups of channels. */
  groups: number;
}

/** The shapes of the four stages of a configuration. */
export function stageShapes(config: MorphMlpConfig, size: number): StageShape[] {
  const levels = levelsOf(config, size);
  return [1, 2, 3, 4].map((stage) => {
    const level = levels.find((l) => l.stage === stage)!;
    const [, h, w] = level.size;
    const [channels, chunk] = [config.embedDims[stage - 1]!, config.segmentDim[stage - 1]!];
    const chunks = Math.ceil((h * w) / chunk);
    const padding = 1 - (h * w) / (chunks * chunk);
    const group = (channels / chunk) * groupScale(ablationOf(config), stage - 1);
    return { stage, size: level.size, channels, chunk, group, groups: channels / group, chunks, padding };
  });
}

/** The same network with other spatial operations, for a table: parameters and multiply-adds. */
export function compareSpatial(
  base: MorphMlpConfig,
  size: number,
): { spatial: Spatial; params: number; macs: number }[] {
  const all: Spatial[] = ['morph_fc', 'conv_3x3', 'conv_7x7', 'group_conv', 'attention'];
  return all.map((spatial) => {
    const published = { groupDim: 'C/L', branches: 'H+W+C', weighting: 'softmax' } as const;
    const { params, macs } = countChanged(base, { ...unchanged(base, size), ...published, spatial });
    return { spatial, params, macs };
  });
}
