/** Opens a dataset by the kind of its list. */
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import type { VideoOptions } from './video/clip_plan';
import type { DecodePool } from './video/decode_pool';
import { readFrameList } from './lists/frame_list';
import type { Listing } from './lists/types';
import { splitListing, type Split } from './lists/split';
import { readListing, type ListingOptions } from './lists/listing';
import { DrawnDataset } from './synthetic/drawn_dataset';
import { SegmentShapes, SEGMENT_SIZES } from './synthetic/segment_shapes';
import { PairDataset } from './masks/pair_dataset';
import { listPairs } from './masks/pairs';
import type { Dataset } from './types';
import { VideoDataset } from './video/video_dataset';

/** Location and format of a dataset. */
export interface DataSpec {
  /**
   * `list`: a csv of path and label, a folder of class folders, or IDX files; `frames`: a list of folders of frames; `motion`, `segment-shapes`:
   * synthetic; `pairs`: a folder of pictures and masks.
   */
  kind: 'list' | 'frames' | 'motion' | 'segment-shapes' | 'pairs';
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
  /** Of `pairs`: whether the classes of masks count from 1, and 0 is ignored. Default false. */
  reduceZeroLabel?: boolean;
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
const SEGMENT_SHAPES = /^segment-shapes(?::(\d+))?$/;

/** Dataset of a command-line argument: the embedded dataset by name, else a list. */
export function specOf(text: string, separator = ','): DataSpec {
  const kind = MOTION.test(text) ? 'motion' : SEGMENT_SHAPES.test(text) ? 'segment-shapes' : 'list';
  return { kind, path: text, separator };
}

function openMotion(spec: DataSpec, { clips, seed = 0 }: OpenOptions, pool: DecodePool): Dataset {
  if (spec.split) throw new Error(`${spec.path}: a share for validation needs files; name a set, such as motion:64`);
  const count = MOTION.exec(spec.path)?.[1];
  const length = Number(count ?? (clips.train ? MOTION_SIZES.train : MOTION_SIZES.val));
  const drawing = { seed, stream: clips.train ? 0 : 1, length, size: clips.crop, frames: clips.frames };
  return new DrawnDataset(drawing, pool);
}

function openShapes(spec: DataSpec, { clips, seed = 0 }: OpenOptions): Dataset {
  if (spec.split)
    throw new Error(`${spec.path}: a share for validation needs files; name a set, such as segment-shapes:64`);
  const length = Number(SEGMENT_SHAPES.exec(spec.path)?.[1] ?? SEGMENT_SIZES[clips.train ? 'train' : 'val']);
  const flip = clips.train && clips.flip;
  return new SegmentShapes({ seed, stream: clips.train ? 0 : 1, length, size: clips.crop, flip });
}

/** Names of the classes of masks: known, of a file, or numbers. */
function maskClasses({ path: root, classesFile }: DataSpec, { known, classes }: OpenOptions): readonly string[] {
  if (known) return known;
  const file = classesFile ?? path.join(root, 'classes.txt');
  if (classesFile === undefined && !existsSync(file)) {
    if (classes) return Array.from({ length: classes }, (_, i) => `class ${i}`);
    throw new Error(
      `${root}: the classes of the masks are not known: write their names to ${file}, one a line, or give MODEL.NUM_CLASSES`,
    );
  }
  const names = readFileSync(file, 'utf8')
    .split(/\r?\n/)
    .map((name) => name.trim())
    .filter((name) => name !== '');
  if (classes && names.length !== classes)
    throw new Error(`${file}: expected ${classes} names of classes (MODEL.NUM_CLASSES), got ${names.length}`);
  return names;
}

function openPairs(spec: DataSpec, options: OpenOptions): Dataset {
  const { clips } = options;
  if (spec.split)
    throw new Error(`${spec.path}: a share for validation is of labelled clips: name a folder of pairs (--val)`);
  const { train, flip, crop: size, testScale, augmentation } = clips;
  return new PairDataset(listPairs(spec.path, train ? 'train' : 'val'), {
    ...{ classNames: maskClasses(spec, options), reduceZeroLabel: spec.reduceZeroLabel ?? false, train, flip },
    ...{ size: train ? size : (testScale ?? size), colour: augmentation?.colorJitter ?? 0 },
  });
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
  if (spec.kind === 'segment-shapes') return openShapes(spec, options);
  if (spec.kind === 'pairs') return openPairs(spec, options);
  return new VideoDataset(openList(spec, options), options.clips, pool);
}

/** Reads the list of a dataset of files. @throws with file and line if it is invalid */
export function openList(spec: DataSpec, options: OpenOptions): Listing {
  if (spec.split) return splitListing(openList({ ...spec, split: undefined }, options), spec.split, options.seed ?? 0);
  const reading = listingOptions(spec, options);
  if (spec.kind === 'motion' || spec.kind === 'segment-shapes')
    throw new Error(`${spec.path}: drawn clips have no list`);
  if (spec.kind === 'list') return readListing(spec.path, reading);
  if (!existsSync(spec.path))
    throw new Error(`${spec.path}: no such file; expected a list of folder number-of-frames label`);
  return readFrameList(spec.path, spec.template ?? '{:05d}.jpg', reading);
}
