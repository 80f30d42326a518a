import { existsSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import pc from 'picocolors';
import { byteCount } from '../../train/config/bytes';
import { readFrameList } from '../../data/lists/frame_list';
import type { Listing } from '../../data/lists/types';
import { describeListing, readListing } from '../../data/lists/listing';
import { prepare, prepareBeside, type Prepared } from '../../data/prepare/prepare';
import { isPrepared } from '../../data/shards';
import { amount, bytes } from '../../terminal/format';
import { Progress } from '../../terminal/progress';
import { expectSame } from '../../distributed/connect';
import { FILE_TIMEOUT, joinRanks, workersHere } from './join_ranks';
import { printable } from '../../terminal/text_width';

/** Arguments of `morphmlp prepare`. */
export interface PrepareArguments {
  separator: string;
  root?: string;
  template?: string;
  classesFile?: string;
  shortSide: number;
  crf: number;
  keyframes: number;
  quality: number;
  shardSize: string;
  workers?: number;
  seed: number;
}

function readList(list: string, { separator, root, template, classesFile }: PrepareArguments): Listing {
  if (existsSync(list) && isPrepared(list)) throw new Error(`${list}: is a folder of prepared clips already`);
  const places = { ...(root ? { root } : {}), ...(classesFile ? { classesFile } : {}) };
  if (template !== undefined) {
    if (!existsSync(list)) throw new Error(`${list}: no such file; expected a list of folder number-of-frames label`);
    return readFrameList(list, template, places);
  }
  return readListing(list, { ...places, separator, pictures: true });
}

/** Number of failures printed; the index has all. */
const SHOWN = 10;

function showFailed(folder: string, failed: Prepared['failed']): void {
  if (failed.length === 0) return;
  console.error(pc.yellow(`${amount(failed.length, 'file')} could not be read and left out:`));
  for (const { reason } of failed.slice(0, SHOWN)) console.error(`  ${printable(reason)}`);
  if (failed.length > SHOWN)
    console.error(`  … and ${failed.length - SHOWN} more in ${path.join(folder, 'index.jsonl')}`);
}

/** Signal that aborts at the first Ctrl-C. */
function interruption(): AbortSignal {
  const stop = new AbortController();
  const reason = 'stopped; the same command continues from here';
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
    process.once(name, () => {
      process.exitCode = 130;
      stop.abort(new Error(reason));
    });
  return stop.signal;
}

/** Runs `morphmlp prepare`. */
export async function prepareClips(list: string, folder: string, given: PrepareArguments): Promise<void> {
  const ranks = joinRanks({ timeout: FILE_TIMEOUT });
  const listing = ranks.agree(() => readList(list, given));
  expectSame(ranks, { list: listing.digest });
  const { shortSide, crf, keyframes, quality, seed } = given;
  const bar = new Progress({ label: 'preparing', total: listing.items.length });
  const options = {
    encoding: { shortSide, crf, keyframes, quality },
    shardSize: byteCount(given.shardSize),
    workers: workersHere(ranks, given.workers ?? os.availableParallelism()),
    seed,
    signal: interruption(),
    onFile: (done: number, failed: number) => bar.update(done, failed > 0 ? [`${failed} unreadable`] : []),
  };
  if (!ranks.isMain) return prepareBeside(listing, { ...options, sharing: ranks });
  const [first, ...remarks] = describeListing(listing);
  console.log(printable(first!));
  for (const remark of remarks) console.error(pc.yellow(`note: ${printable(remark)}`));
  const result = await prepare(listing, folder, { ...options, sharing: ranks }).finally(() => bar.finish());
  showFailed(folder, result.failed);
  const before = result.before > 0 ? `, ${result.before} of them by an earlier run` : '';
  const shards = amount(result.shards, 'shard');
  console.log(`${printable(folder)}: ${result.clips} clips in ${shards}, ${bytes(result.bytes)}${before}`);
}
