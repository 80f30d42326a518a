/**
 * A reader of the subset of zip that `torch.save` and common packers write: stored and deflated entries and folders, found through
 * the central directory, with zip64. Refuses ambiguous archives, which two readers could interpret differently, and zip bombs.
 */
import { crc32, inflateRawSync } from 'node:zlib';
import type { Source } from '../file';
import { FormatError } from './values';

/** An entry of `packed` bytes in the file and `size` uncompressed bytes. `limit` is the start of the next entry or the directory. */
interface Entry {
  name: string;
  method: number;
  size: number;
  packed: number;
  crc: number;
  header: number;
  limit: number;
}

const LOCAL_HEADER = 0x04034b50;
const DIRECTORY_ENTRY = 0x02014b50;
const END = 0x06054b50;
const END_64 = 0x06064b50;
const LOCATOR_64 = 0x07064b50;
const END_SIZE = 22;
const LONGEST_COMMENT = 0xffff;
const DIRECTORY_LIMIT = 64 << 20;
const ENCRYPTED = 1;
const STORED = 0;
const DEFLATED = 8;

/** Maximum total of uncompressed bytes: weights compress by little, a zip bomb a thousandfold. */
const unpackedLimit = (fileSize: number) => 100 * fileSize + (16 << 20);

/** Position of the central directory. */
interface Directory {
  at: number;
  size: number;
  count: number;
}

/** An open archive: names and sizes are validated, contents are read on demand. */
export class ZipArchive {
  private readonly entries = new Map<string, Entry>();
  private unpacked = 0;

  /** @throws FormatError if the archive is truncated, ambiguous or a zip bomb, or has a name that is not a plain path */
  constructor(private readonly source: Source) {
    const directory = findDirectory(source);
    const sorted = readDirectory(source, directory).sort((a, b) => a.header - b.header);
    sorted.forEach((entry, i) => {
      entry.limit = sorted[i + 1]?.header ?? directory.at;
      this.add(entry);
    });
  }

  private add(entry: Entry): void {
    if (this.entries.has(entry.name)) throw new FormatError(`duplicate zip entry ${entry.name}`);
    if (dataStart(entry, 0) + entry.packed > entry.limit)
      throw new FormatError(`the zip entry ${entry.name} of ${entry.packed} bytes overlaps what follows it`);
    this.unpacked += entry.size;
    if (this.unpacked > unpackedLimit(this.source.size))
      throw new FormatError(
        `the zip entry ${entry.name} is compressed (method ${entry.method}) and unpacks to ${entry.size} bytes: ` +
          `too many for a file of ${this.source.size}`,
      );
    this.entries.set(entry.name, entry);
  }

  /** Total of uncompressed bytes. */
  get size(): number {
    return this.unpacked;
  }

  get names(): string[] {
    return [...this.entries.keys()];
  }

  /** Uncompressed bytes of an entry, or undefined if there is no entry of this name. */
  sizeOf(name: string): number | undefined {
    return this.entries.get(name)?.size;
  }

  /** Fills `target`, which must have the entry's size. @throws FormatError if the checksum does not match */
  readInto(name: string, target: Uint8Array): void {
    const entry = this.entries.get(name);
    if (!entry) throw new FormatError(`has no zip entry ${name}`);
    const start = this.locate(entry);
    if (entry.method === STORED) this.source.read(target, start, `zip entry ${name}`);
    else target.set(inflated(entry, this.source.bytes(start, entry.packed, `zip entry ${name}`)));
    // PyTorch writes 0 if computing checksums is disabled.
    if (entry.crc !== 0 && crc32(target) !== entry.crc)
      throw new FormatError(`the zip entry ${name} is damaged: its checksum does not match`);
  }

  read(name: string): Buffer {
    const target = Buffer.alloc(this.sizeOf(name) ?? 0);
    this.readInto(name, target);
    return target;
  }

