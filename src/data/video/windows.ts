/** Clips at even distances over a video: a sliding window. */
import type { InputSpec } from '../input_spec';
import { clipSpan, type Views } from '../sampling';
import type { Source } from '../source';
import type { Clip, SeenFrame } from '../types';
import { testClips, type ClipChoice, type Window } from './clip_plan';
import type { DecodePool } from './decode_pool';
import { frameTime, type VideoInfo } from './info';

/** A distance in time, or in frames. */
export type Distance = { seconds: number } | { frames: number };

/** A sliding window over videos. */
export interface Sliding {
  /** Distance between the starts of two windows. */
  every: Distance;
  /** Length of a window, for models that take a frame of each part of a video; for others it is that of a clip. */
  length?: Distance;
}

/** Clips of a window: one for each crop. */
export interface WindowClips {
  index: number;
  /** Number of windows of the video. */
  count: number;
  /** Time of the first frame, and of the end of the last, in seconds. */
  start: number;
  end: number;
  /** The time of the end of the video, in seconds. */
  duration: number;
  clips: Clip[];
  warning: string | undefined;
}

/** Windows that are read in one request: their frames are decoded in one go, and bound the memory. */
const TOGETHER = 8;

const framesOf = (distance: Distance, fps: number): number =>
  'frames' in distance ? distance.frames : distance.seconds * fps;

/**
 * Throws if a window's length is missing, or is given for a model that determines it.
 * @param input of the model
 */
export function checkSliding({ length }: Sliding, { sampling, frames, rate, targetFps }: InputSpec): void {
  if (sampling === 'segment' && frames > 1 && length === undefined)
    throw new Error(
      'this model takes a frame of each part of a video: --every needs the length of a window (--window 4s)',
    );
  if (sampling === 'dense' && length !== undefined)
    throw new Error(
      `this model takes ${frames} frames ${rate} apart at ${targetFps} frames/s, ` +
        `a window of ${((frames * rate) / targetFps).toFixed(2)} s: --window is for models that take a frame of each part`,
    );
}

/** Frames of a window, at least 1. */
function windowLength(input: InputSpec, info: VideoInfo, { length }: Sliding): number {
  if (input.frames === 1) return 1;
  const span = length ? framesOf(length, info.fps) : clipSpan(input, info.fps);
  return Math.max(1, Math.floor(span));
}

/** The windows that lie in the video whole, from its start; one that repeats the last frame if the video is shorter. */
export function windowsOf(input: InputSpec, info: VideoInfo, sliding: Sliding): Window[] {
  const length = windowLength(input, info, sliding);
  const step = Math.max(1, framesOf(sliding.every, info.fps));
  const count = Math.max(0, Math.floor((info.frames - length) / step)) + 1;
  const windows = Array.from({ length: count }, (_, i) => ({ start: Math.round(i * step), length }));
  return windows.filter(({ start }, i) => i === 0 || start + length <= info.frames);
}

/** Time in seconds at which a frame is shown. */
const timeOf = (info: VideoInfo, number: number): number => frameTime(info, number) ?? number / info.fps;

/** Start and end of the frames of a clip. */
function times(info: VideoInfo, seen: readonly SeenFrame[]): { start: number; end: number } {
  const [first, last] = [seen[0]!.number, seen.at(-1)!.number];
  const next = last + 1 < info.frames ? timeOf(info, last + 1) : timeOf(info, last) + 1 / info.fps;
  return { start: timeOf(info, first), end: next };
}

/**
 * Yields the clips of the windows of a video in order; reads the next ones ahead. Memory is bounded by a few windows, whatever the
 * length of the video. Rejects with `UnreadableClip` if the file is unreadable.
 */
export async function* slidingClips(
  source: Source,
  input: InputSpec,
  crops: Views['crops'],
  sliding: Sliding,
  pool: DecodePool,
): AsyncGenerator<WindowClips> {
  const options = testClips(input);
  const views: Views = { clips: 1, crops };
  const choicesOf = (window: Window): ClipChoice[] =>
    Array.from({ length: crops }, (_, view) => ({ view, views, window }));
  const read = (windows: readonly Window[]) => pool.read({ source, options, choices: windows.flatMap(choicesOf) });
  const size = { frames: input.frames, height: input.crop, width: input.crop, label: -1, path: source.path };
  const { info } = await read([{ start: 0, length: 1 }]);
  const windows = windowsOf(input, info, sliding);
  const duration = timeOf(info, info.frames - 1) + 1 / info.fps;
  const readFrom = (first: number) => {
    const reading = first < windows.length ? read(windows.slice(first, first + TOGETHER)) : null;
    reading?.catch(() => undefined); // raised when its turn comes
    return reading;
  };
  let next = readFrom(0);
  for (let first = 0; next !== null; first += TOGETHER) {
    const { clips, seen } = await next;
    next = readFrom(first + TOGETHER);
    for (let i = 0; i < clips.length / crops; i++) {
      const own = clips.slice(i * crops, (i + 1) * crops).map((pixels, c): Clip => {
        return { ...size, pixels, seen: seen[i * crops + c]! };
      });
      const index = first + i;
      const at = times(info, own[0]!.seen!);
      yield { index, count: windows.length, ...at, duration, clips: own, warning: info.warning };
    }
  }
}
