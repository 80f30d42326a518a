/** Decodes with the programs ffmpeg and ffprobe. */
import path from 'node:path';
import { UnreadableClip } from '../types';
import { MBTREE, PACKET, type Coding, type Decoder, type FrameRequest, type Pixels } from './decoder';
import type { RawFrames, Recoding, Scan, VideoFile } from './decoder';
import { ffmpegVersion, runProgram } from './ffmpeg';
import { inputArguments } from './formats';
import { frameFilters } from './filters';
import type { CallOptions } from './info';

interface ProbedStream {
  index: number;
  codec_name?: string;
  width?: number;
  height?: number;
  sample_aspect_ratio?: string;
  avg_frame_rate?: string;
  r_frame_rate?: string;
  time_base?: string;
  nb_frames?: string;
  field_order?: string;
  disposition?: { attached_pic?: number };
  tags?: Record<string, string>;
  side_data_list?: { displaymatrix?: string }[];
}

interface Probed {
  streams?: ProbedStream[];
  packets?: { stream_index: number; pts?: number; flags?: string }[];
  frames?: { best_effort_timestamp?: number }[];
}

const SCANNED = [
  'packet=stream_index,pts,flags',
  'stream=index,codec_name,width,height,sample_aspect_ratio,avg_frame_rate,r_frame_rate,time_base,nb_frames,field_order',
  'stream_disposition=attached_pic',
  'stream_tags',
  'stream_side_data=displaymatrix',
].join(':');

/** Parses a number of ffprobe's output ("30000/1001", "16:11", "N/A"); 0 if it is not a number. */
function number(text: string | undefined): number {
  const [above, below = '1'] = (text ?? '').split(/[/:]/);
  const value = Number(above) / Number(below);
  return Number.isFinite(value) ? value : 0;
}

function fraction(text: string | undefined): [number, number] {
  const [above, below] = (text ?? '').split('/').map(Number);
  return above! > 0 && below! > 0 ? [above!, below!] : [1, 1];
}

/** Parses ffprobe's display matrix: three lines of "address: a b c". */
function matrixOf({ side_data_list = [] }: ProbedStream): number[] | null {
  const text = side_data_list.find((data) => data.displaymatrix !== undefined)?.displaymatrix;
  const rows = (text ?? '').trim().split('\n');
  const numbers = rows.flatMap((row) => row.replace(/^.*:/, '').trim().split(/\s+/).map(Number));
  return numbers.length === 9 ? numbers : null;
}

/** Message of ffprobe for a file that ends within a frame; the packet flags do not show this. */
const CUT = /partial file|ended prematurely|Invalid NAL unit size|missing picture in access unit|Truncat|truncat/;
const CUT_FRAME = /partial file|Invalid NAL unit size|missing picture in access unit/;

function scanOf({ streams = [], packets = [] }: Probed, file: VideoFile, stderr: string): Scan {
  const stream = streams.find(({ disposition }) => disposition?.attached_pic !== 1);
  if (stream === undefined) throw new UnreadableClip(`${file.path}: it has no video stream`);
  const own = packets.filter((packet) => packet.stream_index === stream.index);
  const flags = Uint8Array.from(own, ({ flags: text = '' }) => {
    const bit = (letter: string, value: number): number => (text.includes(letter) ? value : 0);
    return bit('K', PACKET.key) | bit('C', PACKET.corrupt) | bit('D', PACKET.discard);
  });
  if (CUT_FRAME.test(stderr) && flags.length > 0) flags[flags.length - 1]! |= PACKET.corrupt;
  const tag = Object.entries(stream.tags ?? {}).find(([name]) => name.toLowerCase() === 'rotate');
  return {
    stream: stream.index,
    codec: stream.codec_name ?? '',
    width: stream.width ?? 0,
    height: stream.height ?? 0,
    pixelAspect: number(stream.sample_aspect_ratio),
    matrix: matrixOf(stream),
    rotateTag: tag?.[1] ?? null,
    rate: number(stream.avg_frame_rate) || number(stream.r_frame_rate),
    timeBase: fraction(stream.time_base),
    headerFrames: number(stream.nb_frames),
    interlaced: !['progressive', 'unknown', undefined].includes(stream.field_order),
    timestamps: Float64Array.from(own, ({ pts }) => pts ?? NaN),
    flags,
    cut: CUT.test(stderr) || flags.some((flag) => flag & PACKET.corrupt),
  };
}

