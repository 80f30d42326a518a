/** Plans of clips (frames, geometry, augmentation): random for training, fixed for tests. */
import type { InputSpec } from '../input_spec';
import { Philox, type PhiloxState } from '../../core/philox';
import {
  drawColorJitter,
  drawErasing,
  drawRandAugment,
  drawResizedCrop,
  parseRandAugment,
  type Augmentation,
  type AugmentOp,
  type ErasedBox,
} from '../augment';
import {
  clipSpan,
  denseFrames,
  randomCrop,
  scaleShortSide,
  segmentFrames,
  spreadFrames,
  uniformCrop,
  viewAt,
  viewCount,
  type Box,
  type View,
  type Views,
} from '../sampling';
import type { VideoInfo } from './info';

type Range = readonly [least: number, most: number];

/** Sampling of clips from videos, folders of frames and pictures. */
export interface VideoOptions {
  /** Frames of a clip. */
  frames: number;
  /** Distance between frames, counted at `targetFps`. Not used by segment sampling. */
  rate: number;
  /** Side of the square crop. */
  crop: number;
  /** true: random time, size, position and flip; false: the middle clip and the centre crop. */
  train: boolean;
  /** Mirror half of the training clips. Disable for classes that depend on left and right. */
  flip: boolean;
  /** `dense` (Kinetics) takes frames a fixed step apart, `segment` (Something-Something) one of each part of the video. */
  sampling?: 'dense' | 'segment';
  /** Frame rate that `rate` refers to. Default 30. */
  targetFps?: number;
  /** Test clips start at multiples of a whole step. Default true, as in the recipes. */
  offset?: boolean;
  /** Range of the training clips' short side. Default 256 to 320 for a crop of 224, in proportion for others. */
  jitter?: Range;
  /** Random resized crop in place of a plain crop at a jittered size. */
  resizedCrop?: { scale: Range; aspect: Range };
  augmentation?: Augmentation;
  /** Differently augmented clips per decoding (the recipes' NUM_SAMPLE). Default 1. */
  samples?: number;
  /** Short side of test frames before the crop. Default the crop. */
  testScale?: number;
  /** Treat stored pixels as square, as decord and torchvision do. Default false: the aspect is that of players. */
  ignoreSar?: boolean;
  /** Timeout of decoding a video, in milliseconds. Default 60,000. */
  timeoutMs?: number;
}

/** A place in time: the first frame of a clip, and the frames that sparse sampling spreads it over (not used by dense sampling). */
export interface Window {
  start: number;
  length: number;
}

/** One clip of a video: random sample `sample` (default 0) of a generator, or test view `view`, at `window` if it is given. */
export type ClipChoice = { random: PhiloxState; sample?: number } | { view: number; views: Views; window?: Window };

type ViewChoice = Extract<ClipChoice, { view: number }>;

/** Frames to decode, box to cut out and augmentations to apply for one clip. */
export interface ClipPlan {
  /** Frame numbers from 0; a video shorter than the clip repeats its last frame. */
  frames: number[];
  /** Size at which frames are decoded: equal for all clips of a file with the same options, so that frames can be cached. */
  decoded: [width: number, height: number];
  /** Size that the whole frame is scaled to before `box` is cut out. */
  size: [width: number, height: number];
  /** Augmentation of the whole frames before cropping, or of the crop. */
  ops: readonly AugmentOp[];
  on: 'frame' | 'crop';
  box: Box;
  /** Side that the box is resized to. */
  side: number;
  flip: boolean;
  erased: readonly ErasedBox[];
  /** Generator for the fill of erased boxes. */
  noise: PhiloxState | null;
}

/** Scale of 256 to 320 for a crop of 224, the authors' TRAIN_JITTER_SCALES. */
function jitterRange({ crop, jitter }: VideoOptions): Range {
  return jitter ?? [Math.round((crop * 256) / 224), Math.round((crop * 320) / 224)];
}

function framesFor(options: VideoOptions, info: VideoInfo, time: View | Philox): number[] {
  if (options.sampling === 'segment') return segmentFrames(info.frames, options.frames, time);
  return denseFrames(info.frames, info.fps, options, time);
}

/** Decoded size of training frames: the smaller of the file's size and the largest jittered size. */
function decodedSize({ width, height }: VideoInfo, longest: number): [number, number] {
  return longest < Math.min(width, height) ? scaleShortSide(width, height, longest) : [width, height];
}

