/** Appends clips to shards, safely against kills: the index contains only complete clips. */
import { crc32 } from 'node:zlib';
import {
  closeSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readSync,
  statSync,
  truncateSync,
  writeSync,
} from 'node:fs';
import path from 'node:path';
import {
  INDEX_FILE,
  isPacked,
  isPrepared,
  readIndex,
  shardFile,
  type PackedClip,
  type ShardEntry,
  type ShardHeader,
} from '../shards';
import type { Packed } from './pack';

/** Error with a readable reason for a failed write. */
function explain(file: string, error: unknown): Error {
  const { code, message } = error as NodeJS.ErrnoException;
  const reason = code === 'ENOSPC' ? 'no space left on the disk' : message;
  return new Error(`${file}: not written: ${reason}; what was prepared so far is kept`, { cause: error });
}

function append(file: string, fd: number, bytes: Uint8Array): void {
  try {
    for (let done = 0; done < bytes.length;) done += writeSync(fd, bytes, done);
  } catch (error) {
    throw explain(file, error);
  }
}

/** Whether the bytes of a clip are intact on disk. */
function isIntact(folder: string, { shard, start, end, crc }: PackedClip): boolean {
  const file = shardFile(folder, shard);
  if (!existsSync(file) || statSync(file).size < end) return false;
  const fd = openSync(file, 'r');
  try {
    const bytes = new Uint8Array(end - start);
    readSync(fd, bytes, 0, bytes.length, start);
    return crc32(bytes) === crc;
  } finally {
    closeSync(fd);
  }
}

/** Entries before the first damaged one of the last shard: a power cut can lose the latest writes. */
function intactEntries(folder: string, entries: readonly ShardEntry[]): ShardEntry[] {
  const last = entries.findLast(isPacked)?.shard;
  const damaged = entries.findIndex((entry) => isPacked(entry) && entry.shard === last && !isIntact(folder, entry));
  return damaged < 0 ? [...entries] : entries.slice(0, damaged);
}

/** Settings in which an existing set differs from the requested one. */
function differences(before: ShardHeader, now: ShardHeader): string[] {
  const facts = ({ list, clips, encoding, classes }: ShardHeader) => ({
    list,
    clips,
    ...encoding,
    classes: classes.join(),
  });
  const [a, b] = [facts(before), facts(now)] as Record<string, unknown>[];
  return Object.keys(b!).filter((name) => a![name] !== b![name]);
}

/** Writes one set, from its start or continuing an earlier run. */
export class ShardWriter {
  /** Entries written so far, in order. */
  readonly entries: ShardEntry[] = [];
  private shard = 0;
  private size = 0;
  private readonly index: number;
  private readonly indexFile: string;
  private data: number;

  /** @param shardSize bytes at which a shard is full */
  constructor(
    readonly folder: string,
    header: ShardHeader,
    private readonly shardSize: number,
  ) {
    mkdirSync(folder, { recursive: true });
    this.indexFile = path.join(folder, INDEX_FILE);
    if (isPrepared(folder) && statSync(this.indexFile).size > 0) this.goOn(header);
    this.index = openSync(this.indexFile, 'a');
    if (statSync(this.indexFile).size === 0) append(this.indexFile, this.index, line(header));
    this.data = this.openShard();
  }

  /** Appends a clip: first its bytes, then the line that names them. */
  add(name: string, label: number, { bytes, kind, info }: Packed): void {
    if (this.size > 0 && this.size + bytes.length > this.shardSize) this.nextShard();
    append(shardFile(this.folder, this.shard), this.data, bytes);
    const [start, end] = [this.size, this.size + bytes.length];
    this.size = end;
    this.note({ path: name, label, kind, shard: this.shard, start, end, crc: crc32(bytes), info });
  }

  /** Records an unreadable file. */
  note(entry: ShardEntry): void {
    append(this.indexFile, this.index, line(entry));
    this.entries.push(entry);
  }

  /** Flushes everything to the disk. */
  close(): void {
    for (const fd of [this.data, this.index]) {
      fsyncSync(fd);
      closeSync(fd);
    }
  }

  /** Keeps complete entries of an earlier run and truncates the rest. */
  private goOn(header: ShardHeader): void {
    const { header: before, entries, whole } = readIndex(this.folder);
    const other = differences(before, header);
    if (other.length > 0)
      throw new Error(
        `${this.folder}: was started with another ${other.join(', ')}; repeat it, or choose another folder`,
      );
    truncateSync(this.indexFile, whole);
    const kept = intactEntries(this.folder, entries);
    if (kept.length < entries.length) truncateSync(this.indexFile, byteLength([before, ...kept]));
    this.entries.push(...kept);
    const last = kept.findLast(isPacked);
    [this.shard, this.size] = [last?.shard ?? 0, last?.end ?? 0];
  }

  /** Opens the current shard and truncates it after its last complete clip. */
  private openShard(): number {
    const file = shardFile(this.folder, this.shard);
    const fd = openSync(file, 'a');
    truncateSync(file, this.size);
    return fd;
  }

  private nextShard(): void {
    fsyncSync(this.data);
    closeSync(this.data);
    this.shard++;
    this.size = 0;
    this.data = this.openShard();
  }
}

const line = (value: object): Uint8Array => Buffer.from(`${JSON.stringify(value)}\n`);

const byteLength = (values: readonly object[]): number => values.reduce((sum, value) => sum + line(value).length, 0);
