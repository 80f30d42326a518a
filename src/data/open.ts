/** Opens a dataset by the kind of its list. */
import { existsSync } from 'node:fs';
import type { VideoOptions } from './video/clip_plan';
import type { DecodePool } from './video/decode_pool';
import { readFrameList } from './lists/frame_list';
import type { Listing } from './lists/types';
import { splitListing, type Split } from './lists/split';
import { readListing, type ListingOptions } from './lists/listing';
import { DrawnDataset } from './synthetic/drawn_dataset';
import type { Dataset } from './types';
import { VideoDataset } from './video/video_dataset';

/** Location and format of a dataset. */
export interface DataSpec {
  /** `list`: a csv of path and label, a folder of class folders, or IDX files; `frames`: a list of folders of frames; `motion`: synthetic. */
  kind: 'list' | 'frames' | 'motion';
  /** The list or the folder; `motion` or `motion:N` for N clips. */
  path: string;
  /** Base folder of the paths in the list. Default: the folder of the list. */
  root?: string;
  /** Preferred separator between path and label if the list is ambiguous. Default ','. */
  separator?: string;
  /** Template of the frames' names. Default {:05d}.jpg. */
  template?: string;
  /** File of class names. Default: classes.txt in the folder of the list. */
  classesFile?: string;
  /** Part of the list to use. Default: all of it. */
  split?: Split | undefined;
}

/** Numbers of training and validation clips of the embedded dataset. */
export const MOTION_SIZES = { train: 768, val: 256 } as const;

/** Options of `openDataset`. */
export interface OpenOptions {
  clips: VideoOptions;
  /** Class names in order, if known. */
  known?: readonly string[] | undefined;
  /** Source of `known`, for messages: the training list, a checkpoint. */
  knownFrom?: string | undefined;
  /** Number of classes of the head, if given. */
  classes?: number | undefined;
  seed?: number;
  /** The part of a folder of IDX files. Default: training clips take `train`, others `test`. */
  split?: 'train' | 'test';
}

const MOTION = /^motion(?::(\d+))?$/;

/** Dataset of a command-line argument: the embedded dataset by name, else a list. */
export function specOf(text: string, separator = ','): DataSpec {
  return { kind: MOTION.test(text) ? 'motion' : 'list', path: text, separator };
}

function openMotion(spec: DataSpec, { clips, seed = 0 }: OpenOptions, pool: DecodePool): Dataset {
  if (spec.split) throw new Error(`${spec.path}: a share for validation needs files; name a set, such as motion:64`);
  const count = MOTION.exec(spec.path)?.[1];
  const length = Number(count ?? (clips.train ? MOTION_SIZES.train : MOTION_SIZES.val));
  const drawing = { seed, stream: clips.train ? 0 : 1, length, size: clips.crop, frames: clips.frames };
  return new DrawnDataset(drawing, pool);
}

function listingOptions(
  { root, separator, classesFile }: DataSpec,
  { clips, known, knownFrom, classes, split = clips.train ? 'train' : 'test' }: OpenOptions,
): ListingOptions {
  return {
    pictures: clips.frames === 1,
    split,
    ...(root ? { root } : {}),
    ...(separator ? { separator } : {}),
    ...(classesFile ? { classesFile } : {}),
    ...(known ? { known } : {}),
    ...(knownFrom ? { knownFrom } : {}),
    ...(classes ? { classes } : {}),
  };
}

/** Opens a dataset whose videos are read by `pool`. @throws with file and line if a list is invalid */
export function openDataset(spec: DataSpec, options: OpenOptions, pool: DecodePool): Dataset {
  if (spec.kind === 'motion') return openMotion(spec, options, pool);
  return new VideoDataset(openList(spec, options), options.clips, pool);
}

/** Reads the list of a dataset of files. @throws with file and line if it is invalid */
export function openList(spec: DataSpec, options: OpenOptions): Listing {
  if (spec.split) return splitListing(openList({ ...spec, split: undefined }, options), spec.split, options.seed ?? 0);
  const reading = listingOptions(spec, options);
  if (spec.kind === 'motion') throw new Error(`${spec.path}: drawn clips have no list`);
  if (spec.kind === 'list') return readListing(spec.path, reading);
  if (!existsSync(spec.path))
    throw new Error(`${spec.path}: no such file; expected a list of folder number-of-frames label`);
  return readFrameList(spec.path, spec.template ?? '{:05d}.jpg', reading);
}
