/** What every source of clips looks like, and how clips become batches. Nothing here knows of models or of tensors. */
import type { Philox } from '../random';
import type { Views } from './sampling';

/** One decoded clip. Pixels stay bytes until they become the input of a network. */
export interface Clip {
  /** u8 [frames, height, width, 3]: red, green, blue. */
  pixels: Uint8Array;
  frames: number;
  height: number;
  width: number;
  /** Class number, from 0; -1 where none is known. */
  label: number;
  /** The file, or a name for a drawn clip. */
  path: string;
}

/** A numbered set of labelled clips. Clip i may be asked for at any time, in any order, by several callers at once. */
export interface Dataset {
  readonly length: number;
  readonly classNames: readonly string[];
  /** The file of item i, or what else names it. */
  name(i: number): string;
  /** The true class of item i. */
  label(i: number): number;
  /**
   * Item i. Every random choice (time, crop, flip) comes from `random` alone, so the same generator gives the same bytes.
   * Rejects with an `UnreadableClip` where the file cannot be decoded; gives up early when `signal` aborts.
   */
  clip(i: number, random: Philox, signal?: AbortSignal): Promise<Clip>;
  /** The clips that one reading of item i gives in training, where it gives more than one. */
  samples?(i: number, random: Philox, signal?: AbortSignal): Promise<Clip[]>;
  /** The test views of item i: those of the first set, of the second, … Absent where an item has one view only. */
  views?(i: number, sets: readonly Views[], signal?: AbortSignal): Promise<Clip[]>;
  /** The order of an epoch, where clips are best read in another than any; else it is a shuffle of all. */
  order?(random: Philox): Int32Array | undefined;
  /** What a report says about the data: source, counts, what is missing. */
  describe(): Record<string, string | number>;
}

const UNREADABLE = 'UNREADABLE_CLIP';

/** A file that cannot be decoded. The loader skips it and counts it; any other error stops the training. */
export class UnreadableClip extends Error {
  readonly code = UNREADABLE;
}

/** Whether an error is an UnreadableClip, also when it comes from another realm (a test's sandbox, a worker). */
export function isUnreadable(error: unknown): boolean {
  return (error as { code?: unknown } | undefined)?.code === UNREADABLE;
}

/** Clips of one size as bytes: what goes to a device that normalises by itself. */
export interface ClipBatch {
  /** u8 [B, T, H, W, 3]. */
  pixels: Uint8Array;
  shape: readonly [number, number, number, number, 3];
  /** i32 [B]. */
  labels: Int32Array;
  clips: readonly Clip[];
}

/** Normalised input of the network. */
export interface Batch {
  /** f32 [B, 3, T, H, W]: (pixel / 255 - mean) / std. */
  x: Float32Array;
  shape: readonly [number, number, number, number, number];
  /** i32 [B]. */
  labels: Int32Array;
  /** f32 [B, classes]: the shares of the classes, where clips were mixed or labels smoothed. */
  targets?: Float32Array;
  clips: readonly Clip[];
}

/** Mean and standard deviation of pixels scaled to [0, 1]: red, green, blue. */
export interface Normalisation {
  mean: readonly number[];
  std: readonly number[];
}

/** That of the authors' recipes. */
export const NORMALISATION: Normalisation = { mean: [0.45, 0.45, 0.45], std: [0.225, 0.225, 0.225] };

const sizeOf = ({ frames, height, width }: Clip): string => `${frames}x${height}x${width}`;

/** The clips' common size; throws where there is no clip or two sizes differ. */
function commonSize(name: string, clips: readonly Clip[]): Clip {
  const first = clips[0];
  if (first === undefined) throw new Error(`${name}: expected at least one clip, got none`);
  for (const clip of clips) {
    const bytes = clip.frames * clip.height * clip.width * 3;
    if (clip.pixels.length !== bytes) {
      throw new Error(`${name}: ${clip.path} has ${clip.pixels.length} bytes, ${sizeOf(clip)}x3 needs ${bytes}`);
    }
    if (sizeOf(clip) !== sizeOf(first)) {
      throw new Error(`${name}: ${clip.path} is ${sizeOf(clip)}, ${first.path} ${sizeOf(first)}`);
    }
  }
  return first;
}

const labelsOf = (clips: readonly Clip[]): Int32Array => Int32Array.from(clips, (clip) => clip.label);

/** Clips of one size, one after the other, as bytes. */
export function stackClips(clips: readonly Clip[]): ClipBatch {
  const { frames, height, width, pixels: first } = commonSize('stackClips', clips);
  const pixels = new Uint8Array(clips.length * first.length);
  clips.forEach((clip, i) => pixels.set(clip.pixels, i * first.length));
  return { pixels, shape: [clips.length, frames, height, width, 3], labels: labelsOf(clips), clips };
}

/** Writes u8 [T, H, W, 3] as f32 [3, T, H, W] through tables of 256 values. */
function writePlanes(pixels: Uint8Array, tables: readonly Float32Array[], x: Float32Array, at: number): void {
  const [red, green, blue] = tables as [Float32Array, Float32Array, Float32Array];
  const plane = pixels.length / 3;
  for (let i = 0, byte = 0; i < plane; i++, byte += 3) {
    x[at + i] = red[pixels[byte]!]!;
    x[at + plane + i] = green[pixels[byte + 1]!]!;
    x[at + 2 * plane + i] = blue[pixels[byte + 2]!]!;
  }
}

function normalisingTables({ mean, std }: Normalisation): Float32Array[] {
  return [0, 1, 2].map((channel) => {
    const [m, s] = [mean[channel] ?? NaN, std[channel] ?? NaN];
    if (!(s > 0) || !Number.isFinite(m))
      throw new Error(`toBatch: expected a finite mean and a positive std, got mean ${m}, std ${s}`);
    return Float32Array.from({ length: 256 }, (_, byte) => (byte / 255 - m) / s);
  });
}

/** Clips of one size as one normalised batch, planes first. */
export function toBatch(clips: readonly Clip[], normalisation: Normalisation = NORMALISATION): Batch {
  const { frames, height, width, pixels } = commonSize('toBatch', clips);
  const tables = normalisingTables(normalisation);
  const x = new Float32Array(clips.length * pixels.length);
  clips.forEach((clip, i) => writePlanes(clip.pixels, tables, x, i * pixels.length));
  return { x, shape: [clips.length, 3, frames, height, width], labels: labelsOf(clips), clips };
}
