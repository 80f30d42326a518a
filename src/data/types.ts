/** What every source of clips looks like, and how clips become the input of a network. */
import type { Philox } from '../random';

/** One clip as it is decoded: pixels stay u8 until they are on the device. */
export interface Clip {
  /** u8 [frames, height, width, 3], RGB, row-major. */
  pixels: Uint8Array;
  /** [frames, height, width]. */
  size: readonly [frames: number, height: number, width: number];
  /** Class number, from 0. */
  label: number;
  /** The file, or a name for a drawn clip. */
  path: string;
}

/** What is known of a clip without decoding it. */
export interface ClipInfo {
  path: string;
  label: number;
}

/** A description of a dataset as plain data, from which another thread opens its own copy (`openDataset`). */
export type DatasetSpec =
  | { kind: 'motion'; options: import('./motion').MotionOptions; length: number }
  | {
      kind: 'video';
      options: import('./video_dataset').VideoOptions;
      items: readonly ClipInfo[];
      classNames: string[];
    };

/** A numbered set of clips. Clip i may be asked for at any time, in any order, by several callers at once. */
export interface Dataset {
  readonly length: number;
  readonly classNames: readonly string[];
  /** Present where worker threads can open the same dataset; without it clips are made on the calling thread. */
  readonly spec?: DatasetSpec;
  /** Path and label of clip `index`, without decoding. */
  describe(index: number): ClipInfo;
  /**
   * Clip `index`. Every random choice (time, crop, flip) comes from `rng` alone, so the same generator gives the same
   * bytes. Rejects with an `UnreadableClip` where the file cannot be decoded, and stops early when `signal` aborts.
   */
  clip(index: number, rng: Philox, signal?: AbortSignal): Promise<Clip>;
}

/** A file that cannot be read or decoded: the loader skips it and counts it; other errors stop the training. */
export class UnreadableClip extends Error {
  readonly code = 'UNREADABLE_CLIP';
  constructor(
    readonly path: string,
    readonly reason: string,
  ) {
    super(`${path}: ${reason}`);
  }
}

/** Whether an error is an UnreadableClip, also when it was made in another realm. */
export function isUnreadable(error: unknown): error is UnreadableClip {
  return (error as UnreadableClip | undefined)?.code === 'UNREADABLE_CLIP';
}