  /** Start of an entry's data, from its local header, which may have more extra fields than the directory's. */
  private locate(entry: Entry): number {
    const { name, method, packed, header, limit } = entry;
    const local = this.source.bytes(header, 30, `zip header of ${name}`);
    const nameLength = local.readUInt16LE(26);
    if (local.readUInt32LE(0) !== LOCAL_HEADER || local.readUInt16LE(8) !== method)
      throw new FormatError(`the zip entry ${name} has no valid header at byte ${header}`);
    if (this.source.bytes(header + 30, nameLength, `zip header of ${name}`).toString() !== name)
      throw new FormatError(`the zip entry ${name} has another name in its header at byte ${header}`);
    const start = dataStart(entry, local.readUInt16LE(28));
    if (start + packed <= limit) return start;
    throw new FormatError(`the zip entry ${name} of ${packed} bytes overlaps what follows it`);
  }
}

/** Inflates an entry to exactly the size in the directory; never more. */
function inflated({ name, size }: Entry, packed: Buffer): Buffer {
  try {
    const bytes = inflateRawSync(packed, { maxOutputLength: Math.max(size, 1) });
    if (bytes.length === size) return bytes;
    throw new Error(`it unpacks to ${bytes.length} bytes, expected ${size}`);
  } catch (error) {
    const problem = (error as Error).message;
    throw new FormatError(`the zip entry ${name} is compressed (method ${DEFLATED}) and damaged: ${problem}`, {
      cause: error,
    });
  }
}

function dataStart({ name, header }: Entry, extraLength: number): number {
  return header + 30 + Buffer.byteLength(name) + extraLength;
}

/** Reads a 64-bit integer, which must be below 2^53. */
function u64(bytes: Buffer, at: number): number {
  const n = bytes.readBigUInt64LE(at);
  if (n > BigInt(Number.MAX_SAFE_INTEGER)) throw new FormatError(`the zip directory holds the size ${n}`);
  return Number(n);
}

function findDirectory(source: Source): Directory {
  const length = Math.min(source.size, END_SIZE + LONGEST_COMMENT);
  const from = source.size - length;
  const tail = source.bytes(from, length, 'the end of the zip archive');
  for (let at = tail.length - END_SIZE; at >= 0; at--) {
    if (tail.readUInt32LE(at) === END && at + END_SIZE + tail.readUInt16LE(at + 20) === tail.length)
      return checkedDirectory(source, tail.subarray(at, at + END_SIZE), from + at);
  }
  throw new FormatError('the zip archive has no directory at its end: file truncated');
}

function checkedDirectory(source: Source, end: Buffer, endAt: number): Directory {
  const [disk, firstDisk] = [end.readUInt16LE(4), end.readUInt16LE(6)];
  if (disk !== 0 || firstDisk !== 0) throw new FormatError('the zip archive is one part of several');
  const extended = extendedEnd(source, endAt);
  const directory = extended?.directory ?? {
    count: end.readUInt16LE(10),
    size: end.readUInt32LE(12),
    at: end.readUInt32LE(16),
  };
  const expectedEnd = extended?.at ?? endAt;
  if (directory.at + directory.size !== expectedEnd)
    throw new FormatError(`the zip directory ends at byte ${directory.at + directory.size}, expected ${expectedEnd}`);
  if (directory.size > DIRECTORY_LIMIT)
    throw new FormatError(`a zip directory of ${directory.size} bytes, expected at most ${DIRECTORY_LIMIT}`);
  return directory;
}

/** Reads the zip64 end record, if its locator precedes the ordinary end record. */
function extendedEnd(source: Source, endAt: number): { directory: Directory; at: number } | undefined {
  if (endAt < 20) return undefined;
  const locator = source.bytes(endAt - 20, 20, 'the zip64 locator');
  if (locator.readUInt32LE(0) !== LOCATOR_64) return undefined;
  const at = u64(locator, 8);
  if (at + 56 > endAt - 20) throw new FormatError(`the zip64 end record at byte ${at} overlaps its locator`);
  const end = source.bytes(at, 56, 'the zip64 end record');
  if (end.readUInt32LE(0) !== END_64) throw new FormatError(`no zip64 end record at byte ${at}`);
  return { directory: { count: u64(end, 32), size: u64(end, 40), at: u64(end, 48) }, at };
}

