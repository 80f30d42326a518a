/** From a video, a picture or a folder of frames to clips: what the decoding threads do. */
import { allViews, MIDDLE, planClip, type ClipChoice, type ClipPlan, type VideoOptions } from './clip_plan';
import { renderClip } from './clip_render';
import { decodeVideos, type DecodeRequest, type Frames } from './decode';
import type { Views } from '../sampling';
import { decodeSource, probeSource, sourceOf, type Source } from '../source';
import { isUnreadable, type Clip } from '../types';
import type { CallOptions, VideoInfo } from './video';

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

/** What a request comes to: the facts about its file, and the plan of each clip. */
interface Planned {
  request: ReadRequest;
  info: VideoInfo;
  plans: ClipPlan[];
}

async function planned(request: ReadRequest, call: CallOptions): Promise<Planned> {
  const info = request.info ?? (await probeSource(request.source, call));
  return { request, info, plans: request.choices.map((choice) => planClip(request.options, info, choice)) };
}

const callOf = ({ options }: ReadRequest, signal?: AbortSignal): CallOptions => ({
  signal,
  timeoutMs: options.timeoutMs ?? 60_000,
});

/** The one run of FFmpeg that a request takes; null where it takes several or none. */
function decodeRequest({ request: { source }, info, plans }: Planned): DecodeRequest | null {
  const [group, ...others] = groupBySize(plans);
  if (source.kind !== 'video' || group === undefined || others.length > 0) return null;
  const numbers = group.length === 1 ? group[0]!.frames : frameNumbers(group);
  return { ...source, numbers, size: group[0]!.size, info };
}

function rendered({ info, plans }: Planned, decoded: Frames): ReadResult {
  if (plans.length === 1) return { clips: [renderClip(decoded, plans[0]!)], info };
  const numbers = frameNumbers(plans);
  return { clips: plans.map((plan) => renderClip(framesOf(plan, decoded, numbers), plan)), info };
}

/**
 * Reads clips of several videos in one run of FFmpeg; null where one of them takes more than that, or cannot be read: then
 * `readClips` of each tells which, and why.
 */
export async function readTogether(
  requests: readonly ReadRequest[],
  signal?: AbortSignal,
): Promise<ReadResult[] | null> {
  const call = callOf(requests[0]!, signal);
  try {
    const all: Planned[] = [];
    for (const request of requests) all.push(await planned(request, call));
    const decoding = all.map(decodeRequest);
    if (!decoding.every((request) => request !== null)) return null;
    const decoded = await decodeVideos(decoding, call);
    return all.map((one, i) => rendered(one, decoded[i]!));
  } catch (error) {
    if (isUnreadable(error)) return null;
    throw error;
  }
}

/** The frames of several plans, each once. */
const frameNumbers = (plans: readonly ClipPlan[]): number[] =>
  [...new Set(plans.flatMap((plan) => plan.frames))].sort((a, b) => a - b);

async function readGroup(source: Source, group: ClipPlan[], info: VideoInfo, call: CallOptions): Promise<Uint8Array[]> {
  if (group.length === 1) {
    const [plan] = group as [ClipPlan];
    return [renderClip(await decodeSource(source, plan.frames, plan.size, info, call), plan)];
  }
  const numbers = frameNumbers(group);
  const decoded = await decodeSource(source, numbers, group[0]!.size, info, call);
  return group.map((plan) => renderClip(framesOf(plan, decoded, numbers), plan));
}

/**
 * Reads clips of one video: one probe (unless `info` is given), then one run of FFmpeg for all clips of one scale. Rejects
 * with `UnreadableClip` where the file cannot be read.
 */
export async function readClips(request: ReadRequest, signal?: AbortSignal): Promise<ReadResult> {
  const call = callOf(request, signal);
  const { info, plans } = await planned(request, call);
  const pixels = new Map<ClipPlan, Uint8Array>();
  for (const group of groupBySize(plans)) {
    const clips = await readGroup(request.source, group, info, call);
    group.forEach((plan, i) => pixels.set(plan, clips[i]!));
  }
  return { clips: plans.map((plan) => pixels.get(plan)!), info };
}

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
