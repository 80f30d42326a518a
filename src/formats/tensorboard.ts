/**
 * Event files for TensorBoard: TFRecord framing (length, masked CRC of the length, data, masked CRC of the data) around
 * `Event` messages of tensorflow/core/util/event.proto and framework/summary.proto, encoded by hand.
 */
import { closeSync, fsyncSync, mkdirSync, openSync, readFileSync, writeSync } from 'node:fs';
import { hostname } from 'node:os';
import path from 'node:path';
import { maskedCrc32c } from './crc32c';
import {
  bytesField,
  doubleField,
  floatField,
  intField,
  packedDoubles,
  readFields,
  unpackDoubles,
  type Field,
} from './protobuf';

const EVENT = { wallTime: 1, step: 2, fileVersion: 3, summary: 5 } as const;
const VALUE = { tag: 1, simple: 2, image: 4, histogram: 5 } as const;
const IMAGE = { height: 1, width: 2, colorspace: 3, encoded: 4 } as const;
const HISTOGRAM = { min: 1, max: 2, num: 3, sum: 4, squares: 5, limits: 6, buckets: 7 } as const;
const RGB = 3;

function uint64(value: number): Buffer {
  const data = Buffer.alloc(8);
  data.writeBigUInt64LE(BigInt(value));
  return data;
}

function uint32(value: number): Buffer {
  const data = Buffer.alloc(4);
  data.writeUInt32LE(value);
  return data;
}

/** Frames data as a TFRecord. */
export function frame(data: Uint8Array): Buffer {
  const length = uint64(data.length);
  return Buffer.concat([length, uint32(maskedCrc32c(length)), data, uint32(maskedCrc32c(data))]);
}

/** A histogram: counts of the values at or below each limit and above the previous one. */
export interface Histogram {
  min: number;
  max: number;
  num: number;
  sum: number;
  sumOfSquares: number;
  limits: number[];
  counts: number[];
}

/** Counts finite values in `buckets` ranges of equal width between minimum and maximum. */
export function histogramOf(values: ArrayLike<number>, buckets = 64): Histogram {
  const finite = Array.prototype.filter.call(values, Number.isFinite) as number[];
  const [min, max] = finite.reduce(([lo, hi], v) => [Math.min(lo, v), Math.max(hi, v)], [Infinity, -Infinity]);
  if (finite.length === 0) return { min: 0, max: 0, num: 0, sum: 0, sumOfSquares: 0, limits: [0], counts: [0] };
  const used = min === max ? 1 : buckets;
  const limits = Array.from({ length: used }, (_, i) => (i === used - 1 ? max : min + ((max - min) * (i + 1)) / used));
  const counts = new Array<number>(used).fill(0);
  let [sum, sumOfSquares] = [0, 0];
  for (const v of finite) {
    const i = Math.min(used - 1, Math.max(0, Math.ceil(((v - min) / (max - min || 1)) * used) - 1));
    counts[i] = (counts[i] as number) + 1;
    sum += v;
    sumOfSquares += v * v;
  }
  return { min, max, num: finite.length, sum, sumOfSquares, limits, counts };
}

function encodeHistogram(h: Histogram): Buffer {
  return Buffer.concat([
    doubleField(HISTOGRAM.min, h.min),
    doubleField(HISTOGRAM.max, h.max),
    doubleField(HISTOGRAM.num, h.num),
    doubleField(HISTOGRAM.sum, h.sum),
    doubleField(HISTOGRAM.squares, h.sumOfSquares),
    packedDoubles(HISTOGRAM.limits, h.limits),
    packedDoubles(HISTOGRAM.buckets, h.counts),
  ]);
}

/** Width and height of a PNG, from its header. */
export function pngSize(png: Uint8Array): { width: number; height: number } {
  const data = Buffer.from(png.buffer, png.byteOffset, png.byteLength);
  const isPng = data.length >= 24 && data.readUInt32BE(0) === 0x89504e47 && data.toString('latin1', 12, 16) === 'IHDR';
  if (!isPng)
    throw new Error(`TensorBoard image: expected the bytes of a PNG, got ${data.length} bytes of something else`);
  return { width: data.readUInt32BE(16), height: data.readUInt32BE(20) };
}

/** Writes one event file into a folder, which is created if missing. */
export class TensorBoardWriter {
  readonly path: string;
  private fd: number | null;

  /** `now`: milliseconds since 1970, for tests. */
  constructor(
    folder: string,
    private readonly now: () => number = Date.now,
  ) {
    mkdirSync(folder, { recursive: true });
    const seconds = String(Math.floor(now() / 1000)).padStart(10, '0');
    const unique = `${process.pid}.${process.hrtime.bigint() % 1_000_000n}`;
    this.path = path.join(folder, `events.out.tfevents.${seconds}.${hostname()}.${unique}`);
    this.fd = openSync(this.path, 'ax');
    this.event(0, bytesField(EVENT.fileVersion, 'brain.Event:2'));
  }

