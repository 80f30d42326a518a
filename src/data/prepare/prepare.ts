/** Prepares a list of videos, frame folders or pictures: everything is decoded once, encoded at one size and packed. */
import { closeSync, openSync, readFileSync, rmSync, writeSync } from 'node:fs';
import path from 'node:path';
import { makeFolder } from '../../formats/folder';
import { Philox } from '../../core/philox';
import type { LabelledFile, Listing } from '../lists/types';
import { isPacked, type ShardHeader } from '../shards';
import { sourceOf } from '../source';
import { inOrder, ownShare, UNSHARED, type Sharing } from '../sharing';
import { isUnreadable } from '../types';
import { pack, type Encoding, type Packed } from './pack';
import { ShardWriter } from './shard_writer';

export interface PrepareOptions {
  encoding: Encoding;
  /** Size of a full shard, in bytes. */
  shardSize: number;
  /** Files encoded at the same time. */
  workers: number;
  /** Seed of the order in which clips are written. */
  seed: number;
  signal?: AbortSignal;
  /** Processes that share out the files; default this one alone. The first writes; the others call `prepareBeside`. */
  sharing?: Sharing;
  /** Called after every file with the numbers of finished and of unreadable files. */
  onFile?: (done: number, failed: number) => void;
}

/** Result of `prepare`. */
export interface Prepared {
  clips: number;
  /** Clips prepared by an earlier run. */
  before: number;
  failed: { path: string; reason: string }[];
  bytes: number;
  shards: number;
}

function headerOf({ items, classNames, digest, missing, duplicates }: Listing, options: PrepareOptions): ShardHeader {
  const encoding = { ...options.encoding, seed: options.seed };
  const counts = { clips: items.length, missing, duplicates };
  return { format: 'morphmlp-shards', version: 1, ...counts, classes: classNames, list: digest, encoding };
}

/** Name of a clip: its path relative to the list. */
const nameOf = ({ source }: Listing, { path: file }: LabelledFile): string =>
  path.relative(path.dirname(path.resolve(source)), file);

type Outcome = { packed: Packed } | { failed: string };

async function attempt(item: LabelledFile, { encoding, signal }: PrepareOptions): Promise<Outcome> {
  try {
    return { packed: await pack(item.source ?? sourceOf(item.path), encoding, signal) };
  } catch (error) {
    if (isUnreadable(error)) return { failed: (error as Error).message };
    throw error;
  }
}

/** Yields results in the order of `items`, with up to `workers` in progress. */
async function* outcomes(
  items: readonly LabelledFile[],
  options: PrepareOptions,
): AsyncGenerator<[LabelledFile, Outcome]> {
  const ahead: Promise<Outcome>[] = [];
  const start = (item: LabelledFile): void => {
    const promise = attempt(item, options);
    promise.catch(() => undefined); // thrown when the result is taken
    ahead.push(promise);
  };
  items.slice(0, options.workers).forEach(start);
  try {
    for (const [i, item] of items.entries()) {
      const outcome = await ahead.shift()!;
      if (i + options.workers < items.length) start(items[i + options.workers]!);
      yield [item, outcome];
    }
  } finally {
    await Promise.allSettled(ahead);
  }
}

/** Clips that each worker of a process encodes before they are sent. */
const ROUND = 2;

/** Outcomes as a message: the length of a JSON text, the text, the clips. */
function messageOf(outcomes: readonly Outcome[]): Uint8Array {
  const facts = outcomes.map((one) =>
    'failed' in one ? one : { packed: { ...one.packed, bytes: one.packed.bytes.length } },
  );
  const text = Buffer.from(JSON.stringify(facts));
  const length = Buffer.alloc(4);
  length.writeUInt32LE(text.length);
  return Buffer.concat([length, text, ...outcomes.flatMap((one) => ('packed' in one ? [one.packed.bytes] : []))]);
}

type Facts = { failed: string } | { packed: Omit<Packed, 'bytes'> & { bytes: number } };

function outcomesOf(message: Uint8Array): Outcome[] {
  const buffer = Buffer.from(message.buffer, message.byteOffset, message.byteLength);
  let at = 4 + buffer.readUInt32LE(0);
  const facts = JSON.parse(buffer.toString('utf8', 4, at)) as Facts[];
  return facts.map((one) => {
    if ('failed' in one) return one;
    const bytes = buffer.subarray(at, (at += one.packed.bytes));
    return { packed: { ...one.packed, bytes } };
  });
}

