/** Studies token mixing and receptive fields: by the index maps and by gradients on a clip. */
import { backward } from '../core/autograd';
import { uniform } from '../bench/op_cases/random';
import type { Clip } from '../data/types';
import type { MorphMLP } from '../models/morphmlp';
import type { OnProgress } from '../terminal/progress';
import { scope } from '../core/scope';
import { tensor, type Tensor } from '../core/tensor';
import { normalised } from '../train/input';
import { fieldsOf, levelsOf, shareOf, type Level, type Ways } from './receptive_field';
import { cropOf, normalisationOf, type Subject } from './subject';

/** Sensitivity of a token to the pixels of a clip, by the gradient of the token's norm. */
export interface Sensitivity {
  /** Index into `Mixing.levels`. */
  level: number;
  /** Position in the level's [T, H, W], row-major. */
  token: number;
  /** Frames × height × width of `map`: cells of `CELL` × `CELL` pixels. */
  size: readonly [number, number, number];
  /** Root mean square of the gradient in each cell, as base64 bytes: 255 · sqrt(rms / largest). */
  map: string;
  /** The gradient that is encoded as 255. */
  largest: number;
  /** Fraction of the squared gradient outside of the receptive field without branch weights, which passed only through these. */
  outside: number;
  /** The smallest fraction of cells that contains half of the squared gradient. */
  half: number;
  /** Fraction of the squared gradient in the frames of the token's own time step. */
  frames: number;
}

/** The fraction of the clip on which a level's middle token can depend, for several sets of paths. */
export interface Growth {
  level: number;
  /** Fraction of all pixels, by all paths. */
  all: number;
  space: number;
  width: number;
  height: number;
  convolutions: number;
}

/** The results of the mixing study. */
export interface Mixing {
  levels: Level[];
  growth: Growth[];
  sensitivities: Sensitivity[];
  /** The clip used for gradients and frames; null for noise. */
  clip: string | null;
}

/** Side in pixels of the cells of a gradient map: the distance between tokens of stage 1. */
export const CELL = 4;

/** Position of a level's middle token. */
export function middleOf([t, h, w]: Level['size']): number {
  return (Math.floor(t / 2) * h + Math.floor(h / 2)) * w + Math.floor(w / 2);
}

const WAYS: Readonly<Record<Exclude<keyof Growth, 'level'>, Ways>> = {
  all: {},
  space: { time: false },
  width: { branches: ['width'], time: false },
  height: { branches: ['height'], time: false },
  convolutions: { branches: [], time: false },
};

function growthOf(levels: readonly Level[]): Growth[] {
  return levels.slice(1).map((level, i) => {
    const share = (ways: Ways) => shareOf(fieldsOf(levels, i + 1, middleOf(level.size), ways)[0]!);
    const shares = Object.entries(WAYS).map(([name, ways]) => [name, share(ways)]);
    return { level: i + 1, ...(Object.fromEntries(shares) as Omit<Growth, 'level'>) };
  });
}

/** The outputs of the levels after the input, up to `last`. */
function levelOutputs(network: MorphMLP, x: Tensor, last: number): Tensor[] {
  const { patch_embed1, patch_embed2, patch_embed3, patch_embed4, blocks1, blocks2, blocks3, blocks4 } = network;
  const layers = [
    ...[patch_embed1, ...blocks1, patch_embed2, ...blocks2],
    ...[patch_embed3, ...blocks3, patch_embed4, ...blocks4],
  ];
  const outputs: Tensor[] = [];
  for (const layer of layers.slice(0, last)) outputs.push(layer.forward(outputs.at(-1) ?? x));
  return outputs;
}

/** The gradient of a token's norm ‖y‖ with respect to y: y / ‖y‖ at the token, 0 elsewhere. */
function seedOf(y: Tensor, token: number): Tensor {
  const [channels, values] = [y.shape[4]!, y.floats()];
  const own = values.subarray(token * channels, (token + 1) * channels);
  const length = Math.sqrt(own.reduce((sum, v) => sum + v * v, 0));
  const seed = new Float32Array(values.length);
  if (length > 0)
    seed.set(
      own.map((v) => v / length),
      token * channels,
    );
  return tensor(seed, y.shape);
}

/**
 * Computes the gradients of tokens' norms with respect to the input, one by one, from one forward pass.
 * @param x [1, 3, T, H, W]
 * @param onGradient called with each token's gradient [3, T, H, W]
 */
export function inputGradients(
  network: MorphMLP,
  x: { x: Float32Array; shape: readonly number[] },
  level: number,
  tokens: readonly number[],
  onGradient: (token: number, gradient: Float32Array) => void,
): void {
  network.eval();
  scope(() => {
    const input = tensor(x.x, x.shape, { requiresGrad: true });
    const output = levelOutputs(network, input, level).at(-1)!;
    tokens.forEach((token, i) => {
      backward(output, seedOf(output, token), { retainGraph: i < tokens.length - 1 });
      onGradient(token, input.grad!.floats());
      input.grad!.dispose();
      input.grad = null;
      network.zeroGrad();
    });
  });
}