async function ffprobe(
  file: VideoFile,
  extra: string[],
  call: CallOptions,
): Promise<{ probed: Probed; stderr: string }> {
  const args = ['-v', 'error', ...extra, '-of', 'json=compact=1', ...inputArguments(file.path, file.part)];
  const { stdout, stderr } = await runProgram('ffprobe', args, { ...call, subject: file.path });
  return { probed: JSON.parse(stdout.toString()) as Probed, stderr };
}

/** Condition for frame numbers; a run of evenly spaced numbers is one term. */
function countExpression(numbers: readonly number[]): string {
  const parts: string[] = [];
  for (let i = 0; i < numbers.length;) {
    const first = numbers[i]!;
    const step = (numbers[i + 1] ?? first + 1) - first;
    let last = i;
    while (last + 1 < numbers.length && numbers[last + 1]! - numbers[last]! === step) last++;
    if (last - i < 2) parts.push(`eq(NAME,${first})`);
    else parts.push(`between(NAME,${first},${numbers[last]})${step > 1 ? `*not(mod(NAME-${first},${step}))` : ''}`);
    i = last - i < 2 ? i + 1 : last + 1;
  }
  return parts.join('+');
}

/** FFmpeg's condition for frames whose `name` (`n`, their count, or `pts`) is among the rising `numbers`. */
export const selectExpression = (numbers: readonly number[], name: 'n' | 'pts' = 'n'): string =>
  countExpression(numbers).replaceAll('NAME', name);

/** Seconds by which a seek precedes the key frame, so that it never lands after it; timestamps identify the frames. */
const SEEK_MARGIN = 1;

/** Seek time before the key frame of a request's first frame; null: do not seek. */
function seekSeconds({ index, numbers }: FrameRequest): number | null {
  const key = Math.min(...numbers.map((n) => (Number.isNaN(index.keys[n]!) ? -Infinity : index.keys[n]!)));
  const first = index.timestamps[0]!;
  const seconds = ((key - first) * index.timeBase[0]) / index.timeBase[1] - SEEK_MARGIN;
  return index.counted || !(seconds > 0) ? null : (key * index.timeBase[0]) / index.timeBase[1] - SEEK_MARGIN;
}

/** FFmpeg's arguments for one video: its input, and the mapping of input `place` to a pipe. */
function decodeArguments(
  request: FrameRequest,
  place: number,
  seeking: boolean,
): { input: string[]; output: string[] } {
  const { path: file, part, numbers, index } = request;
  const seconds = seeking ? seekSeconds(request) : null;
  const select = index.counted
    ? selectExpression(numbers)
    : selectExpression(
        numbers.map((n) => index.timestamps[n]!),
        'pts',
      );
  const seek = seconds === null ? [] : ['-noaccurate_seek', '-seek_timestamp', '1', '-ss', seconds.toFixed(6)];
  const filters = `select='${select}',${frameFilters(index.turn, request.size)},format=rgb24`;
  return {
    input: ['-threads', '1', '-noautorotate', ...seek, ...inputArguments(file, part)],
    output: [
      ...['-map', `${place}:${index.stream}`, '-an', '-sn', '-dn', '-vf', filters],
      ...['-vsync', '0', '-frames:v', String(numbers.length)],
      ...['-f', 'rawvideo', '-pix_fmt', 'rgb24', `pipe:${place === 0 ? 1 : place + 2}`],
    ],
  };
}

const COMMON = ['-v', 'error', '-nostdin', '-copyts'];

