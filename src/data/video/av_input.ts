/** Opens videos with node-av. Runs only in the decoding process. */
import type * as AvConstantsModule from 'node-av/constants' with { 'resolution-mode': 'import' };
import type * as AvLib from 'node-av/lib' with { 'resolution-mode': 'import' };
import type { Scan, VideoFile } from './decoder';
import { explain } from './ffmpeg';
import { addressOf, OPENING } from './formats';
import { UnreadableClip } from '../types';

export type Av = typeof AvLib;
type AvConstants = typeof AvConstantsModule;
export type Of<Name extends keyof Av> = Av[Name] extends abstract new (...args: never[]) => infer T ? T : never;

let loaded: { av: Av; constants: AvConstants } | undefined;

/** FFmpeg's messages since the last call of `messages`. */
let log: string[] = [];

/** What waits for a mark in the log: see `messages`. */
const marks = new Map<string, () => void>();
let marked = 0;

function receive(message: string): void {
  const reached = marks.get(message);
  if (reached === undefined) log.push(message);
  else reached();
}

/** Loads node-av and collects FFmpeg's error messages. */
export async function loadAv(): Promise<void> {
  if (loaded !== undefined) return;
  const [av, constants] = await Promise.all([import('node-av/lib'), import('node-av/constants')]);
  av.Log.setCallback((_level, message) => receive(message), { maxLevel: constants.AV_LOG_ERROR });
  loaded = { av, constants };
}

export const lib = (): Av => loaded!.av;
export const constants = (): AvConstants => loaded!.constants;

/**
 * Returns and clears FFmpeg's messages. They arrive in order but some turns of the event loop late, when the next file
 * may be open; a mark logged now arrives after all of them.
 */
export async function messages(): Promise<string> {
  const mark = `end of the messages, ${marked++}`;
  await new Promise<void>((resolve) => {
    marks.set(mark, resolve);
    lib().Log.log(constants().AV_LOG_ERROR, mark);
  });
  marks.delete(mark);
  const all = log.join('\n');
  log = [];
  return all;
}

/** @throws UnreadableClip with FFmpeg's messages, or with the text of the error code without messages */
export async function check(code: number, file: string): Promise<number> {
  if (code >= 0) return code;
  const text = `${await messages()}\n${lib().FFmpegError.strerror(code)}`;
  throw new UnreadableClip(`${file}: ${explain(text)}`);
}

export interface Input {
  address: string;
  context: Of<'FormatContext'>;
  packet: Of<'Packet'>;
}

/** Containers whose headers suffice for decoding, so that FFmpeg need not probe frames. */
const COMPLETE_HEADERS = new Set(['mov,mp4,m4a,3gp,3g2,mj2', 'matroska,webm']);

/** Opens a file. `fully`: also probes its first frames. */
export async function openInput({ path, part }: VideoFile, fully: boolean): Promise<Input> {
  const { FormatContext, Dictionary, Packet } = lib();
  const context = new FormatContext();
  const address = addressOf(path, part);
  await check(context.openInputSync(address, null, Dictionary.fromObject({ ...OPENING })), path);
  try {
    if (fully || !COMPLETE_HEADERS.has(context.iformat?.name ?? ''))
      await check(context.findStreamInfoSync(null), path);
  } catch (error) {
    context.closeInputSync();
    throw error;
  }
  const packet = new Packet();
  packet.alloc();
  return { address, context, packet };
}

export function closeInput({ context, packet }: Input): void {
  packet.free();
  context.closeInputSync();
}

/** The first video stream that is not a cover. */
function pictureStream(path: string, { context }: Input): Of<'Stream'> {
  const { AVMEDIA_TYPE_VIDEO, AV_DISPOSITION_ATTACHED_PIC } = constants();
  const stream = context.streams.find(
    (one) => one.codecpar.codecType === AVMEDIA_TYPE_VIDEO && !one.hasDisposition(AV_DISPOSITION_ATTACHED_PIC),
  );
  if (stream === undefined) throw new UnreadableClip(`${path}: it has no video stream`);
  return stream;
}

/** Discards the packets of all other streams. */
export function select(input: Input, stream: number): Of<'Stream'> {
  const { AVDISCARD_ALL, AVDISCARD_DEFAULT } = constants();
  for (const one of input.context.streams) one.discard = one.index === stream ? AVDISCARD_DEFAULT : AVDISCARD_ALL;
  return input.context.streams[stream]!;
}

/** Reads the next packet of a stream; false at the end of the file. */
export function readPacket({ context, packet }: Input, stream: number): boolean {
  for (;;) {
    packet.unref();
    if (context.readFrameSync(packet) < 0) return false;
    if (packet.streamIndex === stream) return true;
  }
}

/** Ticks, or NaN for AV_NOPTS_VALUE. */
export const ticks = (value: bigint): number => (value === constants().AV_NOPTS_VALUE ? NaN : Number(value));

interface Fraction {
  num: number;
  den: number;
}

const ratio = ({ num, den }: Fraction): number => (den > 0 ? num / den : 0);

function matrixOf(stream: Of<'Stream'>): number[] | null {
  const data = stream.codecpar.getCodedSideData(constants().AV_PKT_DATA_DISPLAYMATRIX);
  return data === null ? null : Array.from({ length: 9 }, (_, i) => data.readInt32LE(i * 4));
}

const CUT = /partial file|ended prematurely|Invalid NAL unit size|missing picture in access unit|truncat/i;

/** The packets of an opened file, from its start. */
async function readPackets(input: Input, stream: number): Promise<Pick<Scan, 'timestamps' | 'flags' | 'cut'>> {
  const timestamps: number[] = [];
  const flags: number[] = [];
  while (readPacket(input, stream)) {
    timestamps.push(ticks(input.packet.pts));
    flags.push(input.packet.flags & 7); // AV_PKT_FLAG_KEY, _CORRUPT and _DISCARD: the bits of PACKET
  }
  const cut = CUT.test(await messages()) || flags.some((flag) => flag & constants().AV_PKT_FLAG_CORRUPT);
  return { timestamps: Float64Array.from(timestamps), flags: Uint8Array.from(flags), cut };
}

/** See `Decoder.scan`. */
export async function scan(file: VideoFile): Promise<Scan> {
  const input = await openInput(file, true);
  try {
    const stream = pictureStream(file.path, input);
    const { codecpar } = stream;
    const more = codecpar.toJSON() as { framerate: Fraction; fieldOrder: number };
    const tag = Object.entries(stream.metadata?.getAll() ?? {}).find(([name]) => name.toLowerCase() === 'rotate');
    select(input, stream.index);
    return {
      stream: stream.index,
      codec: lib().avGetCodecName(codecpar.codecId) ?? '',
      width: codecpar.width,
      height: codecpar.height,
      pixelAspect: ratio(stream.sampleAspectRatio) || ratio(codecpar.sampleAspectRatio),
      matrix: matrixOf(stream),
      rotateTag: tag?.[1] ?? null,
      rate: ratio(more.framerate) || ratio(stream.avgFrameRate) || ratio(stream.rFrameRate),
      timeBase: [stream.timeBase.num, stream.timeBase.den],
      headerFrames: Number(stream.nbFrames),
      // AVFieldOrder: 0 unknown, 1 progressive
      interlaced: more.fieldOrder > 1,
      ...(await readPackets(input, stream.index)),
    };
  } finally {
    closeInput(input);
  }
}
