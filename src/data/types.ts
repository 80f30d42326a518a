/** The interface of datasets, and collation of clips to batches. Independent of models and tensors. */
import type { Normalisation } from './normalisation';
import type { Mask } from './masks/png';
import type { Philox } from '../core/philox';
import type { Mix } from './augment/mix';
import type { Views } from './sampling';

/** Class of the pixels of a mask that have none: no loss, and in no measure. */
export const IGNORED = 255;

/** One decoded clip. Pixels stay bytes until they become the input of a network. */
export interface Clip {
  /** u8 [frames, height, width, 3]: red, green, blue. */
  pixels: Uint8Array;
  frames: number;
  height: number;
  width: number;
  /** Class index, from 0; -1 if unknown. */
  label: number;
  /** Classes of the pixels of a picture, 255 for none; label is then -1. Absent for clips of one class. */
  mask?: Mask;
  /** The file, or the name of a synthetic clip. */
  path: string;
  /** The file's frames in the clip, if requested. */
  seen?: readonly SeenFrame[];
}

/** A frame of a file: its number in presentation order, from 0, and its timestamp in seconds (null without one). */
export interface SeenFrame {
  number: number;
  timestamp: number | null;
}

/** An indexed set of labelled clips. Clips may be requested in any order and concurrently. */
export interface Dataset {
  readonly length: number;
  readonly classNames: readonly string[];
  /** The file or name of item i. */
  name(i: number): string;
  /** The true class of item i. */
  label(i: number): number;
  /**
   * Item i. All random choices (time, crop, flip) come from `random`, so equal generators give equal bytes.
   * Rejects with an `UnreadableClip` if the file cannot be decoded, and early when `signal` aborts.
   */
  clip(i: number, random: Philox, signal?: AbortSignal): Promise<Clip>;
  /** Training clips from one read of item i; absent if a read yields one. */
  samples?(i: number, random: Philox, signal?: AbortSignal): Promise<Clip[]>;
  /** Test views of item i, for each element of `views` in order. Absent if items have a single view. */
  views?(i: number, sets: readonly Views[], signal?: AbortSignal): Promise<Clip[]>;
  /** Order of an epoch for efficient reading; if absent, the loader shuffles all items. */
  order?(random: Philox): Int32Array | undefined;
  /** Files that were read in part, by name, with what is wrong: found as they are read. */
  readonly warnings?: ReadonlyMap<string, string>;
  /** Summary of the data for reports: source, counts, missing files. */
  describe(): Record<string, string | number>;
}

const UNREADABLE = 'UNREADABLE_CLIP';

/** A file that cannot be decoded. The loader skips it and counts it; any other error stops the training. */
export class UnreadableClip extends Error {
  readonly code = UNREADABLE;
}

/** Whether an error is an UnreadableClip, also from another realm (a test's sandbox, a worker). */
export function isUnreadable(error: unknown): boolean {
  return (error as { code?: unknown } | undefined)?.code === UNREADABLE;
}

/** Clips of one size as bytes. The device normalises and mixes them (`clipInput`). */
export interface ClipBatch {
  /** u8 [B, T, H, W, 3]. */
  pixels: Uint8Array;
  shape: readonly [number, number, number, number, 3];
  /** i32 [B]. */
  labels: Int32Array;
  clips: readonly Clip[];
}

/** A batch, with its normalisation and mix. */
export interface Batch extends ClipBatch {
  normalisation: Normalisation;
  /** Mix of the batch with its reverse; null if it is not mixed. */
  mix: Mix | null;
  /** u8 [B, H, W], of clips with masks. */
  masks?: Uint8Array;
  /** f32 [B, classes]: soft targets, if clips are mixed or labels smoothed. */
  targets?: Float32Array;
}

const sizeOf = ({ frames, height, width }: Clip): string => `${frames}x${height}x${width}`;

/** The clips' common size. @throws without clips or if sizes differ */
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

/** Masks of clips, one after the other. @throws if a clip has none, or their sizes differ */
export function stackMasks(clips: readonly Clip[]): Mask {
  const { height, width } = clips[0]?.mask ?? { height: 0, width: 0 };
  const area = height * width;
  const pixels = new Uint8Array(clips.length * area);
  clips.forEach(({ mask, path }, i) => {
    if (!mask) throw new Error(`masks of a batch: ${path} has no mask`);
    if (mask.height !== height || mask.width !== width)
      throw new Error(
        `masks of a batch: that of ${path} is ${mask.height}x${mask.width}, the first ${height}x${width}`,
      );
    pixels.set(mask.pixels, i * area);
  });
  return { pixels, height, width };
}

/** Clips of one size, one after the other, as bytes. */
export function stackClips(clips: readonly Clip[]): ClipBatch {
  const { frames, height, width, pixels: first } = commonSize(clips);
  const pixels = new Uint8Array(clips.length * first.length);
  clips.forEach((clip, i) => pixels.set(clip.pixels, i * first.length));
  return { pixels, shape: [clips.length, frames, height, width, 3], labels: labelsOf(clips), clips };
}