function readDirectory(source: Source, { at, size, count }: Directory): Entry[] {
  const bytes = source.bytes(at, size, 'the zip directory');
  const entries: Entry[] = [];
  let next = 0;
  while (next < size) {
    if (size - next < 46 || bytes.readUInt32LE(next) !== DIRECTORY_ENTRY)
      throw new FormatError(`no valid zip directory entry at byte ${at + next}`);
    const length = 46 + [28, 30, 32].reduce((sum, field) => sum + bytes.readUInt16LE(next + field), 0);
    if (length > size - next) throw new FormatError(`the zip directory entry at byte ${at + next} is cut off`);
    entries.push(readEntry(bytes.subarray(next, next + length)));
    next += length;
  }
  if (entries.length !== count)
    throw new FormatError(`the zip directory has ${entries.length} entries, its end record says ${count}`);
  return entries;
}

function readEntry(record: Buffer): Entry {
  const nameEnd = 46 + record.readUInt16LE(28);
  const flags = record.readUInt16LE(8);
  const method = record.readUInt16LE(10);
  const isFolder = record[nameEnd - 1] === 0x2f && record.readUInt32LE(24) === 0;
  const name = plainPath(record.subarray(46, isFolder ? nameEnd - 1 : nameEnd)) + (isFolder ? '/' : '');
  if (flags & ENCRYPTED) throw new FormatError(`the zip entry ${name} is encrypted`);
  const extra = record.subarray(nameEnd, nameEnd + record.readUInt16LE(30));
  if (method !== STORED && method !== DEFLATED)
    throw new FormatError(`the zip entry ${name} is compressed (method ${method}), expected stored or deflated`);
  const [size, packed, header] = wideFields(
    name,
    extra,
    [24, 20, 42].map((field) => record.readUInt32LE(field)),
  ) as [number, number, number];
  if (method === STORED && size !== packed)
    throw new FormatError(`the zip entry ${name} has ${packed} stored bytes for ${size}`);
  return { name, method, size, packed, crc: record.readUInt32LE(16), header, limit: 0 };
}

/** Replaces sizes and offset with all bits set by their 64-bit values from extra field 1, in this order. */
function wideFields(name: string, extra: Buffer, fields: number[]): number[] {
  if (!fields.includes(0xffffffff)) return fields;
  const wide = extraField(extra, 1);
  let at = 0;
  return fields.map((value) => {
    if (value !== 0xffffffff) return value;
    if (wide === undefined || at + 8 > wide.length)
      throw new FormatError(`the zip entry ${name} lacks its 64-bit size`);
    at += 8;
    return u64(wide, at - 8);
  });
}

function extraField(extra: Buffer, id: number): Buffer | undefined {
  for (let at = 0; at + 4 <= extra.length;) {
    const length = extra.readUInt16LE(at + 2);
    if (extra.readUInt16LE(at) === id) return extra.subarray(at + 4, at + 4 + length);
    at += 4 + length;
  }
  return undefined;
}

/** Validates an entry name. Names are only keys, never paths on disk; an absolute or relative one indicates a crafted file. */
function plainPath(bytes: Buffer): string {
  const name = bytes.toString('utf8');
  const faithful = Buffer.from(name, 'utf8').equals(bytes);
  const plain = name.split('/').every((part) => part !== '' && part !== '.' && part !== '..');

  if (faithful && plain && !/[\\:\u0000-\u001f]/.test(name)) return name;
  throw new FormatError(`the zip entry name ${JSON.stringify(name.slice(0, 80))} is not a plain path`);
}
