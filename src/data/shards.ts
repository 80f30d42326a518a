/**
 * Prepared clips: a folder of large files (shards), concatenations of small videos or pictures, and an index
 * of them. `morphmlp prepare` writes it; the layout allows sequential reads.
 *
 * index.jsonl: a header line, then one line per clip in storage order.
 */
import { readWholeFile } from '../formats/file';
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import path from 'node:path';
import type { Philox } from '../core/philox';
import { expectClasses, placesAmong, type ClassOptions } from './lists/class_names';
import type { LabelledFile, Listing } from './lists/types';
import type { Source } from './source';
import type { VideoInfo } from './video/info';

/** First line of an index. */
export interface ShardHeader {
  format: 'morphmlp-shards';
  version: 1;
  /** Clips of the whole set, including unreadable ones. */
  clips: number;
  classes: string[];
  /** SHA-256 of the prepared list. */
  list: string;
  /** Numbers of missing files and of duplicate lines. */
  missing: string[];
  duplicates: number;
  /** Encoding of all files of the set. */
  encoding: Record<string, string | number>;
}

/** A clip in a shard. */
export interface PackedClip {
  path: string;
  label: number;
  kind: 'video' | 'image';
  shard: number;
  /** Its bytes `start` to `end` (exclusive). */
  start: number;
  end: number;
  /** CRC-32 of its bytes. */
  crc: number;
  info: VideoInfo;
}

/** An unreadable file, and the reason. */
export interface FailedClip {
  path: string;
  label: number;
  failed: string;
}

export type ShardEntry = PackedClip | FailedClip;

export interface ShardIndex {
  header: ShardHeader;
  entries: ShardEntry[];
  /** Bytes of the index up to its last complete line; a killed run may leave a partial line. */
  whole: number;
}

export const INDEX_FILE = 'index.jsonl';

/** Path of a shard. */
export const shardFile = (folder: string, shard: number): string =>
  path.join(folder, `shard-${String(shard).padStart(5, '0')}.bin`);

export const isPacked = (entry: ShardEntry): entry is PackedClip => 'shard' in entry;

/** Whether a folder holds prepared clips. */
export const isPrepared = (folder: string): boolean => existsSync(path.join(folder, INDEX_FILE));

function parseHeader(file: string, line: string | undefined): ShardHeader {
  const header = parseLine<Partial<ShardHeader>>(file, line ?? '', 1);
  if (header.format !== 'morphmlp-shards') throw new Error(`${file}:1: expected the index of prepared clips`);
  if (header.version !== 1) throw new Error(`${file}:1: version ${header.version} is not known; this program reads 1`);
  return header as ShardHeader;
}

function parseLine<T>(file: string, line: string, number: number): T {
  try {
    return JSON.parse(line) as T;
  } catch {
    throw new Error(`${file}:${number}: expected a line of JSON, got "${line.slice(0, 80)}"`);
  }
}

/** Reads the complete lines of an index. */
export function readIndex(folder: string): ShardIndex {
  const file = path.join(folder, INDEX_FILE);
  const text = readWholeFile(file).toString();
  const whole = text.lastIndexOf('\n') + 1;
  const [first, ...rest] = text.slice(0, whole).split('\n').slice(0, -1);
  const entries = rest.map((line, i) => parseLine<ShardEntry>(file, line, i + 2));
  return { header: parseHeader(file, first), entries, whole: Buffer.byteLength(text.slice(0, whole)) };
}

function itemOf(folder: string, clip: PackedClip, label: number): LabelledFile {
  const { path: name, kind, shard, start, end, info } = clip;
  const source: Source = { kind, path: shardFile(folder, shard), part: { start, end } };
  return { path: name, label, source, info };
}

/** Prepared clips as a listing. @throws if the preparation is incomplete, or the classes differ */
export function readShards(folder: string, options: ClassOptions = {}): Listing {
  const { header, entries } = readIndex(folder);
  if (entries.length < header.clips)
    throw new Error(
      `${folder}: only ${entries.length} of ${header.clips} clips are prepared; run the same morphmlp prepare again`,
    );
  const classNames = options.known ? [...options.known] : expectClasses(folder, header.classes, options);
  const places = placesAmong(header.classes, folder, options);
  const packed = entries.filter(isPacked);
  if (packed.length === 0) throw new Error(`${folder}: none of its ${entries.length} clips could be read`);
  const items = packed.map((clip) => itemOf(folder, clip, places[clip.label]!));
  const used = new Set(items.map(({ label }) => label));
  return {
    source: folder,
    items,
    classNames,
    missing: header.missing,
    duplicates: header.duplicates,
    notes: [],
    unreadable: entries.length - packed.length,
    emptyClasses: classNames.filter((_, label) => !used.has(label)),
    digest: createHash('sha256')
      .update(packed.map(({ path: name, label, crc }) => `${name}\t${label}\t${crc}\n`).join(''))
      .digest('hex'),
    blocks: blocksOf(packed.map(({ shard }) => shard)),
  };
}

/** Clips per block of neighbours on disk, and number of blocks open at the same time. */
const BLOCK = 32;
const OPEN_BLOCKS = 16;

/** Divides the clips of each shard into blocks: the start of each block in the list, and the end. */
function blocksOf(shards: readonly number[]): number[] {
  const starts: number[] = [];
  shards.forEach((shard, i) => {
    if (shard !== shards[i - 1] || i - starts.at(-1)! === BLOCK) starts.push(i);
  });
  return [...starts, shards.length];
}

/** The clips of block `b` in random order. */
const drawBlock = (blocks: readonly number[], b: number, random: Philox): number[] =>
  random.shuffle(Array.from({ length: blocks[b + 1]! - blocks[b]! }, (_, i) => blocks[b]! + i));

/**
 * Order of an epoch that reads few regions of the disk at a time: blocks are opened in random order, each in a random
 * order of its clips, and the next clip comes from a random open block. With up to 512 clips every order is possible; with
 * more, the clips of a batch are still nearly a random sample, because a set is written in random order.
 */
export function shardOrder(blocks: readonly number[], random: Philox): Int32Array {
  const order = new Int32Array(blocks.at(-1)!);
  const waiting = random.shuffle(Array.from({ length: blocks.length - 1 }, (_, b) => b));
  const take = (): number[][] => waiting.splice(0, 1).map((b) => drawBlock(blocks, b, random));
  const open = Array.from({ length: OPEN_BLOCKS }, take).flat();
  for (let i = 0; i < order.length; i++) {
    const drawn = random.int(open.length);
    order[i] = open[drawn]!.pop()!;
    if (open[drawn]!.length === 0) open.splice(drawn, 1, ...take());
  }
  return order;
}
