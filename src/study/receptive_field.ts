/**
 * Exact receptive fields: the tokens of every earlier layer, and the pixels, on which a token can depend. Computed by reachability, backwards
 * through the index maps of MorphFC and the windows of convolutions. FCs are assumed to be dense, so the field is tight except for special
 * weights (such as a temporal FC that is still zero).
 */
import { timeSteps, type MorphMlpConfig } from '../models/config';
import { chunkOf, type Cut } from './chunks';

type Triple = readonly [t: number, h: number, w: number];

/** The window of a convolution on [T, H, W]. */
interface Window {
  kernel: Triple;
  stride: Triple;
  padding: Triple;
  /** The size of its input. */
  size: Triple;
}

/** A layer with token output (pixels for the first), and its dependence on the previous level. */
export interface Level {
  /** `input`, `patch_embed1`, `blocks1.0`, … */
  name: string;
  /** 0 for the input. */
  stage: number;
  size: Triple;
  /** Windows of the convolutions, last first; empty for a block. */
  windows: readonly Window[];
  /** The mixing of a block; null for other layers. */
  block: { branches: Readonly<Record<string, Cut>>; temporal: boolean } | null;
}

const half = (n: number): number => Math.floor((n - 1) / 2) + 1;
const halved = ([t, h, w]: Triple): Triple => [t, half(h), half(w)];
const inSpace = (size: Triple): Window => ({ kernel: [1, 3, 3], stride: [1, 2, 2], padding: [0, 1, 1], size });

function stemWindows(config: MorphMlpConfig, input: Triple): Window[] {
  const video = config.kind === 'video';
  const first: Window = video
    ? { kernel: [3, 3, 3], stride: [2, 2, 2], padding: [1, 1, 1], size: input }
    : { kernel: [1, 3, 3], stride: [1, 2, 2], padding: [0, 1, 1], size: input };
  return [inSpace([timeSteps(config), half(input[1]), half(input[2])]), first];
}

/** The morph branches of a stage by name. The channel branch mixes no tokens. */
export function branchesOf(config: MorphMlpConfig, stage: number): Record<string, Cut> {
  const chunk = config.segmentDim[stage - 1]!;
  if (stage === 4) return { strided: { axis: 'width', chunk, order: 'strided' } };
  return {
    height: { axis: 'height', chunk, order: 'consecutive' },
    width: { axis: 'width', chunk, order: 'consecutive' },
  };
}

/** All levels of a model for square frames, input first. */
export function levelsOf(config: MorphMlpConfig, crop: number): Level[] {
  const input: Triple = [config.kind === 'video' ? config.frames : 1, crop, crop];
  const levels: Level[] = [{ name: 'input', stage: 0, size: input, windows: [], block: null }];
  for (const stage of [1, 2, 3, 4] as const) {
    const before = levels.at(-1)!.size;
    const size: Triple = stage === 1 ? [timeSteps(config), half(half(crop)), half(half(crop))] : halved(before);
    const windows = stage === 1 ? stemWindows(config, input) : [inSpace(before)];
    levels.push({ name: `patch_embed${stage}`, stage, size, windows, block: null });
    const block = { branches: branchesOf(config, stage), temporal: config.kind === 'video' };
    for (let i = 0; i < config.layers[stage - 1]!; i++)
      levels.push({ name: `blocks${stage}.${i}`, stage, size, windows: [], block });
  }
  return levels;
}

/** The paths to follow. */
export interface Ways {
  /** Names of the morph branches to follow; default all. */
  branches?: readonly string[];
  /** Follow MorphFC_t. Default true. */
  time?: boolean;
  /** Follow the branch weights, which depend on the mean over all tokens, so that every token depends weakly on the whole clip. Default false. */
  weights?: boolean;
}

/** 1 for each token or pixel of [T, H, W] in the field. */
export type Field = Uint8Array<ArrayBuffer>;

