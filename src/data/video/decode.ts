/** Exactly the frames of videos that are asked for, through FFmpeg. */
import { explain, runProgram } from './ffmpeg';
import { UnreadableClip } from '../types';
import { inputArguments, type CallOptions, type Part, type VideoInfo } from './video';

/** Pictures of one size, one after the other. */
export interface Frames {
  /** u8 [count, height, width, 3]: red, green, blue. */
  pixels: Uint8Array;
  width: number;
  height: number;
}

/** Frame numbers grouped to `select` conditions: runs of evenly spaced numbers are one condition each. */
export function selectExpression(numbers: readonly number[]): string {
  const parts: string[] = [];
  for (let i = 0; i < numbers.length;) {
    const first = numbers[i]!;
    const step = (numbers[i + 1] ?? first + 1) - first;
    let last = i;
    while (last + 1 < numbers.length && numbers[last + 1]! - numbers[last]! === step) last++;
    if (last - i < 2) parts.push(`eq(n,${first})`);
    else parts.push(`between(n,${first},${numbers[last]})${step > 1 ? `*not(mod(n-${first},${step}))` : ''}`);
    i = last - i < 2 ? i + 1 : last + 1;
  }
  return parts.join('+');
}

/** Where to seek so that frame `first` is the next one decoded: half a frame before it. 0: from the start. */
export function seekSeconds(first: number, info: VideoInfo): number {
  return first > 0 && info.steady ? info.offset + (first - 0.5) / info.fps : 0;
}

/** Pictures to decode out of one video. */
export interface DecodeRequest {
  path: string;
  part?: Part | undefined;
  /** Frame numbers from 0, in any order, repeats allowed. */
  numbers: readonly number[];
  /** What the pictures are scaled to. */
  size: readonly [width: number, height: number];
  info: VideoInfo;
}

/** The frames of a request, each once and in order. */
function framesWanted({ numbers }: DecodeRequest): number[] {
  const wanted = [...new Set(numbers)].sort((a, b) => a - b);
  if (wanted.length > 0 && wanted[0]! >= 0) return wanted;
  throw new Error(`decodeFrames: expected frame numbers from 0 on, got ${numbers.join(', ') || 'none'}`);
}

/** FFmpeg's arguments for one video: how it is opened, and what of input `index` goes to which pipe. */
function decodeArguments(request: DecodeRequest, index: number): { input: string[]; output: string[] } {
  const { path, part, size, info } = request;
  const wanted = framesWanted(request);
  const seconds = seekSeconds(wanted[0]!, info);
  const base = seconds > 0 ? wanted[0]! : 0;
  const select = selectExpression(wanted.map((n) => n - base));
  const filters = `select='${select}',scale=${size[0]}:${size[1]}:flags=bicubic,format=rgb24`;
  const seek = seconds > 0 ? ['-ss', seconds.toFixed(6)] : [];
  const frames = ['-vsync', '0', '-frames:v', String(wanted.length)];
  return {
    input: ['-threads', '1', ...seek, ...inputArguments(path, part)],
    output: [
      ...['-map', `${index}:v:0`, '-an', '-sn', '-dn', '-vf', filters, ...frames],
      ...['-f', 'rawvideo', '-pix_fmt', 'rgb24', `pipe:${index === 0 ? 1 : index + 2}`],
    ],
  };
}

/** How many frames a video whose length was only estimated may lack at its end: a tenth, and at least 2. */
const tolerated = (info: VideoInfo): number => (info.exact ? 0 : Math.max(2, Math.ceil(info.frames / 10)));

/** Fills up to `count` frames by repeating the last one, where the length was an estimate; else says what is missing. */
function complete(
  path: string,
  got: Buffer,
  wanted: readonly number[],
  bytes: number,
  info: VideoInfo,
  stderr: string,
): Uint8Array {
  const decoded = Math.floor(got.length / bytes);
  const pixels = new Uint8Array(got.buffer, got.byteOffset, got.length);
  if (decoded === wanted.length) return pixels;
  const firstMissing = wanted[decoded]!;
  if (decoded === 0 || firstMissing < info.frames - tolerated(info)) {
    const why = stderr === '' ? 'it is cut short' : explain(stderr);
    throw new UnreadableClip(`${path}: frame ${firstMissing} of ${info.frames} cannot be decoded: ${why}`);
  }
  const filled = new Uint8Array(wanted.length * bytes);
  filled.set(pixels.subarray(0, decoded * bytes));
  for (let i = decoded; i < wanted.length; i++) filled.copyWithin(i * bytes, (decoded - 1) * bytes, decoded * bytes);
  return filled;
}

/** The decoded bytes of a request as its pictures, in the order asked for. */
function framesFrom(request: DecodeRequest, decoded: Buffer, stderr: string): Frames {
  const { path, numbers, size, info } = request;
  const [width, height] = size;
  const wanted = framesWanted(request);
  const bytes = width * height * 3;
  const unique = complete(path, decoded, wanted, bytes, info, stderr);
  if (wanted.length === numbers.length && wanted.every((n, i) => n === numbers[i]))
    return { pixels: unique, width, height };
  const place = new Map(wanted.map((n, i) => [n, i]));
  const pixels = new Uint8Array(numbers.length * bytes);
  numbers.forEach((n, i) => pixels.set(unique.subarray(place.get(n)! * bytes, (place.get(n)! + 1) * bytes), i * bytes));
  return { pixels, width, height };
}

/**
 * Decodes exactly the frames that each request names, in one run of FFmpeg for all: starting it takes as long as decoding a
 * short clip. Rejects with `UnreadableClip` where a frame of any of them cannot be had; which one is not always told.
 */
export async function decodeVideos(requests: readonly DecodeRequest[], options: CallOptions = {}): Promise<Frames[]> {
  const args = requests.map(decodeArguments);
  const all = [
    '-v',
    'error',
    '-nostdin',
    ...args.flatMap(({ input }) => input),
    ...args.flatMap(({ output }) => output),
  ];
  const call = { ...options, subject: requests[0]!.path, pipes: requests.length - 1 };
  const { stdout, stderr, pipes } = await runProgram('ffmpeg', all, call);
  return requests.map((request, i) => framesFrom(request, i === 0 ? stdout : pipes[i - 1]!, stderr));
}

/** Decodes the frames of one request; see `decodeVideos`. */
export async function decodeFrames(request: DecodeRequest, options: CallOptions = {}): Promise<Frames> {
  const [frames] = await decodeVideos([request], options);
  return frames!;
}
