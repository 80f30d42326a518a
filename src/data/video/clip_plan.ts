/** Which frames of a video make a clip, and what becomes of their pixels: drawn at random for training, fixed for tests. */
import { Philox, type PhiloxState } from '../../core/philox';
import {
  drawColorJitter,
  drawErasing,
  drawRandAugment,
  drawResizedCrop,
  parseRandAugment,
  type AugmentOp,
  type ErasedBox,
  type Erasing,
} from '../augment';
import {
  denseFrames,
  randomCrop,
  scaleShortSide,
  segmentFrames,
  uniformCrop,
  viewAt,
  viewCount,
  type Box,
  type View,
  type Views,
} from '../sampling';
import type { VideoInfo } from './info';

type Range = readonly [least: number, most: number];

/** How training clips are changed beyond place, size and mirroring. Every choice is the same for all frames of a clip. */
export interface Augmentation {
  /** A policy in timm's notation, such as `rand-m7-n4-mstd0.5-inc1`. */
  randAugment?: string;
  /** Whether the policy sees whole frames (as in the authors' video code, the default) or what was cut out (images). */
  on?: 'frame' | 'crop';
  /** Interpolation of rotations and shears. Default bicubic. */
  interpolation?: 'bicubic' | 'bilinear';
  /** Largest change of brightness, contrast and saturation. */
  colorJitter?: number;
  erasing?: Erasing;
}

/** How clips are taken out of videos, folders of frames and pictures. */
export interface VideoOptions {
  /** Frames of a clip. */
  frames: number;
  /** Distance between frames, counted at `targetFps`. Not used by segment sampling. */
  rate: number;
  /** Side of the square crop. */
  crop: number;
  /** true: random time, size, place and mirroring; false: the middle clip and the centre crop. */
  train: boolean;
  /** Mirror half of the training clips. Off for classes that tell left from right. */
  flip: boolean;
  /** `dense` (Kinetics) takes frames a fixed step apart, `segment` (Something-Something) one of each part of the video. */
  sampling?: 'dense' | 'segment';
  /** Frame rate that `rate` refers to. Default 30. */
  targetFps?: number;
  /** Test clips start at multiples of a whole step. Default true, as the recipes have it. */
  offset?: boolean;
  /** Range of the training clips' short side. Default 256 to 320 for a crop of 224, in proportion for others. */
  jitter?: Range;
  /** Cut out a box of a share of the frame's area and resize it, in place of a plain crop of a jittered size. */
  resizedCrop?: { scale: Range; aspect: Range };
  augmentation?: Augmentation;
  /** Differently augmented clips of one decoding (the recipes' NUM_SAMPLE). Default 1. */
  samples?: number;
  /** Short side of test frames before the crop. Default the crop. */
  testScale?: number;
  /** Take stored pixels as squares, as decord and torchvision do. Default false: videos are seen at the aspect that players show. */
  ignoreSar?: boolean;
  /** Gives a video up where decoding takes longer. Default 60,000. */
  timeoutMs?: number;
}

/** One clip of a video: sample `sample` (default 0) of those drawn from a generator, or view `view` of the test views. */
export type ClipChoice = { random: PhiloxState; sample?: number } | { view: number; views: Views };

/** Frames to decode, box to cut out and augmentations to apply for one clip. */
export interface ClipPlan {
  /** Frame numbers from 0; a video shorter than the clip repeats its last frame. */
  frames: number[];
  /** Size at which frames are decoded: one for all clips of a file that are drawn alike, so that decoded frames can be kept. */
  decoded: [width: number, height: number];
  /** Size that the whole frame is scaled to before `box` is cut out. */
  size: [width: number, height: number];
  /** Changes of the whole frames before the box is cut out, or of what was cut out. */
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

/** The size to decode training frames at: the file's own, or that of the longest jitter where it is smaller. */
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

function viewPlan(options: VideoOptions, info: VideoInfo, view: number, views: Views): ClipPlan {
  const { clip, crop } = viewAt(view, views);
  const frames = framesFor(options, info, { index: clip, count: views.clips });
  const side = options.crop;
  const size = scaleShortSide(info.width, info.height, Math.max(side, options.testScale ?? side));
  return { frames, decoded: size, size, box: uniformCrop(...size, side, crop), side, flip: false, ...NONE };
}

/** The frames and pixels of one clip in a video of which `known` is known. */
export function planClip(options: VideoOptions, known: VideoInfo, choice: ClipChoice): ClipPlan {
  const [width, height] = (options.ignoreSar && known.stored) || [known.width, known.height];
  const info = { ...known, width, height };
  if ('random' in choice) return randomPlan(options, info, choice.random, choice.sample ?? 0);
  return viewPlan(options, info, choice.view, choice.views);
}

/** Every view of a video in order: the crops of the first clip, of the second, … */
export function allViews(views: Views): ClipChoice[] {
  return Array.from({ length: viewCount(views) }, (_, view) => ({ view, views }));
}

/** One view: the middle clip, the centre crop. */
export const MIDDLE: Views = { clips: 1, crops: 1 };
