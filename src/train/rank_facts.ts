/** What ranks tell each other at the end of an epoch. */
import { crc32 } from 'node:zlib';
import type { Skipped } from '../data/loader';
import { SharedError, type Ranks } from '../distributed/ranks';
import type { Backbone } from '../models/morphmlp';

/** Facts of a rank about an epoch. */
export interface RankFacts {
  skipped: Skipped[];
  damaged: Skipped[];
  /** Share of the epoch that the rank waited for others. */
  waited: number;
  checksum: number;
}

/** CRC-32 of a model's parameters and buffers. */
export function checksumOf(model: Backbone): number {
  return model.namedTensors().reduce((sum, [, t]) => {
    const { buffer, byteOffset, byteLength } = t.data();
    return crc32(new Uint8Array(buffer, byteOffset, byteLength), sum);
  }, 0);
}

/** The value that most ranks have; of several, that of the lowest rank. */
function mostCommon(values: readonly number[]): number {
  const count = (value: number): number => values.filter((other) => other === value).length;
  return values.reduce((best, value) => (count(value) > count(best) ? value : best));
}

/**
 * Gathers the facts of all ranks. @throws on all of them if the weights of one differ, which is a fault of its memory or processor:
 * every rank computes the same step
 */
export function shareFacts(facts: RankFacts, epoch: number, ranks: Ranks): RankFacts[] {
  const all = ranks.gatherJson(facts);
  const sums = all.map(({ checksum }) => checksum);
  const expected = mostCommon(sums);
  const drifted = sums.flatMap((sum, rank) => (sum === expected ? [] : [ranks.name(rank)]));
  if (drifted.length === 0) return all;
  throw new SharedError(
    `epoch ${epoch}: the weights of ${drifted.join(', ')} differ from those of the other ranks, which a sound machine cannot do: ` +
      'check its memory; the epoch is not saved, go on with --resume',
  );
}
