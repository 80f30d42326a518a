/** Decodes frames with node-av. Runs only in the decoding process. */
import { constants, closeInput, lib, openInput, readPacket, select, ticks, type Input, type Of } from './av_input';
import type { FrameRequest, Pixels, VideoFile } from './decoder';
import { frameFilters } from './filters';
import { UnreadableClip } from '../types';

/** A decoder of one stream, on one thread. */
export function openDecoder(path: string, stream: Of<'Stream'>): Of<'CodecContext'> {
  const { Codec, CodecContext } = lib();
  const codec = Codec.findDecoder(stream.codecpar.codecId);
  if (codec === null) throw new UnreadableClip(`${path}: its codec is not supported`);
  const context = new CodecContext();
  context.allocContext3(codec);
  context.parametersToContext(stream.codecpar);
  context.pktTimebase = stream.timeBase;
  context.threadCount = 1;
  if (context.open2Sync(codec, null) < 0) throw new UnreadableClip(`${path}: its codec is not supported`);
  return context;
}

/** Frames that a decoder has ready; each is valid until the next is taken. */
export function* framesOf(decoder: Of<'CodecContext'>, frame: Of<'Frame'>): Generator<Of<'Frame'>> {
  while (decoder.receiveFrameSync(frame) >= 0) {
    yield frame;
    frame.unref();
  }
}

/** Whether the decoder concealed errors in a frame. */
const isDamaged = (frame: Of<'Frame'>): boolean => frame.decodeErrorFlags !== 0;

/** Rotates, scales and converts frames to RGB by FFmpeg's filters. */
export class Converter {
  private graph: Of<'FilterGraph'> | null = null;
  private key = '';
  private source!: Of<'FilterContext'>;
  private sink!: Of<'FilterContext'>;
  private readonly out: Of<'Frame'>;

  constructor(
    private readonly filters: string,
    private readonly timeBase: { num: number; den: number },
  ) {
    this.out = new (lib().Frame)();
    this.out.alloc();
  }

  /** The converted frame, valid until the next call. */
  convert(frame: Of<'Frame'>): Of<'Frame'> {
    this.configure(frame);
    this.out.unref();
    if (this.source.buffersrcAddFrameSync(frame) < 0 || this.sink.buffersinkGetFrameSync(this.out) < 0)
      throw new Error(`a frame of ${frame.width}x${frame.height} cannot be converted`);
    return this.out;
  }

  free(): void {
    this.graph?.free();
    this.out.free();
  }

  private configure(frame: Of<'Frame'>): void {
    const { width, height, format, colorSpace, colorRange } = frame;
    const key = `video_size=${width}x${height}:pix_fmt=${format}:colorspace=${colorSpace}:range=${colorRange}`;
    if (key === this.key) return;
    this.graph?.free();
    const { FilterGraph } = lib();
    const graph = new FilterGraph();
    graph.alloc();
    graph.nbThreads = 1;
    const time = `time_base=${this.timeBase.num}/${this.timeBase.den}:pixel_aspect=1/1`;
    const code = graph.parse2(`buffer@in=${key}:${time},${this.filters},buffersink@out`);
    if (code < 0 || graph.configSync() < 0) throw new Error(`the filters ${this.filters} cannot be set up for ${key}`);
    [this.source, this.sink] = [graph.getFilter('buffer@in')!, graph.getFilter('buffersink@out')!];
    [this.graph, this.key] = [graph, key];
  }
}

/** Requested frames that are decoded from the same key frame. */
interface Stretch {
  /** Ticks of the key frame; NaN: the start of the file. */
  key: number;
  numbers: number[];
}

/** Largest gap between requested frames that is decoded rather than skipped by a seek. */
const WORTH_A_SEEK = 12;

/** Number of the last frame at or before `time`. */
function frameAt({ timestamps }: FrameRequest['index'], time: number): number {
  let [low, high] = [0, timestamps.length];
  while (low + 1 < high) {
    const middle = (low + high) >> 1;
    if (timestamps[middle]! <= time) low = middle;
    else high = middle;
  }
  return low;
}

/** Groups the requested frames by key frame. */
export function stretches({ index, numbers }: Pick<FrameRequest, 'index' | 'numbers'>): Stretch[] {
  const made: Stretch[] = [];
  for (const n of numbers) {
    const key = index.counted ? NaN : index.keys[n]!;
    const last = made.at(-1);
    const near =
      last !== undefined && (Number.isNaN(key) || frameAt(index, key) - last.numbers.at(-1)! <= WORTH_A_SEEK);
    if (near || (last !== undefined && last.key === key)) last.numbers.push(n);
    else made.push({ key, numbers: [n] });
  }
  return made;
}

