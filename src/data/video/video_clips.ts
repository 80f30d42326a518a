/** Reads clips of videos, pictures and folders of frames, in the decoding threads. */
import { allViews, MIDDLE, planClip, testClips, type ClipChoice, type ClipPlan, type VideoOptions } from './clip_plan';
import { renderClip } from './clip_render';
import type { InputSpec } from '../input_spec';
import { decodeVideos, FramesMissing, type DecodeRequest, type Frames } from './decode';
import { copyKept, type KeptFrames, type NumberedFrames } from './frame_cache';
import type { Views } from '../sampling';
import { decodeSource, probeSource, sourceOf, type Source } from '../source';
import { isUnreadable, UnreadableClip, type Clip, type SeenFrame } from '../types';
import { frameTime, type CallOptions, type VideoInfo } from './info';

/** Request to read clips of one video, picture or folder of frames. */
export interface ReadRequest {
  source: Source;
  options: VideoOptions;
  choices: readonly ClipChoice[];
  /** Info of an earlier read, which saves the probe. */
  info?: VideoInfo | undefined;
  /** Cached frames in the memory `slabs`. */
  kept?: readonly KeptFrames[];
  slabs?: readonly SharedArrayBuffer[];
  /** Present if decoded frames are to be cached: videos of at most `whole` bytes of frames are decoded whole. */
  keep?: { whole: number } | undefined;
}

export interface ReadResult {
  /** For each choice u8 [frames, crop, crop, 3]. */
  clips: Uint8Array[];
  info: VideoInfo;
  /** Decoded frames to cache. */
  decoded: NumberedFrames[];
  /** For each choice, the frames of the clip. */
  seen: SeenFrame[][];
}

/** Clips from frames of one decoded size, which share one decoding. */
interface Group {
  size: readonly [width: number, height: number];
  plans: ClipPlan[];
  kept: KeptFrames | undefined;
  /** Frames that the clips need and the cache lacks, and those to decode for later clips too. */
  missing: number[];
  wanted: number[];
}

/** A planned request: info of its file, and its clips. */
interface Planned {
  request: ReadRequest;
  info: VideoInfo;
  plans: ClipPlan[];
  groups: Group[];
}

/** Pictures of IDX files are not cached: they are smaller than a page of the cache, and need no decoding. */
const keeps = ({ keep, source }: ReadRequest): boolean => keep !== undefined && source.kind !== 'idx';

/** Frames to decode: the missing ones, or all uncached ones if the whole video is to be decoded. */
function framesToDecode(request: ReadRequest, info: VideoInfo, group: Omit<Group, 'wanted'>): number[] {
  const bytes = group.size[0] * group.size[1] * 3;
  const drawn = request.options.train && request.source.kind === 'video';
  if (group.missing.length === 0 || !drawn || !keeps(request)) return group.missing;
  if (info.frames * bytes > request.keep!.whole) return group.missing;
  const kept = new Set(group.kept?.numbers);
  return Array.from({ length: info.frames }, (_, n) => n).filter((n) => !kept.has(n));
}

function groupOf(request: ReadRequest, info: VideoInfo, plans: ClipPlan[]): Group {
  const [width, height] = plans[0]!.decoded;
  const kept = request.kept?.find((one) => one.width === width && one.height === height);
  const known = new Set(kept?.numbers);
  const numbers = plans.flatMap(({ frames }) => frames).filter((n) => !known.has(n));
  const missing = [...new Set(numbers)].sort((a, b) => a - b);
  const group = { size: [width, height] as const, plans, kept, missing };
  return { ...group, wanted: framesToDecode(request, info, group) };
}

/** Limit of scaled frames, in pixels: 8192 x 8192. A picture of 1 x 100000 would exceed it. */
const MOST_PIXELS = 2 ** 26;

/** Throws if frames become too large when their short side is scaled to the crop. */
function expectSizes({ path }: Source, { width, height }: VideoInfo, plans: readonly ClipPlan[]): void {
  const large = plans.flatMap(({ size, decoded }) => [size, decoded]).find(([w, h]) => !(w * h <= MOST_PIXELS));
  if (large)
    throw new UnreadableClip(
      `${path}: its frames of ${width}x${height} would be scaled to ${large.join('x')}, more than ${MOST_PIXELS} pixels`,
    );
}

/** Whether the info suffices to decode the source. */
const isComplete = ({ source }: ReadRequest, info: VideoInfo | undefined): info is VideoInfo =>
  info !== undefined && (source.kind !== 'video' || info.index !== undefined);

async function planned(request: ReadRequest, call: CallOptions, byDecoding = false): Promise<Planned> {
  const known = byDecoding ? undefined : request.info;
  const info = isComplete(request, known) ? known : await probeSource(request.source, call, byDecoding);
  const { width, height } = info;
  if (!(width >= 1 && height >= 1))
    throw new UnreadableClip(`${request.source.path}: its frames are ${width}x${height}`);
  const plans = request.choices.map((choice) => planClip(request.options, info, choice));
  expectSizes(request.source, info, plans);
  const bySize = new Map<string, ClipPlan[]>();
  for (const plan of plans) {
    const key = plan.decoded.join('x');
    bySize.set(key, [...(bySize.get(key) ?? []), plan]);
  }
  return { request, info, plans, groups: [...bySize.values()].map((some) => groupOf(request, info, some)) };
}

