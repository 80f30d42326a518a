/** Splits a list into training and validation. */
import { createHash } from 'node:crypto';
import path from 'node:path';
import { Philox } from '../../core/philox';
import { amount } from '../../terminal/format';
import { firstCopies } from './copies';
import type { LabelledFile, Listing } from './types';

/** Which part of a split list to use. */
export interface Split {
  /** Share of each class that goes to validation, above 0 and below 1. */
  share: number;
  part: 'train' | 'val';
}

/** Items of validation: of each class `share` of its files, rounded, at least one and not all. Copies of a file go with it. */
function chosen(items: readonly LabelledFile[], classes: number, share: number, seed: number): Set<number> {
  const first = firstCopies(items);
  const groups: number[][] = Array.from({ length: classes }, () => []);
  items.forEach(({ label }, i) => first[i] === i && groups[label]!.push(i));
  const random = new Philox(seed).fork('split');
  const heads = new Set<number>();
  groups.forEach((own, label) => {
    const wanted = Math.min(own.length - 1, Math.max(1, Math.round(own.length * share)));
    random
      .fork(label)
      .shuffle(own)
      .slice(0, Math.max(0, wanted))
      .forEach((i) => heads.add(i));
  });
  return new Set(items.flatMap((_, i) => (heads.has(first[i]!) ? [i] : [])));
}

/**
 * One part of a list: the same files for the same list, share and seed, on any machine. Every class is in both parts in
 * proportion, and files with the same content are on one side.
 * @throws if the list is of prepared clips, which are read in blocks, or no class has two files
 */
export function splitListing(listing: Listing, { share, part }: Split, seed: number): Listing {
  const { source, items, classNames, blocks } = listing;
  if (!(share > 0 && share < 1))
    throw new Error(`${source}: expected a share for validation between 0 and 1, got ${share}`);
  if (blocks) throw new Error(`${source}: prepared clips cannot be split: prepare a training and a validation list`);
  const val = chosen(items, classNames.length, share, seed);
  if (val.size === 0) throw new Error(`${source}: no class has two different files, so none is left for validation`);
  const kept = items.filter((_, i) => val.has(i) === (part === 'val'));
  const used = new Set(kept.map(({ label }) => label));
  const digest = createHash('sha256').update(`${listing.digest} ${share} ${seed} ${part}`).digest('hex');
  const [missing, notes] = part === 'train' ? [listing.missing, listing.notes] : [[], []];
  const duplicates = part === 'train' ? listing.duplicates : 0;
  const emptyClasses = classNames.filter((_, label) => !used.has(label));
  return { ...listing, source: `${source} (${part})`, items: kept, missing, notes, duplicates, emptyClasses, digest };
}

/** The items of a list as a csv of absolute path and class name, which `evaluate` and others read. */
export function listingCsv({ items, classNames }: Listing): string {
  const quoted = (text: string): string => (/[",\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);
  const lines = items.map(({ path: file, label }) => `${quoted(path.resolve(file))},${quoted(classNames[label]!)}`);
  return `path,label\n${lines.join('\n')}\n`;
}

/** Says how a list was split. */
export const describeSplit = (train: Listing, val: Listing): string =>
  `${amount(val.items.length, 'file')} of ${train.items.length + val.items.length} for validation, in proportion of each class`;