/** Sums of squares over cells of a gradient [3, T, H, W], and their fraction outside of a field [T, H, W]. */
function cellsOf(gradient: Float32Array, [t, h, w]: Level['size'], field: Uint8Array) {
  const [rows, columns] = [Math.ceil(h / CELL), Math.ceil(w / CELL)];
  const cells = new Float64Array(t * rows * columns);
  let [all, outside] = [0, 0];
  gradient.forEach((v, i) => {
    const pixel = i % (t * h * w);
    const [frame, y, x] = [Math.floor(pixel / (h * w)), Math.floor(pixel / w) % h, pixel % w];
    cells[(frame * rows + Math.floor(y / CELL)) * columns + Math.floor(x / CELL)]! += v * v;
    all += v * v;
    if (!field[pixel]) outside += v * v;
  });
  return { cells, size: [t, rows, columns] as const, outside: all > 0 ? outside / all : 0 };
}

/** The smallest fraction of cells that contains half of the sum. */
function halfShare(cells: Float64Array): number {
  const [sorted, all] = [cells.slice().sort().reverse(), cells.reduce((a, b) => a + b, 0)];
  let [count, sum] = [0, 0];
  while (count < sorted.length && sum < all / 2) sum += sorted[count++]!;
  return count / cells.length;
}

/** The fraction of the cells' sum in the frames of one time step. */
function framesShare(
  cells: Float64Array,
  [t, h, w]: Sensitivity['size'],
  [step, steps]: readonly [number, number],
): number {
  const [first, end] = [Math.floor((step * t) / steps), Math.floor(((step + 1) * t) / steps)];
  const sum = (part: Float64Array) => part.reduce((a, b) => a + b, 0);
  return sum(cells.subarray(first * h * w, end * h * w)) / (sum(cells) || 1);
}

function sensitivityOf(levels: readonly Level[], level: number, token: number, gradient: Float32Array): Sensitivity {
  const field = fieldsOf(levels, level, token)[0]!;
  const { cells, size, outside } = cellsOf(gradient, levels[0]!.size, field);
  const roots = cells.map((v) => Math.sqrt(v / (3 * CELL * CELL)));
  const largest = roots.reduce((a, b) => Math.max(a, b), 0);
  const bytes = Uint8Array.from(roots, (v) => (largest > 0 ? Math.round(255 * Math.sqrt(v / largest)) : 0));
  const map = Buffer.from(bytes).toString('base64');
  const [steps, h, w] = levels[level]!.size;
  const frames = framesShare(cells, size, [Math.floor(token / (h * w)), steps]);
  return { level, token, size, map, largest, outside, half: halfShare(cells), frames };
}

/** The tokens whose gradients are measured: the middle one and those halfway to the corners, at the middle time step. */
function sampleTokens([t, h, w]: Level['size'], count: number): number[] {
  const at = (y: number, x: number) => (Math.floor(t / 2) * h + Math.floor(h * y)) * w + Math.floor(w * x);
  const all = [at(0.5, 0.5), at(0.25, 0.25), at(0.75, 0.75), at(0.25, 0.75), at(0.75, 0.25)];
  return [...new Set(all)].slice(0, count);
}

function inputOf(subject: Subject, clip: Clip | undefined, [t, h, w]: Level['size']) {
  if (clip) return normalised([clip], normalisationOf(subject));
  return { x: uniform(1, 3 * t * h * w), shape: [1, 3, t, h, w] };
}

/** Options of a measurement. */
export interface MixingOptions {
  /** Number of tokens per stage whose gradients are measured, at most 5. */
  tokens: number;
}

/** Computes the levels, the growth of receptive fields, and the gradients of tokens at the end of each stage on the first clip. */
export function studyMixing(
  subject: Subject,
  { tokens }: MixingOptions,
  onProgress: OnProgress = () => undefined,
): Mixing {
  const { network, clips } = subject;
  const levels = levelsOf(network.config, cropOf(subject));
  const ends = levels.flatMap(({ stage }, i) => (i > 0 && levels[i + 1]?.stage !== stage ? [i] : []));
  const x = inputOf(subject, clips[0], levels[0]!.size);
  const sensitivities: Sensitivity[] = [];
  ends.forEach((level, i) => {
    const probes = sampleTokens(levels[level]!.size, tokens);
    onProgress(i, ends.length, `gradients of ${levels[level]!.name}`);
    inputGradients(network, x, level, probes, (token, gradient) => {
      sensitivities.push(sensitivityOf(levels, level, token, gradient));
      onProgress(
        i + sensitivities.length / (ends.length * probes.length),
        ends.length,
        `gradients of ${levels[level]!.name}`,
      );
    });
  });
  return { levels, growth: growthOf(levels), sensitivities, clip: clips[0]?.path ?? null };
}
