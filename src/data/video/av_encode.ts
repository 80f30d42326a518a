/** Writes H.264 files with node-av. Runs only in the decoding process. */
import { check, closeInput, constants, lib, readPacket, select, type Of, openInput, type Input } from './av_input';
import { Converter, framesOf, openDecoder } from './av_frames';
import { MBTREE, type Coding, type RawFrames, type Recoding } from './decoder';
import { frameFilters } from './filters';
import { UnreadableClip } from '../types';
import path from 'node:path';

interface Rational {
  num: number;
  den: number;
}

/** An MP4 file of one H.264 stream. */
class Writer {
  private readonly muxer: Of<'FormatContext'>;
  private readonly encoder: Of<'CodecContext'>;
  private readonly stream: Of<'Stream'>;
  private readonly packet: Of<'Packet'>;

  private constructor(
    private readonly file: string,
    first: Of<'Frame'>,
    private readonly timeBase: Rational,
    rate: Rational,
    { crf, keyframes }: Coding,
  ) {
    const { Codec, CodecContext, FormatContext, Packet, Rational } = lib();
    const { AV_CODEC_FLAG_GLOBAL_HEADER, AV_PIX_FMT_YUV420P } = constants();
    const { AV_OPT_SEARCH_CHILDREN, AV_OPT_TYPE_FLOAT, AV_OPT_TYPE_INT, AV_OPT_TYPE_STRING } = constants();
    const codec = Codec.findEncoderByName('libx264' as Parameters<typeof Codec.findEncoderByName>[0]);
    if (codec === null) throw new Error(`${file}: this build of node-av has no libx264`);
    this.encoder = new CodecContext();
    this.encoder.allocContext3(codec);
    const { width, height } = first;
    Object.assign(this.encoder, { width, height, pixelFormat: AV_PIX_FMT_YUV420P, threadCount: 1 });
    this.encoder.timeBase = new Rational(timeBase.num, timeBase.den);
    this.encoder.framerate = new Rational(rate.num, rate.den);
    if (keyframes !== undefined) this.encoder.gopSize = keyframes;
    this.encoder.setFlags(AV_CODEC_FLAG_GLOBAL_HEADER);
    // Avoids open2Sync's dictionary, which node-av 6.1.1 frees twice.
    this.encoder.setOption('preset', 'veryfast', AV_OPT_TYPE_STRING, AV_OPT_SEARCH_CHILDREN);
    this.encoder.setOption('crf', crf, AV_OPT_TYPE_FLOAT, AV_OPT_SEARCH_CHILDREN);
    this.encoder.setOption('mbtree', MBTREE, AV_OPT_TYPE_INT, AV_OPT_SEARCH_CHILDREN);
    if (this.encoder.open2Sync(codec, null) < 0)
      throw new Error(`${file}: libx264 takes no frames of ${width}x${height}`);
    this.muxer = new FormatContext();
    this.muxer.allocOutputContext2(null, 'mp4', `file:${file}`);
    this.stream = this.muxer.newStream(null);
    this.stream.codecpar.fromContext(this.encoder);
    this.stream.timeBase = new Rational(timeBase.num, timeBase.den);
    this.stream.avgFrameRate = new Rational(rate.num, rate.den);
    this.packet = new Packet();
    this.packet.alloc();
  }

  static async open(
    file: string,
    first: Of<'Frame'>,
    timeBase: Rational,
    rate: Rational,
    coding: Coding,
  ): Promise<Writer> {
    const writer = new Writer(file, first, timeBase, rate, coding);
    await check(writer.muxer.openOutputSync(), file);
    await check(writer.muxer.writeHeaderSync(lib().Dictionary.fromObject({ movflags: '+faststart' })), file);
    return writer;
  }

  /** Encodes a frame in YUV 4:2:0; null ends the stream. */
  async write(frame: Of<'Frame'> | null): Promise<void> {
    await check(this.encoder.sendFrameSync(frame), this.file);
    while (this.encoder.receivePacketSync(this.packet) >= 0) {
      this.packet.streamIndex = this.stream.index;
      this.packet.rescaleTs(this.timeBase, this.stream.timeBase);
      await check(this.muxer.interleavedWriteFrameSync(this.packet), this.file);
    }
  }

