/** IDX files, the format of MNIST and Fashion-MNIST: one array of bytes after a header, plain or gzipped. */
import { open, readFile, stat } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import { gunzip, gunzipSync } from 'node:zlib';
import { readWholeFile } from '../../formats/file';
import { UnreadableClip } from '../types';

/** Names of the files of a set: `train-images-idx3-ubyte.gz`, `t10k-labels.idx1-ubyte`. */
const NAME = /^(.+)-(images|labels)([-.])idx([13])-ubyte(\.gz)?$/;

/** A file of an IDX set, by its name. */
export interface IdxName {
  /** `train`, `t10k`. */
  set: string;
  what: 'images' | 'labels';
}

/** The set and content of an IDX file by its name; null for other names. */
export function idxName(file: string): IdxName | null {
  const [, set, what] = NAME.exec(path.basename(file)) ?? [];
  return set === undefined ? null : { set, what: what as IdxName['what'] };
}

/** The names that the file of labels beside a file of pictures may have. */
export function labelNames(images: string): string[] {
  const [, set, , separator] = NAME.exec(path.basename(images))!;
  const name = path.join(path.dirname(images), `${set}-labels${separator}idx1-ubyte`);
  return [name, `${name}.gz`];
}

/** Content of an IDX file: bytes u8 [sizes[0], sizes[1], …]. */
export interface IdxArray {
  sizes: number[];
  bytes: Uint8Array;
}

const isGzip = (file: string): boolean => file.endsWith('.gz');

/** Bytes of the header of an array of `dimensions`. */
const headerLength = (dimensions: number): number => 4 + 4 * dimensions;

/** Element types by their code. */
const TYPES: Readonly<Record<number, string>> = { 9: 'i8', 11: 'i16', 12: 'i32', 13: 'f32', 14: 'f64' };

/** Why the first bytes of a file are not the header of an array u8 of `dimensions`; null if they are. */
function whyNoHeader(data: Buffer, dimensions: number): string | null {
  if (data.length < headerLength(dimensions)) return `its ${data.length} bytes end within the header`;
  const [zero, type, found] = [data.readUInt16BE(0), data[2]!, data[3]!];
  if (zero !== 0) return `it begins with ${data.subarray(0, 4).toString('hex')}, expected 000008${pad(dimensions)}`;
  if (type !== 8) return `its elements are ${TYPES[type] ?? `of type ${type}`}, expected u8`;
  return found === dimensions ? null : `it has ${found} dimensions, expected ${dimensions}`;
}

const pad = (n: number): string => n.toString(16).padStart(2, '0');

/** Sizes of an array from its header. @throws if it is no header, or the file is longer or shorter than it says */
function sizesOf(file: string, data: Buffer, dimensions: number, length: number): number[] {
  const why = whyNoHeader(data, dimensions);
  if (why !== null) throw new Error(`${file}: not an IDX file of ${dimensions === 3 ? 'pictures' : 'labels'}: ${why}`);
  const sizes = Array.from({ length: dimensions }, (_, i) => data.readUInt32BE(4 + 4 * i));
  const expected = headerLength(dimensions) + sizes.reduce((a, b) => a * b, 1);
  if (sizes.some((size) => size === 0)) throw new Error(`${file}: an empty array of ${sizes.join(' x ')}`);
  if (length < expected)
    throw new Error(`${file}: it is cut short: ${length} bytes, ${sizes.join(' x ')} need ${expected}`);
  if (length > expected)
    throw new Error(`${file}: ${length - expected} bytes follow the array of ${sizes.join(' x ')}`);
  return sizes;
}

function unpackError(file: string, error: unknown): Error {
  return new Error(`${file}: it cannot be unpacked: ${(error as Error).message}`, { cause: error });
}

/** Most bytes of an unpacked file: a few megabytes of gzip can hold more than a machine's memory. */
const MOST_BYTES = 2 ** 31 - 1;

/**
 * Reads a whole IDX file of bytes with `dimensions` dimensions.
 * @throws in one sentence if it is another file, or longer or shorter than its header says
 */
export function readIdx(file: string, dimensions: 1 | 3): IdxArray {
  let data = readWholeFile(file);
  if (isGzip(file)) {
    try {
      data = gunzipSync(data, { maxOutputLength: MOST_BYTES });
    } catch (error) {
      throw unpackError(file, error);
    }
  }
  const sizes = sizesOf(file, data, dimensions, data.length);
  return { sizes, bytes: data.subarray(headerLength(dimensions)) };
}

/** A picture in an IDX file. */
export interface IdxPicture {
  path: string;
  index: number;
  width: number;
  height: number;
}

/** Unpacked files of this thread by path, the latest last: gzip cannot be read from the middle. */
const unpacked = new Map<string, { stamp: string; bytes: Promise<Buffer> }>();

/** Files that a thread keeps unpacked: a training and a validation set. */
const KEPT = 2;

const unzip = promisify<Buffer, { maxOutputLength: number }, Buffer>(gunzip);

async function unpack(file: string): Promise<Buffer> {
  try {
    return await unzip(await readFile(file), { maxOutputLength: MOST_BYTES });
  } catch (error) {
    throw unpackError(file, error);
  }
}

async function unpackedFile(file: string): Promise<Buffer> {
  const { mtimeMs, size } = await stat(file);
  const stamp = `${mtimeMs} ${size}`;
  const known = unpacked.get(file);
  unpacked.delete(file);
  const entry = known?.stamp === stamp ? known : { stamp, bytes: unpack(file) };
  unpacked.set(file, entry);
  for (const old of [...unpacked.keys()].slice(0, -KEPT)) unpacked.delete(old);
  return entry.bytes;
}

async function bytesAt(file: string, start: number, length: number): Promise<Uint8Array> {
  if (isGzip(file)) return (await unpackedFile(file)).subarray(start, start + length);
  const handle = await open(file);
  try {
    const { bytesRead, buffer } = await handle.read(new Uint8Array(length), 0, length, start);
    return buffer.subarray(0, bytesRead);
  } finally {
    await handle.close();
  }
}

/**
 * Reads a picture as grey bytes u8 [height, width]. Of a gzipped file, each thread that reads pictures keeps it unpacked. Rejects
 * with `UnreadableClip`.
 */
export async function readIdxPicture({ path: file, index, width, height }: IdxPicture): Promise<Uint8Array> {
  const length = width * height;
  const bytes = await bytesAt(file, headerLength(3) + index * length, length).catch((error: unknown) => {
    throw new UnreadableClip(
      (error as Error).message.includes(file) ? (error as Error).message : `${file}: ${String(error)}`,
    );
  });
  if (bytes.length === length) return bytes;
  throw new UnreadableClip(`${file}: picture ${index} is beyond its end`);
}

/** Grey pixels u8 [n] as red, green, blue u8 [n, 3]. */
export function greyToRgb(grey: Uint8Array): Uint8Array {
  const pixels = new Uint8Array(grey.length * 3);
  for (let i = 0, to = 0; i < grey.length; i++) {
    const value = grey[i]!;
    pixels[to++] = value;
    pixels[to++] = value;
    pixels[to++] = value;
  }
  return pixels;
}
