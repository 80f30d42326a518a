/** From a video file to clips: which frames, scaled how, cropped where. */
import { Philox, type PhiloxState } from '../random';
import {
  denseFrames,
  randomCrop,
  scaleShortSide,
  segmentFrames,
  uniformCrop,
  viewAt,
  viewCount,
  type Box,
  type Views,
} from './sampling';
import type { Clip } from './types';
import { decodeSource, probeSource, sourceOf, type Source } from './source';
import type { CallOptions, Frames, VideoInfo } from './video';

/** How clips are taken out of videos. */
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
  jitter?: readonly [shortest: number, longest: number];
  /** Kills FFmpeg where one video takes longer. Default 60,000. */
  timeoutMs?: number;
}

/** One clip of a video: drawn at random from a generator, or view `view` of the test views. */
export type ClipChoice = { random: PhiloxState } | { view: number; views: Views };

/** What to decode and to cut out for one clip. */
export interface ClipPlan {
  /** Frame numbers from 0; a video shorter than the clip repeats its last frame. */
  frames: number[];
  /** Size of the whole frame after scaling. */
  size: [width: number, height: number];
  box: Box;
  flip: boolean;
}

/** Scale of 256 to 320 for a crop of 224, the authors' TRAIN_JITTER_SCALES. */
function jitterRange({ crop, jitter }: VideoOptions): readonly [number, number] {
  return jitter ?? [Math.round((crop * 256) / 224), Math.round((crop * 320) / 224)];
}

function randomPlan(options: VideoOptions, info: VideoInfo, state: PhiloxState): ClipPlan {
  const random = Philox.restore(state);
  const frames =
    options.sampling === 'segment'
      ? segmentFrames(info.frames, options.frames, random)
      : denseFrames(info.frames, info.fps, options, random);
  const [shortest, longest] = jitterRange(options);
  const short = Math.max(options.crop, shortest + random.int(longest - shortest + 1));
  const size = scaleShortSide(info.width, info.height, short);
  const box = randomCrop(...size, options.crop, random);
  return { frames, size, box, flip: options.flip && random.uniform() < 0.5 };
}

function viewPlan(options: VideoOptions, info: VideoInfo, view: number, views: Views): ClipPlan {
  const { clip, crop } = viewAt(view, views);
  const time = { index: clip, count: views.clips };
  const frames =
    options.sampling === 'segment'
      ? segmentFrames(info.frames, options.frames, time)
      : denseFrames(info.frames, info.fps, options, time);
  const size = scaleShortSide(info.width, info.height, options.crop);
  return { frames, size, box: uniformCrop(...size, options.crop, crop), flip: false };
}

/** The frames and pixels of one clip in a video of which `info` is known. */
export function planClip(options: VideoOptions, info: VideoInfo, choice: ClipChoice): ClipPlan {
  if ('random' in choice) return randomPlan(options, info, choice.random);
  return viewPlan(options, info, choice.view, choice.views);
}

/** Copies a box out of every frame, mirrored if wished: u8 [count, box.height, box.width, 3]. */
export function cropFrames(frames: Frames, box: Box, flip: boolean): Uint8Array {
  const count = frames.pixels.length / (frames.width * frames.height * 3);
  const cropped = new Uint8Array(count * box.width * box.height * 3);
  const row = box.width * 3;
  for (let t = 0, to = 0; t < count; t++) {
    for (let y = box.y; y < box.y + box.height; y++, to += row) {
      const from = ((t * frames.height + y) * frames.width + box.x) * 3;
      cropped.set(frames.pixels.subarray(from, from + row), to);
    }
  }
  if (flip) mirrorRows(cropped, box.width);
  return cropped;
}

/** Reverses the pixels of every row, in place. */
function mirrorRows(pixels: Uint8Array, width: number): void {
  for (let start = 0; start < pixels.length; start += width * 3) {
    for (let left = start, right = start + (width - 1) * 3; left < right; left += 3, right -= 3) {
      for (let c = 0; c < 3; c++) {
        const kept = pixels[left + c]!;
        pixels[left + c] = pixels[right + c]!;
        pixels[right + c] = kept;
      }
    }
  }
}

