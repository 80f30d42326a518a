/** The interface of datasets, and collation of clips to batches. Independent of models and tensors. */
import type { Philox } from '../core/philox';
import type { Mix } from './augment';
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
  /** The frames of the file that the clip shows, where they were asked for. */
  seen?: readonly SeenFrame[];
}

/** A frame of a file: its number in order of presentation, from 0, and its time in seconds by the file's own clock (null: it has none). */
export interface SeenFrame {
  number: number;
  timestamp: number | null;
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
  /** Summary of the data for reports: source, counts, missing files. */
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

/** Clips of one size as bytes: what goes to the device, which normalises and mixes them (`clipInput`). */
export interface ClipBatch {
  /** u8 [B, T, H, W, 3]. */
  pixels: Uint8Array;
  shape: readonly [number, number, number, number, 3];
  /** i32 [B]. */
  labels: Int32Array;
  clips: readonly Clip[];
}

/** A batch, and how it becomes the input of a network. */
export interface Batch extends ClipBatch {
  normalisation: Normalisation;
  /** How the batch is mixed with itself in reverse; null where it is not. */
  mix: Mix | null;
  /** f32 [B, classes]: the shares of the classes, where clips were mixed or labels smoothed. */
  targets?: Float32Array;
}

/** Mean and standard deviation of pixels scaled to [0, 1]: red, green, blue. */
export interface Normalisation {
  mean: readonly number[];
  std: readonly number[];
}

/** Normalisation of the authors' recipes. */
export const NORMALISATION: Normalisation = { mean: [0.45, 0.45, 0.45], std: [0.225, 0.225, 0.225] };

const sizeOf = ({ frames, height, width }: Clip): string => `${frames}x${height}x${width}`;

/** The clips' common size; throws where there is no clip or two sizes differ. */
function commonSize(clips: readonly Clip[]): Clip {
  const first = clips[0];
  if (first === undefined) throw new Error(`clips of a batch: expected at least one clip, got none`);
  for (const clip of clips) {
    const bytes = clip.frames * clip.height * clip.width * 3;
    if (clip.pixels.length !== bytes) {
      throw new Error(
        `clips of a batch: ${clip.path} has ${clip.pixels.length} bytes, ${sizeOf(clip)}x3 needs ${bytes}`,
      );
    }
    if (sizeOf(clip) !== sizeOf(first)) {
      throw new Error(`clips of a batch: ${clip.path} is ${sizeOf(clip)}, ${first.path} ${sizeOf(first)}`);
    }
  }
  return first;
}

const labelsOf = (clips: readonly Clip[]): Int32Array => Int32Array.from(clips, (clip) => clip.label);

/** Clips of one size, one after the other, as bytes. */
export function stackClips(clips: readonly Clip[]): ClipBatch {
  const { frames, height, width, pixels: first } = commonSize(clips);
  const pixels = new Uint8Array(clips.length * first.length);
  clips.forEach((clip, i) => pixels.set(clip.pixels, i * first.length));
  return { pixels, shape: [clips.length, frames, height, width, 3], labels: labelsOf(clips), clips };
}
