/**
 * Receptive fields, exact: which tokens of every layer before, and which pixels, a token can depend on. By reachability, going back from
 * it through the index maps of MorphFC and the windows of convolutions. FCs are taken to be dense, so that what lies in a field matters
 * for all weights but special ones (such as a temporal FC that is still zero).
 */
import { timeSteps, type MorphMlpConfig } from '../models/config';
import { chunkOf, type Cut } from './chunks';

type Triple = readonly [t: number, h: number, w: number];

/** A convolution on [T, H, W], back from its output. */
interface Window {
  kernel: Triple;
  stride: Triple;
  padding: Triple;
  /** The size of its input. */
  size: Triple;
}

/** A layer whose output is tokens (the first: pixels), and how it came from the one before. */
export interface Level {
  /** `input`, `patch_embed1`, `blocks1.0`, … */
  name: string;
  /** 0 for the input. */
  stage: number;
  size: Triple;
  /** Of convolutions, the last first; none for a block. */
  windows: readonly Window[];
  /** Of a block. */
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

/** The morph branches of a stage by name. The channel branch takes no other tokens. */
export function branchesOf(config: MorphMlpConfig, stage: number): Record<string, Cut> {
  const chunk = config.segmentDim[stage - 1]!;
  if (stage === 4) return { strided: { axis: 'width', chunk, order: 'strided' } };
  return {
    height: { axis: 'height', chunk, order: 'consecutive' },
    width: { axis: 'width', chunk, order: 'consecutive' },
  };
}

/** All levels of a model on square frames, the input first. */
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

/** Which ways are followed. */
export interface Ways {
  /** Names of morph branches; default all. */
  branches?: readonly string[];
  /** MorphFC_t. Default true. */
  time?: boolean;
  /** The weights of the branches, which come from the mean over all tokens: then every token depends, if weakly, on the whole clip. */
  weights?: boolean;
}

/** 1 for each token or pixel [T, H, W] that is in a field. */
export type Field = Uint8Array<ArrayBuffer>;

/** The tokens that share a chunk with one of the field, in the same frame. */
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

/** The same positions at all time steps. */
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

/** From to, not including, of the input along one dimension that output i looks at. */
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

/** The field one level before. */
function back(field: Field, level: Level, ways: Ways): Field {
  if (level.block) return throughBlock(field, level, ways);
  let [now, size]: [Field, Triple] = [field, level.size];
  for (const window of level.windows) [now, size] = [throughWindow(now, size, window), window.size];
  return now;
}

/**
 * The fields of one token of a level, at that level and at each one before it, the input first.
 * @param token position in [T, H, W], row-major
 */
export function fieldsOf(levels: readonly Level[], at: number, token: number, ways: Ways = {}): Field[] {
  const { size } = levels[at]!;
  const start = new Uint8Array(size.reduce((a, b) => a * b, 1));
  if (!(token >= 0 && token < start.length))
    throw new Error(`token ${token} is outside of ${levels[at]!.name}, which has ${start.length}`);
  start[token] = 1;
  const fields = [start];
  for (let i = at; i > 0; i--) fields.unshift(back(fields[0]!, levels[i]!, ways));
  return fields;
}

/** The share of its level that a field takes. */
export const shareOf = (field: Field): number => field.reduce((sum, v) => sum + v, 0) / field.length;
