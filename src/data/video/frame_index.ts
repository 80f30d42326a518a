/** Builds the index of presented frames from the packets of a video. */
import { UnreadableClip } from '../types';
import { decoder } from './choose';
import { PACKET, type Decoder, type Scan, type VideoFile } from './decoder';
import type { CallOptions, FrameIndex, VideoInfo } from './info';
import { turnOf } from './orientation';

/** Codecs with hidden or repeated frames: their packets do not correspond to presented frames. */
const HIDDEN_FRAMES = new Set(['vp8', 'theora']);

/** Codecs whose containers may store the two fields of a frame as separate packets. */
const FIELD_PACKETS = new Set(['h264', 'hevc']);

/** Largest reordering distance between storage and presentation; more is a discontinuity of timestamps. */
const MOST_REORDERED = 64;

/** For each packet, the timestamp of the key frame from which it is decoded; NaN without one. */
function keysOf({ timestamps, flags }: Scan): Float64Array {
  const keys: number[] = [];
  return timestamps.map((time, i) => {
    if (flags[i]! & PACKET.key) keys.push(time);
    // A leading picture (stored after a key frame, shown before it) may refer to earlier frames.
    let at = keys.length - 1;
    while (at >= 0 && !(keys[at]! <= time)) at--;
    return at < 0 ? NaN : keys[at]!;
  });
}

interface Times {
  timestamps: Float64Array;
  keys: Float64Array;
}

/** Frames in presentation order from the packets; null if the packets do not determine them. */
function fromPackets(scan: Scan): Times | null {
  if (HIDDEN_FRAMES.has(scan.codec) || (scan.interlaced && FIELD_PACKETS.has(scan.codec))) return null;
  const keys = keysOf(scan);
  const shown = [...scan.timestamps.keys()].filter((i) => !(scan.flags[i]! & (PACKET.discard | PACKET.corrupt)));
  const time = (i: number): number => scan.timestamps[i]!;
  if (shown.some((i) => Number.isNaN(time(i)) || Number.isNaN(keys[i]))) return null;
  const order = [...shown].sort((a, b) => time(a) - time(b));
  if (order.some((i, place) => place > 0 && time(i) === time(order[place - 1]!))) return null;
  const displaced = order.some((i, place) => Math.abs(i - shown[place]!) > MOST_REORDERED);
  if (displaced) return null;
  return { timestamps: Float64Array.from(order, time), keys: Float64Array.from(order, (i) => keys[i]!) };
}

const rising = (times: Float64Array): boolean => times.every((time, i) => i === 0 || time > times[i - 1]!);

/** Frames found by decoding the whole file. */
function fromDecoding(scan: Scan, decoded: Float64Array): Times & { counted: boolean } {
  const keys = keysOf(scan);
  const keyOf = new Map([...scan.timestamps].map((time, i) => [time, keys[i]!]));
  const timed = rising(decoded) && !scan.timestamps.some((time) => Number.isNaN(time));
  return {
    timestamps: decoded,
    keys: decoded.map((time) => (timed ? (keyOf.get(time) ?? NaN) : NaN)),
    counted: !timed,
  };
}

/** Common rates: multiples of 1/2, and those of NTSC. */
const USUAL_RATES = [
  ...Array.from({ length: 480 }, (_, i) => (i + 1) / 2),
  ...[24, 30, 48, 60, 120].map((rate) => (rate * 1000) / 1001),
];

/**
 * Mean rate of frames at `timestamps`. Containers round timestamps to ticks, so a common rate within one tick over
 * the whole length is preferred.
 */
function rateOf({ rate, timeBase }: Scan, timestamps: Float64Array): number {
  const span = timestamps.at(-1)! - timestamps[0]!;
  const mean = ((timestamps.length - 1) * timeBase[1]) / (span * timeBase[0]);
  if (!(mean > 0 && Number.isFinite(mean))) return rate;
  const off = (usual: number): number => Math.abs(usual / mean - 1);
  const nearest = USUAL_RATES.reduce((best, usual) => (off(usual) < off(best) ? usual : best));
  const isRounded = mean * timeBase[0] < timeBase[1] / 2; // false if a tick is a whole frame
  return off(nearest) <= (isRounded ? 1 / span : 1e-6) ? nearest : mean;
}

/** Rate of a file without one (a single frame). */
const NOMINAL_FPS = 30;

function warningOf({ headerFrames, cut, flags }: Scan, frames: number): string | undefined {
  const hidden = flags.filter((flag) => flag & PACKET.discard).length;
  const missing = Math.max(0, headerFrames - hidden - frames);
  if (!cut) return undefined;
  return missing > 0
    ? `it is cut short: ${missing} of ${headerFrames - hidden} frames are missing`
    : `it is cut short after frame ${frames - 1}`;
}

function sizes(scan: Scan, rotation: number): Pick<VideoInfo, 'width' | 'height' | 'stored'> {
  const { width, height, pixelAspect } = scan;
  const upright = (w: number, h: number): [number, number] => (rotation % 180 === 0 ? [w, h] : [h, w]);
  const shown = pixelAspect > 0 && pixelAspect !== 1 ? Math.max(1, Math.round(width * pixelAspect)) : width;
  const [w, h] = upright(shown, height);
  return { width: w, height: h, ...(shown === width ? {} : { stored: upright(width, height) }) };
}

function infoOf(path: string, scan: Scan, found: Times & Pick<FrameIndex, 'counted' | 'decoded'>): VideoInfo {
  if (!(scan.width > 0 && scan.height > 0)) throw new UnreadableClip(`${path}: the size of its pictures is unknown`);
  const frames = found.timestamps.length;
  if (frames === 0) throw new UnreadableClip(`${path}: it has no frame that can be decoded`);
  const { rotation, filters } = turnOf(path, scan.matrix, scan.rotateTag);
  const fps = rateOf(scan, found.timestamps) || NOMINAL_FPS;
  const index = { ...found, stream: scan.stream, timeBase: scan.timeBase, turn: filters };
  const warning = warningOf(scan, frames);
  return {
    ...sizes(scan, rotation),
    ...{ fps, frames, duration: frames / fps, rotation, index },
    ...(warning === undefined ? {} : { warning }),
  };
}

/** Probes size, frame rate, length and the index of frames. Rejects with `UnreadableClip` if the file is not a video. */
export async function probe(path: string, call: CallOptions = {}, by: Decoder = decoder()): Promise<VideoInfo> {
  const file = { path, part: call.part };
  const scan = await by.scan(file, call);
  const found = fromPackets(scan);
  if (found !== null) return infoOf(path, scan, { ...found, counted: false, decoded: false });
  return decodedInfo(file, scan, call, by);
}

/** As `probe`, but decodes the whole file to find the frames: for files whose packets cannot all be decoded. */
export async function probeByDecoding(path: string, call: CallOptions = {}, by = decoder()): Promise<VideoInfo> {
  const file = { path, part: call.part };
  const scan = await by.scan(file, call);
  const info = await decodedInfo(file, scan, call, by);
  const promised = fromPackets(scan)?.timestamps.length ?? info.frames;
  const lost = promised - info.frames;
  return lost > 0 && info.warning === undefined
    ? { ...info, warning: `${lost} of its ${promised} frames cannot be decoded` }
    : info;
}

async function decodedInfo(file: VideoFile, scan: Scan, call: CallOptions, by: Decoder): Promise<VideoInfo> {
  const times = await by.frameTimes(file, scan.stream, call);
  return infoOf(file.path, scan, { ...fromDecoding(scan, times), decoded: true });
}