/** As `outcomes`, of which each process computes a part. All processes yield all of them. */
async function* sharedOutcomes(
  items: readonly LabelledFile[],
  options: PrepareOptions,
): AsyncGenerator<[LabelledFile, Outcome]> {
  const { sharing = UNSHARED, workers, signal } = options;
  if (sharing.size === 1) return yield* outcomes(items, options);
  for (let from = 0, step = ROUND * workers * sharing.size; from < items.length; from += step) {
    const round = items.slice(from, from + step);
    const own: Outcome[] = [];
    if (signal?.aborted !== true)
      for await (const [, one] of outcomes(ownShare(round, sharing), options)) own.push(one);
    if (sharing.gatherJson(signal?.aborted === true).includes(true)) {
      signal?.throwIfAborted();
      throw new Error('a process was stopped; the same command continues from here');
    }
    const all = inOrder(sharing.gatherBytes(messageOf(own)).map(outcomesOf), round.length);
    for (const [i, item] of round.entries()) yield [item, all[i]!];
  }
}

/** The list in the order in which it is written. */
function writingOrder({ items }: Listing, seed: number): LabelledFile[] {
  return new Philox(seed).fork('prepare').shuffle([...items]);
}

async function write(writer: ShardWriter, listing: Listing, options: PrepareOptions): Promise<void> {
  options.sharing?.gatherJson(writer.entries.length);
  const order = writingOrder(listing, options.seed).slice(writer.entries.length);
  let failed = writer.entries.filter((entry) => !isPacked(entry)).length;
  options.onFile?.(writer.entries.length, failed);
  for await (const [item, outcome] of sharedOutcomes(order, options)) {
    options.signal?.throwIfAborted();
    const [name, label] = [nameOf(listing, item), item.label];
    if ('packed' in outcome) writer.add(name, label, outcome.packed);
    else writer.note({ path: name, label, failed: outcome.failed });
    options.onFile?.(writer.entries.length, (failed += 'failed' in outcome ? 1 : 0));
  }
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return pid !== process.pid;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

/** Locks the folder against a second run. Ignores the lock of a killed run. */
function lock(folder: string): () => void {
  const file = path.join(folder, '.lock');
  try {
    const fd = openSync(file, 'wx');
    writeSync(fd, String(process.pid));
    closeSync(fd);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    const pid = Number(readFileSync(file, 'utf8'));
    if (isRunning(pid)) throw new Error(`${folder}: process ${pid} is preparing clips there already`, { cause: error });
    rmSync(file, { force: true });
    return lock(folder);
  }
  return () => rmSync(file, { force: true });
}

function summary({ entries }: ShardWriter, before: number): Prepared {
  const packed = entries.filter(isPacked);
  const failed = entries.flatMap((entry) => (isPacked(entry) ? [] : [{ path: entry.path, reason: entry.failed }]));
  const bytes = packed.reduce((sum, { start, end }) => sum + end - start, 0);
  return { clips: packed.length, before, failed, bytes, shards: (packed.at(-1)?.shard ?? -1) + 1 };
}

/**
 * Prepares `listing` in `folder`. Continues an interrupted run of the same list and encoding;
 * files that cannot be decoded to their end are recorded in the index and skipped. Rejects with the signal's reason when
 * it aborts; the same call continues later.
 */
export async function prepare(listing: Listing, folder: string, options: PrepareOptions): Promise<Prepared> {
  makeFolder(folder);
  const unlock = lock(folder);
  try {
    const writer = new ShardWriter(folder, headerOf(listing, options), options.shardSize);
    const before = writer.entries.filter(isPacked).length;
    try {
      await write(writer, listing, options);
    } finally {
      writer.close();
    }
    return summary(writer, before);
  } finally {
    unlock();
  }
}

/** Takes part in a `prepare` that the first process writes. `options.sharing` is that of all. */
export async function prepareBeside(listing: Listing, options: PrepareOptions & { sharing: Sharing }): Promise<void> {
  const [written] = options.sharing.gatherJson(0);
  for await (const _ of sharedOutcomes(writingOrder(listing, options.seed).slice(written), options)) void _;
}