const callOf = ({ options }: ReadRequest, signal?: AbortSignal): CallOptions => ({
  signal,
  timeoutMs: options.timeoutMs ?? 60_000,
});

/** Frames of a plan from the decoded and cached ones. */
function framesOf(
  plan: ClipPlan,
  group: Group,
  decoded: NumberedFrames | null,
  slabs: readonly SharedArrayBuffer[],
): Frames {
  const [width, height] = group.size;
  const bytes = width * height * 3;
  const pixels = new Uint8Array(plan.frames.length * bytes);
  plan.frames.forEach((n, i) => {
    const at = decoded?.numbers.indexOf(n) ?? -1;
    if (at >= 0) pixels.set(decoded!.pixels.subarray(at * bytes, (at + 1) * bytes), i * bytes);
    else copyKept(slabs, group.kept!, group.kept!.numbers.indexOf(n), pixels, i * bytes);
  });
  return { pixels, width, height };
}

/** Renders the clips of a request from the decoded frames of each group. */
function rendered({ request, info, plans, groups }: Planned, decoded: readonly (NumberedFrames | null)[]): ReadResult {
  const clips = new Map<ClipPlan, Uint8Array>();
  groups.forEach((group, i) => {
    for (const plan of group.plans)
      clips.set(plan, renderClip(framesOf(plan, group, decoded[i]!, request.slabs ?? []), plan));
  });
  const fresh = keeps(request) ? decoded.filter((frames) => frames !== null) : [];
  const seen = plans.map(({ frames }) => frames.map((number) => ({ number, timestamp: frameTime(info, number) })));
  return { clips: plans.map((plan) => clips.get(plan)!), info, decoded: fresh, seen };
}

/** The decoding of a request; null if it needs several or none. */
function decodeRequest({ request: { source }, info, groups }: Planned): DecodeRequest | null {
  const [group, ...others] = groups;
  if (source.kind !== 'video' || group === undefined || others.length > 0 || group.wanted.length === 0) return null;
  return { ...source, numbers: group.wanted, size: group.size, info };
}

/**
 * Reads clips of several videos in one run of FFmpeg; null if one of them needs more than one run, or cannot be read: then
 * `readClips` of each gives the error.
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
    return all.map((one, i) => rendered(one, [{ ...decoded[i]!, numbers: decoding[i]!.numbers }]));
  } catch (error) {
    if (isUnreadable(error)) return null;
    throw error;
  }
}

/** Decodes the missing frames of a group. If the whole video cannot be decoded, retries with the frames of its clips. */
async function decodeGroup(
  source: Source,
  { size, missing, wanted }: Group,
  info: VideoInfo,
  call: CallOptions,
): Promise<NumberedFrames | null> {
  if (wanted.length === 0) return null;
  const decode = async (numbers: number[]): Promise<NumberedFrames> => ({
    ...(await decodeSource(source, numbers, size, info, call)),
    numbers,
  });
  if (wanted.length === missing.length) return decode(missing);
  return decode(wanted).catch((error: unknown) => {
    if (isUnreadable(error)) return decode(missing);
    throw error;
  });
}

/**
 * Reads clips of one video: one probe (unless `info` is given), then one decoding per scale for the uncached frames. If an
 * indexed frame cannot be decoded, the whole file is decoded to find its frames. Rejects with `UnreadableClip` if the file is unreadable.
 */
export async function readClips(request: ReadRequest, signal?: AbortSignal): Promise<ReadResult> {
  const call = callOf(request, signal);
  const plan = await planned(request, call);
  try {
    return await readPlanned(plan, call);
  } catch (error) {
    if (!(error instanceof FramesMissing) || plan.info.index?.decoded) throw error;
    return readPlanned(await planned({ ...request, kept: [] }, call, true), call);
  }
}

async function readPlanned(plan: Planned, call: CallOptions): Promise<ReadResult> {
  const { request } = plan;
  const decoded: (NumberedFrames | null)[] = [];
  for (const group of plan.groups) decoded.push(await decodeGroup(request.source, group, plan.info, call));
  return rendered(plan, decoded);
}

/** Reads the test views of one video (a file, or any source) on this thread in one run of FFmpeg; label -1. */
export async function readViews(
  from: string | Source,
  input: InputSpec,
  views: Views = MIDDLE,
  signal?: AbortSignal,
): Promise<Clip[]> {
  const options = testClips(input);
  const source = typeof from === 'string' ? sourceOf(from) : from;
  const { clips, seen } = await readClips({ source, options, choices: allViews(views) }, signal);
  const { frames, crop } = options;
  return clips.map((pixels, i) => ({
    pixels,
    frames,
    height: crop,
    width: crop,
    label: -1,
    path: source.path,
    seen: seen[i]!,
  }));
}