  /** Writes a number under a tag such as `train/loss`; NaN and infinities are allowed. */
  scalar(tag: string, value: number, step: number): void {
    this.value(tag, step, floatField(VALUE.simple, value));
  }

  /** Writes an image, given as the bytes of a PNG. */
  image(tag: string, png: Uint8Array, step: number): void {
    const { width, height } = pngSize(png);
    const size = [intField(IMAGE.height, height), intField(IMAGE.width, width), intField(IMAGE.colorspace, RGB)];
    this.value(tag, step, bytesField(VALUE.image, Buffer.concat([...size, bytesField(IMAGE.encoded, png)])));
  }

  /** Writes a histogram, for example of a weight; NaN and infinities are ignored. */
  histogram(tag: string, values: ArrayLike<number>, step: number): void {
    this.value(tag, step, bytesField(VALUE.histogram, encodeHistogram(histogramOf(values))));
  }

  /** Flushes to the disk and closes; a second call does nothing. */
  close(): void {
    if (this.fd === null) return;
    fsyncSync(this.fd);
    closeSync(this.fd);
    this.fd = null;
  }

  private value(tag: string, step: number, content: Buffer): void {
    const value = Buffer.concat([bytesField(VALUE.tag, tag), content]);
    this.event(step, bytesField(EVENT.summary, bytesField(1, value)));
  }

  private event(step: number, content: Buffer): void {
    if (this.fd === null) throw new Error(`${this.path}: this event file is closed`);
    const head = [doubleField(EVENT.wallTime, this.now() / 1000), intField(EVENT.step, step)];
    writeSync(this.fd, frame(Buffer.concat([...head, content])));
  }
}

/** A decoded event. */
export interface TensorBoardEvent {
  wallTime: number;
  step: number;
  fileVersion?: string;
  tag?: string;
  scalar?: number;
  image?: { width: number; height: number; png: Buffer };
  histogram?: Histogram;
}

function* records(file: string, data: Buffer): Generator<Buffer> {
  for (let at = 0; at < data.length;) {
    if (at + 12 > data.length) throw new Error(`${file}: cut off in the header of the record at byte ${at}`);
    const length = Number(data.readBigUInt64LE(at));
    const wrong = (what: string) => new Error(`${file}: the checksum of the ${what} at byte ${at} is wrong`);
    if (data.readUInt32LE(at + 8) !== maskedCrc32c(data.subarray(at, at + 8))) throw wrong('length');
    const content = data.subarray(at + 12, at + 12 + length);
    if (at + 16 + length > data.length) throw new Error(`${file}: cut off in the record at byte ${at}`);
    if (data.readUInt32LE(at + 12 + length) !== maskedCrc32c(content)) throw wrong('record');
    yield content;
    at += 16 + length;
  }
}

const lookup = (fields: Field[]) => (field: number) => fields.find((f) => f.field === field)?.value;

function decodeHistogram(data: Buffer): Histogram {
  const get = lookup(readFields(data));
  const [min, max, num, sum, sumOfSquares] = [1, 2, 3, 4, 5].map((field) => Number(get(field) ?? 0)) as [
    number,
    number,
    number,
    number,
    number,
  ];
  const list = (field: number) => unpackDoubles(get(field) as Buffer);
  return { min, max, num, sum, sumOfSquares, limits: list(HISTOGRAM.limits), counts: list(HISTOGRAM.buckets) };
}

function decodeImage(data: Buffer): { width: number; height: number; png: Buffer } {
  const get = lookup(readFields(data));
  return { width: Number(get(IMAGE.width)), height: Number(get(IMAGE.height)), png: get(IMAGE.encoded) as Buffer };
}

function decodeValue(data: Buffer): Partial<TensorBoardEvent> {
  const get = lookup(readFields(data));
  const [simple, image, histogram] = [get(VALUE.simple), get(VALUE.image), get(VALUE.histogram)];
  return {
    tag: String(get(VALUE.tag)),
    ...(simple === undefined ? {} : { scalar: Number(simple) }),
    ...(image === undefined ? {} : { image: decodeImage(image as Buffer) }),
    ...(histogram === undefined ? {} : { histogram: decodeHistogram(histogram as Buffer) }),
  };
}

function decodeEvent(data: Buffer): TensorBoardEvent {
  const get = lookup(readFields(data));
  const [version, summary] = [get(EVENT.fileVersion), get(EVENT.summary)];
  const value = summary === undefined ? undefined : lookup(readFields(summary as Buffer))(1);
  return {
    wallTime: Number(get(EVENT.wallTime)),
    step: Number(get(EVENT.step) ?? 0),
    ...(version === undefined ? {} : { fileVersion: String(version) }),
    ...(value === undefined ? {} : decodeValue(value as Buffer)),
  };
}

/** Reads an event file with one value per event, as `TensorBoardWriter` writes it. @throws on a wrong checksum or truncation */
export function readEvents(file: string): TensorBoardEvent[] {
  return [...records(file, readFileSync(file))].map(decodeEvent);
}