/** Extends a field by the tokens that share a chunk with one of its tokens. */
function withChunks(field: Field, [t, h, w]: Triple, cuts: readonly Cut[]): Field {
  const [out, area] = [field.slice(), h * w];
  for (const cut of cuts) {
    const chunks = Array.from({ length: area }, (_, token) => chunkOf(token, [h, w], cut).chunk);
    for (let step = 0; step < t; step++) {
      const reached = new Set(chunks.filter((_, token) => field[step * area + token]));
      chunks.forEach((chunk, token) => reached.has(chunk) && (out[step * area + token] = 1));
    }
  }
  return out;
}

/** Extends a field to all time steps. */
function withTimes(field: Field, [t, h, w]: Triple): Field {
  const area = h * w;
  return field.map((_, i) => {
    for (let step = 0; step < t; step++) if (field[step * area + (i % area)]) return 1;
    return 0;
  });
}

function throughBlock(field: Field, { size, block }: Level, { branches, time = true, weights = false }: Ways): Field {
  if (weights) return new Uint8Array(field.length).fill(1);
  const { branches: all, temporal } = block!;
  const cuts = Object.entries(all).flatMap(([name, cut]) => ((branches?.includes(name) ?? true) ? [cut] : []));
  const mixed = withChunks(field, size, cuts);
  return temporal && time ? withTimes(mixed, size) : mixed;
}

/** The half-open range of inputs along one dimension that output i reads. */
function span({ kernel, stride, padding, size }: Window, dim: 0 | 1 | 2, i: number): [number, number] {
  const first = i * stride[dim] - padding[dim];
  return [Math.max(0, first), Math.min(size[dim], first + kernel[dim])];
}

function throughWindow(field: Field, [t, h, w]: Triple, window: Window): Field {
  const [, H, W] = window.size;
  const out = new Uint8Array(window.size.reduce((a, b) => a * b, 1));
  for (let i = 0; i < t * h * w; i++) {
    if (!field[i]) continue;
    const [t0, t1] = span(window, 0, Math.floor(i / (h * w)));
    const [y0, y1] = span(window, 1, Math.floor(i / w) % h);
    const [x0, x1] = span(window, 2, i % w);
    for (let a = t0; a < t1; a++) for (let y = y0; y < y1; y++) out.fill(1, (a * H + y) * W + x0, (a * H + y) * W + x1);
  }
  return out;
}

/** The field at the previous level. */
function back(field: Field, level: Level, ways: Ways): Field {
  if (level.block) return throughBlock(field, level, ways);
  let [now, size]: [Field, Triple] = [field, level.size];
  for (const window of level.windows) [now, size] = [throughWindow(now, size, window), window.size];
  return now;
}

/**
 * The receptive fields of one token at its level and every earlier level, input first.
 * @param token position in [T, H, W], row-major
 */
export function fieldsOf(levels: readonly Level[], at: number, token: number, ways: Ways = {}): Field[] {
  const { size } = levels[at]!;
  const start = new Uint8Array(size.reduce((a, b) => a * b, 1));
  if (!(token >= 0 && token < start.length))
    throw new Error(`expected a token below ${start.length} in ${levels[at]!.name}, got ${token}`);
  start[token] = 1;
  const fields = [start];
  for (let i = at; i > 0; i--) fields.unshift(back(fields[0]!, levels[i]!, ways));
  return fields;
}

/** The fraction of its level that a field covers. */
export const shareOf = (field: Field): number => field.reduce((sum, v) => sum + v, 0) / field.length;

/**
 * The tokens that one FC of a block mixes with this one: those of its chunk in a branch, or its position at all time steps (`time`);
 * for another way only the token itself.
 */
export function partnersOf({ size, block }: Level, token: number, way: string): Field {
  const start = new Uint8Array(size.reduce((a, b) => a * b, 1));
  start[token] = 1;
  if (way === 'time') return withTimes(start, size);
  const cut = block?.branches[way];
  return cut ? withChunks(start, size, [cut]) : start;
}