  async end(): Promise<void> {
    await this.write(null);
    await check(this.muxer.writeTrailerSync(), this.file);
  }

  free(): void {
    this.muxer.closeOutputSync();
    this.muxer.freeContext();
    this.encoder.freeContext();
    this.packet.free();
  }
}

/** Rate as a fraction, to three decimals. */
const fraction = (fps: number): Rational => ({ num: Math.round(fps * 1000), den: 1000 });

/** See `Decoder.encode`. */
export async function encode({ pixels, width, height, fps }: RawFrames, file: string, coding: Coding): Promise<void> {
  const rate = fraction(fps);
  const timeBase = { num: rate.den, den: rate.num };
  const { Frame } = lib();
  const bytes = width * height * 3;
  const converter = new Converter('scale=flags=bicubic,format=yuv420p', timeBase);
  let writer: Writer | null = null;
  try {
    for (let i = 0; i * bytes < pixels.length; i++) {
      const raw = Buffer.from(pixels.buffer, pixels.byteOffset + i * bytes, bytes);
      const frame = Frame.fromVideoBuffer(raw, { width, height, format: constants().AV_PIX_FMT_RGB24 });
      frame.pts = BigInt(i);
      const out = converter.convert(frame);
      out.pts = BigInt(i);
      writer ??= await Writer.open(file, out, timeBase, rate, coding);
      await writer.write(out);
      frame.free();
    }
    await writer?.end();
  } finally {
    writer?.free();
    converter.free();
  }
}

async function openPictures(folder: string, pattern: string): Promise<Input> {
  const { Dictionary, FormatContext, InputFormat, Packet } = lib();
  const context = new FormatContext();
  const address = path.join(folder.replaceAll('%', '%%'), pattern);
  const options = Dictionary.fromObject({ framerate: '30', start_number: '1' });
  await check(context.openInputSync(address, InputFormat.findInputFormat('image2'), options), folder);
  await check(context.findStreamInfoSync(null), folder);
  const packet = new Packet();
  packet.alloc();
  return { address, context, packet };
}

/** See `Decoder.recode`. */
export async function recode(recoding: Recoding): Promise<void> {
  const { input: from, turn, size, file } = recoding;
  const isFolder = 'pattern' in from;
  const damaged = (): UnreadableClip => new UnreadableClip(`${from.path}: a part of it is damaged`);
  const input = isFolder ? await openPictures(from.path, from.pattern) : await openInput(from, true);
  const stream = select(input, isFolder ? 0 : recoding.stream);
  const decoder = openDecoder(from.path, stream);
  const converter = new Converter(`${frameFilters(turn, size)},setsar=1,format=yuv420p`, stream.timeBase);
  const frame = new (lib().Frame)();
  frame.alloc();
  const rate = stream.avgFrameRate.num > 0 ? stream.avgFrameRate : { num: 30, den: 1 };
  let writer: Writer | null = null;
  let count = 0;
  const pass = async (): Promise<void> => {
    for (const one of framesOf(decoder, frame)) {
      if (count === recoding.frames) return;
      if (one.decodeErrorFlags !== 0) throw damaged();
      const time = one.bestEffortTimestamp;
      const out = converter.convert(one);
      out.pts = time === constants().AV_NOPTS_VALUE ? BigInt(count) : time;
      out.pictType = constants().AV_PICTURE_TYPE_NONE;
      writer ??= await Writer.open(file, out, stream.timeBase, rate, recoding);
      await writer.write(out);
      count += 1;
    }
  };
  try {
    while (count < recoding.frames && readPacket(input, stream.index)) {
      if (decoder.sendPacketSync(input.packet) < 0) throw damaged();
      await pass();
    }
    if (decoder.sendPacketSync(null) < 0) throw damaged();
    await pass();
    if (writer === null) throw new UnreadableClip(`${from.path}: it has no frame that can be decoded`);
    await (writer as Writer).end();
  } finally {
    (writer as Writer | null)?.free();
    closeInput(input);
    converter.free();
    decoder.freeContext();
    frame.free();
  }
}
