/**
 * Which frames of a video make a clip, and which part of a frame is seen.
 *
 * Dense sampling follows the rule of the authors' Kinetics code (SlowFast's clip start and frame spacing), sparse
 * sampling that of their Something-Something code. Both are held to tables made by running that code.
 */
import type { Philox } from '../core/philox';

const { floor, fround, max, min, round } = Math;

export interface DenseSampling {
  /** Frames of a clip. */
  frames: number;
  /** Step between frames, counted at `targetFps`. */
  rate: number;
  /** Frame rate the step refers to. Default 30. */
  targetFps?: number;
  /** Test clips start at multiples of a whole step (the recipes' USE_OFFSET_SAMPLING). Default true. */
  offset?: boolean;
}

/** One of several test-time views of a video. */
export interface View {
  index: number;
  count: number;
}

/** Frames that a clip spans in a video of `fps`; not always whole. */
export function clipSpan(sampling: DenseSampling, fps: number): number {
  return ((sampling.rate * sampling.frames) / (sampling.targetFps ?? 30)) * fps;
}

/**
 * First and last position (in frames, fractional) of a dense clip in a video of `videoFrames`. `view`: which of the
 * evenly spread test clips; a generator instead: a start chosen at random, for training.
 */
export function denseRange(
  videoFrames: number,
  fps: number,
  sampling: DenseSampling,
  view: View | Philox,
): [start: number, end: number] {
  const span = clipSpan(sampling, fps);
  const room = max(videoFrames - span, 0);
  const start = 'uniform' in view ? view.uniform(0, room) : viewStart(room, view, sampling.offset ?? true);
  return [start, start + span - 1];
}

function viewStart(room: number, view: View, offset: boolean): number {
  checkView(view);
  if (!offset) return (room * view.index) / view.count;
  return view.count === 1 ? floor(room / 2) : view.index * floor(room / (view.count - 1));
}

/**
 * `count` whole frame numbers spread evenly from `start` to `end`, kept within the video: a video shorter than the clip
 * repeats its last frame. Single precision, forwards from the start and backwards from the end, as PyTorch's
 * linspace computes it: in double precision some positions would round to the frame beside.
 */
export function spreadFrames(start: number, end: number, count: number, videoFrames: number): number[] {
  const [from, to] = [fround(start), fround(end)];
  const step = count > 1 ? fround(fround(to - from) / (count - 1)) : 0;
  return Array.from({ length: count }, (_, i) => {
    const position = i < count / 2 ? fround(from + step * i) : fround(to - step * (count - 1 - i));
    return floor(min(max(position, 0), videoFrames - 1));
  });
}

/** Frame numbers (from 0) of a dense clip; see `denseRange`. */
export function denseFrames(videoFrames: number, fps: number, sampling: DenseSampling, view: View | Philox): number[] {
  checkVideo(videoFrames);
  const [start, end] = denseRange(videoFrames, fps, sampling, view);
  return spreadFrames(start, end, sampling.frames, videoFrames);
}

/** Rounds to the nearest whole number, halves to the even one. */
function roundHalfEven(x: number): number {
  const down = floor(x);
  return x - down === 0.5 ? down + (down % 2) : round(x);
}

/**
 * Frame numbers (from 0) of a sparse clip: the video is cut into `frames` segments and one frame is taken from each.
 * `view`: the same place in every segment, evenly spread over the views; a generator: a random place in each.
 */
export function segmentFrames(videoFrames: number, frames: number, view: View | Philox): number[] {
  checkVideo(videoFrames);
  const segment = (videoFrames - 1) / frames;
  const border = (i: number): number => roundHalfEven(segment * i);
  if ('uniform' in view) {
    return Array.from({ length: frames }, (_, i) => border(i) + view.int(border(i + 1) - border(i) + 1));
  }
  checkView(view);
  const shift = floor((segment / (view.count + 1)) * (view.index + 1));
  return Array.from({ length: frames }, (_, i) => border(i) + shift);
}

function checkVideo(videoFrames: number): void {
  if (Number.isInteger(videoFrames) && videoFrames > 0) return;
  throw new Error(`sampling: a video needs at least one frame, got ${videoFrames}`);
}

function checkView({ index, count }: View): void {
  if (Number.isInteger(index) && index >= 0 && index < count) return;
  throw new Error(`sampling: view ${index} is outside 0..${count - 1}`);
}

/** Test views of one video: every clip in time, and of each every crop, as one number clip · crops + crop. */
export interface Views {
  clips: number;
  /** 1 (the centre) or 3 (left, centre, right; of an upright video top, middle, bottom). */
  crops: 1 | 3;
}

/** Number of views of a video. */
export const viewCount = (views: Views): number => views.clips * views.crops;

/** Which video, clip and crop the test sample `index` is. A single crop is the centre one, number 1. */
export function viewAt(index: number, views: Views): { video: number; clip: number; crop: 0 | 1 | 2 } {
  const within = index % viewCount(views);
  const crop = views.crops === 1 ? 1 : ((within % 3) as 0 | 1 | 2);
  return { video: floor(index / viewCount(views)), clip: floor(within / views.crops), crop };
}

/** A rectangle of a frame, in pixels. */
export interface Box {
  x: number;
  y: number;
  width: number;
  height: number;
}

/** Crop 0, 1 or 2 of a frame: left, centre, right, or of a frame higher than wide top, middle, bottom. */
export function uniformCrop(width: number, height: number, size: number, crop: 0 | 1 | 2): Box {
  checkCrop(width, height, size);
  const place = (room: number): number => [0, Math.ceil(room / 2), room][crop]!;
  const middle = (room: number): number => Math.ceil(room / 2);
  const [x, y] = [width - size, height - size];
  const upright = height > width;
  return { x: upright ? middle(x) : place(x), y: upright ? place(y) : middle(y), width: size, height: size };
}

/** A crop at a random place. */
export function randomCrop(width: number, height: number, size: number, rng: Philox): Box {
  checkCrop(width, height, size);
  const y = rng.int(height - size + 1);
  return { x: rng.int(width - size + 1), y, width: size, height: size };
}

function checkCrop(width: number, height: number, size: number): void {
  if (size <= width && size <= height) return;
  throw new Error(`crop: a ${size} x ${size} crop does not fit into a frame of ${width} x ${height}`);
}

/** Width and height after scaling so that the shorter side is `short`; the longer is rounded down, as the authors do. */
export function scaleShortSide(width: number, height: number, short: number): [width: number, height: number] {
  return width < height ? [short, floor((height / width) * short)] : [floor((width / height) * short), short];
}