/** What to read of one video, picture or folder of frames. */
export interface ReadRequest {
  source: Source;
  options: VideoOptions;
  choices: readonly ClipChoice[];
  /** Spares the probe where the video was read before. */
  info?: VideoInfo | undefined;
}

export interface ReadResult {
  /** For each choice u8 [frames, crop, crop, 3]. */
  clips: Uint8Array[];
  info: VideoInfo;
}

/** Plans of one frame size: they share one run of FFmpeg. */
function groupBySize(plans: readonly ClipPlan[]): ClipPlan[][] {
  const groups = new Map<string, ClipPlan[]>();
  for (const plan of plans) {
    const key = plan.size.join('x');
    groups.set(key, [...(groups.get(key) ?? []), plan]);
  }
  return [...groups.values()];
}

/** The pictures that `plan` wants out of those decoded for all plans together. */
function framesOf(plan: ClipPlan, decoded: Frames, numbers: readonly number[]): Frames {
  const bytes = decoded.width * decoded.height * 3;
  const pixels = new Uint8Array(plan.frames.length * bytes);
  plan.frames.forEach((n, i) => {
    const at = numbers.indexOf(n) * bytes;
    pixels.set(decoded.pixels.subarray(at, at + bytes), i * bytes);
  });
  return { ...decoded, pixels };
}

async function readGroup(source: Source, group: ClipPlan[], info: VideoInfo, call: CallOptions): Promise<Uint8Array[]> {
  if (group.length === 1) {
    const [plan] = group as [ClipPlan];
    return [cropFrames(await decodeSource(source, plan.frames, plan.size, info, call), plan.box, plan.flip)];
  }
  const numbers = [...new Set(group.flatMap((plan) => plan.frames))].sort((a, b) => a - b);
  const decoded = await decodeSource(source, numbers, group[0]!.size, info, call);
  return group.map((plan) => cropFrames(framesOf(plan, decoded, numbers), plan.box, plan.flip));
}

/**
 * Reads clips of one video: one probe (unless `info` is given), then one run of FFmpeg for all clips of one scale. Rejects
 * with `UnreadableClip` where the file cannot be read.
 */
export async function readClips(request: ReadRequest, signal?: AbortSignal): Promise<ReadResult> {
  const call = { signal, timeoutMs: request.options.timeoutMs ?? 60_000 };
  const info = request.info ?? (await probeSource(request.source, call));
  const plans = request.choices.map((choice) => planClip(request.options, info, choice));
  const pixels = new Map<ClipPlan, Uint8Array>();
  for (const group of groupBySize(plans)) {
    const clips = await readGroup(request.source, group, info, call);
    group.forEach((plan, i) => pixels.set(plan, clips[i]!));
  }
  return { clips: plans.map((plan) => pixels.get(plan)!), info };
}

/** Every view of a video in order: the crops of the first clip, of the second, … */
export function allViews(views: Views): ClipChoice[] {
  return Array.from({ length: viewCount(views) }, (_, view) => ({ view, views }));
}

/** One view: the middle clip, the centre crop. */
export const MIDDLE: Views = { clips: 1, crops: 1 };

/** Reads the test views of one video (a file, or any source) on this thread, all in one run of FFmpeg; label -1. */
export async function readViews(
  from: string | Source,
  input: Pick<VideoOptions, 'frames' | 'rate' | 'crop'> & Partial<VideoOptions>,
  views: Views = MIDDLE,
  signal?: AbortSignal,
): Promise<Clip[]> {
  const options = { ...input, train: false, flip: false };
  const source = typeof from === 'string' ? sourceOf(from) : from;
  const { clips } = await readClips({ source, options, choices: allViews(views) }, signal);
  const { frames, crop } = options;
  return clips.map((pixels) => ({ pixels, frames, height: crop, width: crop, label: -1, path: source.path }));
}