async function run(requests: readonly FrameRequest[], call: CallOptions, seeking: boolean): Promise<Pixels[]> {
  const args = requests.map((request, i) => decodeArguments(request, i, seeking));
  const all = [...COMMON, ...args.flatMap(({ input }) => input), ...args.flatMap(({ output }) => output)];
  const options = { ...call, subject: requests[0]!.path, pipes: requests.length - 1 };
  const { stdout, pipes } = await runProgram('ffmpeg', all, options);
  return requests.map(({ numbers, size }, i) => {
    const got = i === 0 ? stdout : pipes[i - 1]!;
    if (got.length !== numbers.length * size[0] * size[1] * 3) return null;
    return new Uint8Array(got.buffer, got.byteOffset, got.length);
  });
}

const codingArguments = ({ crf, keyframes }: Coding, file: string): string[] => [
  ...['-c:v', 'libx264', '-preset', 'veryfast', '-pix_fmt', 'yuv420p', '-crf', String(crf), '-mbtree', String(MBTREE)],
  ...(keyframes === undefined ? [] : ['-g', String(keyframes)]),
  ...['-movflags', '+faststart', '-threads', '1', '-y', `file:${file}`],
];

function recodingInput(input: Recoding['input']): string[] {
  if (!('pattern' in input)) return inputArguments(input.path, input.part);
  const pattern = path.join(input.path.replaceAll('%', '%%'), input.pattern);
  return ['-f', 'image2', '-framerate', '30', '-start_number', '1', '-i', pattern];
}

/** See `Decoder`. Every call starts a process. */
export class ProgramDecoder implements Decoder {
  readonly name = 'ffmpeg';

  async version(): Promise<string> {
    return (await ffmpegVersion()).replace(/ Copyright.*/, '');
  }

  async scan(file: VideoFile, call: CallOptions): Promise<Scan> {
    const { probed, stderr } = await ffprobe(file, ['-select_streams', 'v', '-show_entries', SCANNED], call);
    return scanOf(probed, file, stderr);
  }

  async frameTimes(file: VideoFile, stream: number, call: CallOptions): Promise<Float64Array> {
    const args = ['-threads', '1', '-select_streams', String(stream), '-show_entries', 'frame=best_effort_timestamp'];
    const { probed } = await ffprobe(file, args, call);
    return Float64Array.from(probed.frames ?? [], (frame) => frame.best_effort_timestamp ?? NaN);
  }

  /** All requests in one run, since a start of FFmpeg takes as long as a short clip; again from the start of the file where frames lack. */
  async decode(requests: readonly FrameRequest[], call: CallOptions): Promise<Pixels[]> {
    const found = await run(requests, call, true);
    for (const [i, request] of requests.entries())
      if (found[i] === null && seekSeconds(request) !== null)
        [found[i]] = (await run([request], call, false)) as [Pixels];
    return found;
  }

  async encode(
    { pixels, width, height, fps }: RawFrames,
    file: string,
    coding: Coding,
    call: CallOptions,
  ): Promise<void> {
    const input = [
      '-f',
      'rawvideo',
      '-pix_fmt',
      'rgb24',
      '-s',
      `${width}x${height}`,
      '-r',
      String(fps),
      '-i',
      'pipe:0',
    ];
    const args = ['-v', 'error', '-threads', '1', ...input, ...codingArguments(coding, file)];
    await runProgram('ffmpeg', args, { ...call, subject: file, input: pixels });
  }

  async recode(recoding: Recoding, call: CallOptions): Promise<void> {
    const { input, stream, turn, size, file, frames } = recoding;
    const count = ['-frames:v', String(frames)];
    const map = ['-map', 'pattern' in input ? '0:v:0' : `0:${stream}`, '-an', '-sn', '-dn', '-vsync', '0'];
    const filters = ['-vf', `${frameFilters(turn, size)},setsar=1`];
    const args = ['-v', 'error', '-nostdin', '-xerror', '-noautorotate', '-threads', '1', ...recodingInput(input)];
    const all = [...args, ...map, ...filters, ...count, ...codingArguments(recoding, file)];
    await runProgram('ffmpeg', all, { ...call, subject: input.path });
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}