/** Reads until the key frame at `key` is the current packet; false if the seek landed after it. */
function reach(input: Input, stream: number, key: number): boolean {
  const { AV_PKT_FLAG_KEY } = constants();
  while (readPacket(input, stream)) {
    const time = ticks(input.packet.pts);
    if (time === key && input.packet.flags & AV_PKT_FLAG_KEY) return true;
    if (time > key && input.packet.flags & AV_PKT_FLAG_KEY) return false;
  }
  return false;
}

/** Seconds before a key frame to which a second attempt seeks. */
const EARLIER = 3;

/** Makes the key frame at `key` the current packet (NaN: the file's first packet). Reopens the file if seeking fails. */
async function enter(request: FrameRequest, input: Input, key: number, fresh: boolean): Promise<[Input, boolean]> {
  const { index } = request;
  const { AVSEEK_FLAG_BACKWARD } = constants();
  const earlier = key - Math.ceil((EARLIER * index.timeBase[1]) / index.timeBase[0]);
  for (const target of Number.isNaN(key) ? [] : [key, earlier]) {
    const sought = input.context.seekFrameSync(index.stream, BigInt(target), AVSEEK_FLAG_BACKWARD);
    if (sought >= 0 && reach(input, index.stream, key)) return [input, true];
    fresh = false;
  }
  let current = input;
  if (!fresh) {
    closeInput(input);
    current = await openInput(request, false);
    select(current, index.stream);
  }
  const found = Number.isNaN(key) ? readPacket(current, index.stream) : reach(current, index.stream, key);
  return [current, found];
}

/** Decodes from the current packet until `take` is satisfied or the file ends. */
function decodeOn(
  decoder: Of<'CodecContext'>,
  frame: Of<'Frame'>,
  input: Input,
  stream: number,
  take: (frame: Of<'Frame'>) => boolean,
): void {
  do {
    decoder.sendPacketSync(input.packet);
    for (const one of framesOf(decoder, frame)) if (take(one)) return;
  } while (readPacket(input, stream));
  decoder.sendPacketSync(null);
  for (const one of framesOf(decoder, frame)) if (take(one)) return;
}

/** See `Decoder.decode`. */
export async function decode(request: FrameRequest): Promise<Pixels> {
  const { index, size, numbers } = request;
  const bytes = size[0] * size[1] * 3;
  const pixels = new Uint8Array(numbers.length * bytes);
  const place = new Map(numbers.map((n, i) => [index.counted ? n : index.timestamps[n]!, i]));
  let input = await openInput(request, false);
  const stream = select(input, index.stream);
  const decoder = openDecoder(request.path, stream);
  const converter = new Converter(`${frameFilters(index.turn, size)},format=rgb24`, stream.timeBase);
  const frame = new (lib().Frame)();
  frame.alloc();
  let found = 0;
  try {
    for (const [nth, { key, numbers: wanted }] of stretches(request).entries()) {
      let entered: boolean;
      [input, entered] = await enter(request, input, key, nth === 0);
      if (!entered) return null;
      decoder.flushBuffers();
      let [left, count] = [wanted.length, 0];
      const last = index.counted ? wanted.at(-1)! : index.timestamps[wanted.at(-1)!]!;
      decodeOn(decoder, frame, input, index.stream, (one) => {
        if (isDamaged(one)) return false;
        const at = index.counted ? count++ : ticks(one.bestEffortTimestamp);
        const to = place.get(at);
        if (to !== undefined) {
          place.delete(at);
          pixels.set(converter.convert(one).toBuffer(), to * bytes);
          found += 1;
          left -= 1;
        }
        return left === 0 || at > last;
      });
      frame.unref();
    }
    return found === numbers.length ? pixels : null;
  } finally {
    closeInput(input);
    frame.free();
    decoder.freeContext();
    converter.free();
  }
}

/** See `Decoder.frameTimes`. */
export async function frameTimes(file: VideoFile, stream: number): Promise<Float64Array> {
  const input = await openInput(file, true);
  const decoder = openDecoder(file.path, select(input, stream));
  const frame = new (lib().Frame)();
  frame.alloc();
  const times: number[] = [];
  try {
    if (readPacket(input, stream))
      decodeOn(decoder, frame, input, stream, (one) => {
        if (!isDamaged(one)) times.push(ticks(one.bestEffortTimestamp));
        return false;
      });
  } finally {
    closeInput(input);
    frame.free();
    decoder.freeContext();
  }
  return Float64Array.from(times);
}
