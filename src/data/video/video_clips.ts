/** From a video, a picture or a folder of frames to clips: what the decoding threads do. */
import { allViews, MIDDLE, planClip, type ClipChoice, type ClipPlan, type VideoOptions } from './clip_plan';
import { renderClip } from './clip_render';
import type { Views } from '../sampling';
import { decodeSource, probeSource, sourceOf, type Source } from '../source';
import { isUnreadable, type Clip, type SeenFrame } from '../types';
import { decodeVideos, FramesMissing, type DecodeRequest, type Frames } from './decode';
import { frameTime, type CallOptions, type VideoInfo } from './info';

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
  /** For each choice the frames of the clip. */
  seen: SeenFrame[][];
}

/** Plans of one frame size: they share one decoding. */
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

/** Whether enough is known of the source to decode it. */
const isComplete = ({ source }: ReadRequest, info: VideoInfo | undefined): info is VideoInfo =>
  info !== undefined && (source.kind !== 'video' || info.index !== undefined);

async function planned(request: ReadRequest, call: CallOptions, byDecoding = false): Promise<Planned> {
  const known = byDecoding ? undefined : request.info;
  const info = isComplete(request, known) ? known : await probeSource(request.source, call, byDecoding);
  return { request, info, plans: request.choices.map((choice) => planClip(request.options, info, choice)) };
}

const callOf = ({ options }: ReadRequest, signal?: AbortSignal): CallOptions => ({
  signal,
  timeoutMs: options.timeoutMs ?? 60_000,
});

/** The one decoding that a request takes; null where it takes several or none. */
function decodeRequest({ request: { source }, info, plans }: Planned): DecodeRequest | null {
  const [group, ...others] = groupBySize(plans);
  if (source.kind !== 'video' || group === undefined || others.length > 0) return null;
  const numbers = group.length === 1 ? group[0]!.frames : frameNumbers(group);
  return { ...source, numbers, size: group[0]!.size, info };
}

const seenOf = (info: VideoInfo, { frames }: ClipPlan): SeenFrame[] =>
  frames.map((number) => ({ number, timestamp: frameTime(info, number) }));

function rendered({ info, plans }: Planned, decoded: Frames): ReadResult {
  const seen = plans.map((plan) => seenOf(info, plan));
  if (plans.length === 1) return { clips: [renderClip(decoded, plans[0]!)], info, seen };
  const numbers = frameNumbers(plans);
  return { clips: plans.map((plan) => renderClip(framesOf(plan, decoded, numbers), plan)), info, seen };
}

/**
 * Reads clips of several videos in one call of the decoder; null where one of them takes more than that, or cannot be read: then
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
 * Reads clips of one video: one probe (unless `info` is given), then one decoding for all clips of one scale. Where a frame that the
 * packets promise cannot be decoded, the frames that can be are found by decoding the whole file, and clips are taken of these.
 * Rejects with `UnreadableClip` where the file cannot be read.
 */
export async function readClips(request: ReadRequest, signal?: AbortSignal): Promise<ReadResult> {
  const call = callOf(request, signal);
  const plan = await planned(request, call);
  try {
    return await readPlanned(plan, call);
  } catch (error) {
    if (!(error instanceof FramesMissing) || plan.info.index?.decoded) throw error;
    return readPlanned(await planned(request, call, true), call);
  }
}

async function readPlanned({ request, info, plans }: Planned, call: CallOptions): Promise<ReadResult> {
  const pixels = new Map<ClipPlan, Uint8Array>();
  for (const group of groupBySize(plans)) {
    const clips = await readGroup(request.source, group, info, call);
    group.forEach((plan, i) => pixels.set(plan, clips[i]!));
  }
  return { clips: plans.map((plan) => pixels.get(plan)!), info, seen: plans.map((plan) => seenOf(info, plan)) };
}

/** Reads the test views of one video (a file, or any source) on this thread; label -1. */
export async function readViews(
  from: string | Source,
  input: Pick<VideoOptions, 'frames' | 'rate' | 'crop'> & Partial<VideoOptions>,
  views: Views = MIDDLE,
  signal?: AbortSignal,
): Promise<Clip[]> {
  const options = { ...input, train: false, flip: false };
  const source = typeof from === 'string' ? sourceOf(from) : from;
  const { clips, seen } = await readClips({ source, options, choices: allViews(views) }, signal);
  const { frames, crop } = options;
  const size = { frames, height: crop, width: crop };
  return clips.map((pixels, i) => ({ pixels, ...size, label: -1, path: source.path, seen: seen[i]! }));
}
