/**
 * Index masks as PNG files: grey or palette, whose samples are class numbers. The picture library turns a palette into colours and
 * scales grey of less than 8 bits, so masks are read and written here.
 */
import { crc32, deflateSync, inflateSync } from 'node:zlib';

/** Classes of the pixels of a picture, u8 [height, width]. */
export interface Mask {
  pixels: Uint8Array;
  height: number;
  width: number;
}

const SIGNATURE = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);

/** Largest side of a mask in pixels, that of pictures. */
const MOST_SIDE = 16_384;

const [GREY, PALETTE] = [0, 3];
const COLOURS: Readonly<Record<number, string>> = { 2: 'colours', 4: 'grey and alpha', 6: 'colours and alpha' };

interface Header {
  width: number;
  height: number;
  depth: number;
}

function readHeader(data: Buffer): Header {
  if (data.length !== 13) throw new Error('not a PNG file that can be read: its header is damaged');
  const [width, height, depth, colour] = [data.readUInt32BE(0), data.readUInt32BE(4), data[8]!, data[9]!];
  if (colour !== GREY && colour !== PALETTE)
    throw new Error(
      `expected a mask of class numbers, grey or with a palette, got ${COLOURS[colour] ?? 'another kind'}`,
    );
  if (depth > 8) throw new Error(`expected a mask of at most 8 bits a pixel, got ${depth}`);
  if (data[12] !== 0) throw new Error('an interlaced mask cannot be read: save it without interlacing');
  if (width < 1 || height < 1 || width > MOST_SIDE || height > MOST_SIDE)
    throw new Error(`expected a mask of 1 to ${MOST_SIDE} pixels a side, got ${width} x ${height}`);
  return { width, height, depth };
}

/** Header and joined data of a PNG file. */
function readChunks(file: Buffer): { header: Header; data: Buffer } {
  if (!file.subarray(0, 8).equals(SIGNATURE)) throw new Error('not a PNG file');
  let header: Header | null = null;
  const parts: Buffer[] = [];
  for (let at = 8; at + 12 <= file.length;) {
    const length = file.readUInt32BE(at);
    const name = file.toString('latin1', at + 4, at + 8);
    const data = file.subarray(at + 8, at + 8 + length);
    if (
      at + 12 + length > file.length ||
      crc32(file.subarray(at + 4, at + 8 + length)) !== file.readUInt32BE(at + 8 + length)
    )
      throw new Error('not a PNG file that can be read: it is damaged');
    if (name === 'IHDR') header = readHeader(data);
    if (name === 'IDAT') parts.push(data);
    if (name === 'IEND') break;
    at += 12 + length;
  }
  if (!header || parts.length === 0) throw new Error('not a PNG file that can be read: its data are missing');
  return { header, data: Buffer.concat(parts) };
}

function paeth(a: number, b: number, c: number): number {
  const p = a + b - c;
  const [da, db, dc] = [Math.abs(p - a), Math.abs(p - b), Math.abs(p - c)];
  if (da <= db && da <= dc) return a;
  return db <= dc ? b : c;
}

/** Undoes the filter of a row in place; samples of at most 8 bits are filtered by bytes. */
function unfilter(kind: number, row: Uint8Array, above: Uint8Array): void {
  if (kind > 4) throw new Error(`not a PNG file that can be read: unknown filter ${kind}`);
  for (let i = 0; i < row.length; i++) {
    const [a, b, c] = [i > 0 ? row[i - 1]! : 0, above[i]!, i > 0 ? above[i - 1]! : 0];
    const predicted = [0, a, b, (a + b) >> 1, kind === 4 ? paeth(a, b, c) : 0][kind]!;
    row[i] = row[i]! + predicted;
  }
}

/** Decodes a mask. @throws in a sentence without the file's name if it is not a grey or palette PNG */
export function decodeMask(file: Buffer): Mask {
  const { header, data } = readChunks(file);
  const { width, height, depth } = header;
  const stride = Math.ceil((width * depth) / 8);
  const size = height * (stride + 1);
  let rows: Buffer;
  try {
    rows = inflateSync(data, { maxOutputLength: size });
  } catch (error) {
    throw new Error(`not a PNG file that can be read: ${(error as Error).message}`, { cause: error });
  }
  if (rows.length !== size)
    throw new Error(`not a PNG file that can be read: it has ${rows.length} bytes, not ${size}`);
  const pixels = new Uint8Array(width * height);
  let above: Uint8Array = new Uint8Array(stride);
  for (let y = 0; y < height; y++) {
    const start = y * (stride + 1);
    const row = rows.subarray(start + 1, start + 1 + stride);
    if (rows[start] !== 0) unfilter(rows[start]!, row, above);
    unpack(row, depth, pixels.subarray(y * width, (y + 1) * width));
    above = row;
  }
  return { pixels, height, width };
}

function unpack(row: Uint8Array, depth: number, into: Uint8Array): void {
  if (depth === 8) return into.set(row);
  const most = (1 << depth) - 1;
  for (let x = 0; x < into.length; x++) {
    const bit = x * depth;
    into[x] = (row[bit >> 3]! >> (8 - depth - (bit & 7))) & most;
  }
}

function chunk(name: string, data: Uint8Array): Buffer {
  const body = Buffer.concat([Buffer.from(name, 'latin1'), data]);
  const [length, sum] = [Buffer.alloc(4), Buffer.alloc(4)];
  length.writeUInt32BE(data.length);
  sum.writeUInt32BE(crc32(body));
  return Buffer.concat([length, body, sum]);
}

/** Encodes a mask as a PNG with a palette. @param colours red, green, blue of each class */
export function encodeMask({ pixels, height, width }: Mask, colours: readonly (readonly number[])[]): Buffer {
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header.set([8, PALETTE], 8);
  const rows = Buffer.alloc(height * (width + 1));
  for (let y = 0; y < height; y++) rows.set(pixels.subarray(y * width, (y + 1) * width), y * (width + 1) + 1);
  const palette = Uint8Array.from({ length: 768 }, (_, i) => colours[Math.floor(i / 3)]?.[i % 3] ?? 0);
  return Buffer.concat([
    SIGNATURE,
    chunk('IHDR', header),
    chunk('PLTE', palette),
    chunk('IDAT', deflateSync(rows)),
    chunk('IEND', new Uint8Array(0)),
  ]);
}

/** Colours of the classes by number, those of Pascal VOC: far apart for near numbers, the first black. */
export function classColours(count: number): (readonly [number, number, number])[] {
  const bits = (value: number, of: number): number => {
    let channel = 0;
    for (let bit = 0; bit < 8; bit++) channel |= ((value >> (3 * bit + of)) & 1) << (7 - bit);
    return channel;
  };
  return Array.from({ length: count }, (_, i) => [bits(i, 0), bits(i, 1), bits(i, 2)] as const);
}