/** The size to scale to, and the box to cut out. */
function drawBox(options: VideoOptions, info: VideoInfo, random: Philox): Pick<ClipPlan, 'decoded' | 'size' | 'box'> {
  const { crop, resizedCrop } = options;
  const [shortest, longest] = jitterRange(options);
  const decoded = decodedSize(info, longest);
  if (resizedCrop) return { decoded, size: decoded, box: drawResizedCrop(...decoded, resizedCrop, random) };
  const size = scaleShortSide(info.width, info.height, Math.max(crop, shortest + random.int(longest - shortest + 1)));
  return { decoded, size, box: randomCrop(...size, crop, random) };
}

type Changes = Pick<ClipPlan, 'ops' | 'on' | 'erased' | 'noise'>;

const NONE: Changes = { ops: [], on: 'frame', erased: [], noise: null };

function drawChanges({ augmentation, crop }: VideoOptions, [width, height]: [number, number], random: Philox): Changes {
  if (augmentation === undefined) return NONE;
  const { randAugment, on = 'frame', interpolation = 'bicubic', colorJitter = 0, erasing } = augmentation;
  const square = { height: crop, width: crop };
  const seen = { ...(on === 'frame' ? { height, width } : square), interpolation };
  const ops = randAugment ? drawRandAugment(parseRandAugment(randAugment), seen, random.fork('ops')) : [];
  if (colorJitter > 0) ops.push(...drawColorJitter(colorJitter, random.fork('colour')));
  const erased = erasing ? drawErasing(erasing, square, random.fork('erasing')) : [];
  return { ops, on, erased, noise: erased.length > 0 ? random.fork('noise').state() : null };
}

function randomPlan(options: VideoOptions, info: VideoInfo, state: PhiloxState, sample: number): ClipPlan {
  const random = Philox.restore(state);
  const frames = framesFor(options, info, random.fork('time'));
  const own = random.fork('sample').fork(sample);
  const drawn = drawBox(options, info, own);
  const flip = options.flip && own.uniform() < 0.5;
  return { frames, ...drawn, side: options.crop, flip, ...drawChanges(options, drawn.size, own) };
}

/** Frames of a clip in a window; one that reaches beyond the end of the video repeats its last frame. */
function windowFrames(options: VideoOptions, info: VideoInfo, { start, length }: Window): number[] {
  if (options.sampling === 'segment')
    return segmentFrames(length, options.frames, { index: 0, count: 1 }).map((n) =>
      Math.min(start + n, info.frames - 1),
    );
  return spreadFrames(start, start + clipSpan(options, info.fps) - 1, options.frames, info.frames);
}

function viewPlan(options: VideoOptions, info: VideoInfo, { view, views, window }: ViewChoice): ClipPlan {
  const { clip, crop } = viewAt(view, views);
  const frames = window
    ? windowFrames(options, info, window)
    : framesFor(options, info, { index: clip, count: views.clips });
  const side = options.crop;
  const size = scaleShortSide(info.width, info.height, Math.max(side, options.testScale ?? side));
  return { frames, decoded: size, size, box: uniformCrop(...size, side, crop), side, flip: false, ...NONE };
}

/** Plans one clip of a video with the properties `known`. */
export function planClip(options: VideoOptions, known: VideoInfo, choice: ClipChoice): ClipPlan {
  const [width, height] = (options.ignoreSar && known.stored) || [known.width, known.height];
  const info = { ...known, width, height };
  if ('random' in choice) return randomPlan(options, info, choice.random, choice.sample ?? 0);
  return viewPlan(options, info, choice);
}

/** All views of a video in order: the crops of the first clip, of the second, … */
export function allViews(views: Views): ClipChoice[] {
  return Array.from({ length: viewCount(views) }, (_, view) => ({ view, views }));
}

/** One view: the middle clip, the centre crop. */
export const MIDDLE: Views = { clips: 1, crops: 1 };

/** Options of test clips: fixed positions, never mirrored. */
export function testClips(spec: InputSpec): VideoOptions {
  const { frames, rate, crop, sampling, targetFps, offset, testScale, ignoreSar } = spec;
  return { frames, rate, crop, sampling, targetFps, offset, testScale, ignoreSar, train: false, flip: false };
}
