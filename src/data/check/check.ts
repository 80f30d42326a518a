/** Checks lists before a run: what is in them, what cannot be read, what is there twice, and what training and validation share. */
import type { LabelledFile, Listing } from '../lists/types';
import { imbalance } from '../lists/listing';
import { surveyFrames } from '../pictures/frame_folder';
import { inOrder, ownShare, UNSHARED, type Sharing } from '../sharing';
import { inspectFile, type FileFacts, type SeenViews } from './inspect';
import { sameContent } from './same_content';

/** Numbers of files by value, most frequent first. */
export type Counts = { value: string; files: number }[];

/** Minimum, median and maximum. */
export interface Range {
  least: number;
  median: number;
  most: number;
}

/** A listed file and its facts. */
export interface CheckedFile {
  path: string;
  class: string;
  facts: FileFacts;
}

/** Findings about one list. */
export interface ListCheck {
  source: string;
  files: CheckedFile[];
  classes: { name: string; files: number }[];
  missing: string[];
  /** Lines that repeat a file. */
  repeated: number;
  unreadable: string[];
  /** A warning for each truncated or damaged file that can be read in part. */
  cut: string[];
  /** Groups of files with the same content. */
  equal: string[][];
  sizes: Counts;
  rates: Counts;
  /** Duration in seconds, and frames per file. */
  durations: Range | null;
  frames: Range | null;
  bytes: number;
  /** Files with fewer frames than a clip spans. */
  short: number;
  /** Notes on how the list was read, files left out, and class balance. */
  notes: string[];
}

/** Findings about training and validation lists together. */
export interface DataCheck {
  lists: ListCheck[];
  /** Files of equal content in both lists: [training, validation]. */
  shared: [string, string][];
  /** Errors: the same content under two classes. */
  errors: string[];
}

export interface CheckOptions {
  /** Frames that a clip spans at the rate of the file: shorter files repeat their last frame. */
  span: (facts: { fps: number }) => number;
  workers: number;
  /** Test views for which the frames are listed. */
  see?: SeenViews;
  onFile?: (done: number, total: number) => void;
  signal?: AbortSignal;
  /** Processes that share out the files; default this one alone. All of them call `checkData` with the same lists. */
  sharing?: Sharing;
}

/** Files that a process inspects before it tells the others. */
const ROUND = 256;

/** Inspects all items, shared out among processes; every process gets all facts, in the order of items. */
async function inspectShared(
  items: readonly LabelledFile[],
  options: CheckOptions,
  onFiles: (files: number) => void,
): Promise<FileFacts[]> {
  const { sharing = UNSHARED } = options;
  if (sharing.size === 1) return inspectAll(items, options, () => onFiles(1));
  const facts: FileFacts[] = [];
  for (let from = 0; from < items.length; from += ROUND * sharing.size) {
    const round = items.slice(from, from + ROUND * sharing.size);
    const own = await inspectAll(ownShare(round, sharing), options, () => undefined);
    facts.push(...inOrder(sharing.gatherJson(own), round.length));
    onFiles(round.length);
  }
  return facts;
}

/** Inspects items, `workers` at a time; returns facts in their order. */
async function inspectAll(
  items: readonly LabelledFile[],
  options: CheckOptions,
  onFile: () => void,
): Promise<FileFacts[]> {
  const facts = new Array<FileFacts>(items.length);
  let next = 0;
  const worker = async (): Promise<void> => {
    for (let i = next++; i < items.length; i = next++) {
      facts[i] = await inspectFile(items[i]!, options.see, options.signal);
      onFile();
    }
  };
  await Promise.all(Array.from({ length: options.workers }, worker));
  return facts;
}

function countsOf(values: readonly string[]): Counts {
  const counts = new Map<string, number>();
  for (const value of values) counts.set(value, (counts.get(value) ?? 0) + 1);
  const all = [...counts].map(([value, files]) => ({ value, files }));
  return all.sort((a, b) => b.files - a.files || (a.value < b.value ? -1 : 1));
}

function rangeOf(values: readonly number[]): Range | null {
  if (values.length === 0) return null;
  const sorted = [...values].sort((a, b) => a - b);
  return { least: sorted[0]!, median: sorted[sorted.length >> 1]!, most: sorted.at(-1)! };
}

type Readable = Exclude<FileFacts, { unreadable: string }>;
const isReadable = (facts: FileFacts): facts is Readable => !('unreadable' in facts);

/** Findings about all folders of frames (a training run samples some). */
function frameNotes({ items }: Listing): string[] {
  const folders = items.flatMap(({ source }) => (source?.kind === 'frames' ? [source] : []));
  return folders.length === 0 ? [] : surveyFrames(folders, folders[0]!.template, Infinity);
}

function classCounts({ items, classNames }: Listing): { name: string; files: number }[] {
  const counts = new Int32Array(classNames.length);
  for (const { label } of items) counts[label]!++;
  return classNames.map((name, i) => ({ name, files: counts[i]! }));
}

function listCheck(listing: Listing, facts: readonly FileFacts[], { span }: CheckOptions): Omit<ListCheck, 'equal'> {
  const { source, items, classNames, missing, duplicates, notes } = listing;
  const readable = facts.filter(isReadable);
  return {
    source,
    files: items.map((item, i) => ({ path: item.path, class: classNames[item.label]!, facts: facts[i]! })),
    classes: classCounts(listing),
    ...{ missing, repeated: duplicates },
    cut: items.flatMap((item, i) => {
      const one = facts[i]!;
      return isReadable(one) && one.warning !== undefined ? [`${item.path}: ${one.warning}`] : [];
    }),
    unreadable: facts.flatMap((one) => ('unreadable' in one ? [one.unreadable] : [])),
    sizes: countsOf(readable.map(({ width, height }) => `${width}x${height}`)),
    rates: countsOf(readable.map(({ fps }) => String(Number(fps.toFixed(3))))),
    durations: rangeOf(readable.map(({ duration }) => duration)),
    frames: rangeOf(readable.map(({ frames }) => frames)),
    bytes: readable.reduce((sum, { bytes }) => sum + bytes, 0),
    short: readable.filter((one) => one.frames < span(one)).length,
    notes: [...new Set([...notes, ...frameNotes(listing), ...imbalance(listing)])],
  };
}

/** An item of one of the lists. */
interface Entry {
  item: LabelledFile;
  bytes: number;
  list: number;
  name: string;
}

/** Error if the items of a group have different classes, else null. */
function contradiction(group: readonly Entry[]): string | null {
  const [first] = group;
  const other = group.find(({ name }) => name !== first!.name);
  if (other === undefined) return null;
  return `${first!.item.path} and ${other.item.path} have the same content, and are of class ${first!.name} and ${other.name}`;
}

/**
 * Checks a training list and, optionally, a validation list with the same classes. Opens every file. Of several processes only the first
 * looks for equal content.
 */
export async function checkData(listings: readonly Listing[], options: CheckOptions): Promise<DataCheck> {
  const total = listings.reduce((sum, { items }) => sum + items.length, 0);
  let done = 0;
  const lists: Omit<ListCheck, 'equal'>[] = [];
  const entries: Entry[] = [];
  for (const [list, listing] of listings.entries()) {
    const facts = await inspectShared(listing.items, options, (files) => options.onFile?.((done += files), total));
    lists.push(listCheck(listing, facts, options));
    listing.items.forEach((item, i) => {
      const one = facts[i]!;
      if (isReadable(one)) entries.push({ item, bytes: one.bytes, list, name: listing.classNames[item.label]! });
    });
  }
  const { rank } = options.sharing ?? UNSHARED;
  const groups = rank === 0 ? await sameContent(entries) : [];
  const pathsIn = (group: readonly Entry[], list: number): string[] =>
    group.flatMap((entry) => (entry.list === list ? [entry.item.path] : []));
  return {
    lists: lists.map((one, list) => ({
      ...one,
      equal: groups.map((group) => pathsIn(group, list)).filter((paths) => paths.length > 1),
    })),
    shared: groups.flatMap((group) => {
      const [train] = pathsIn(group, 0);
      return train === undefined ? [] : pathsIn(group, 1).map((val): [string, string] => [train, val]);
    }),
    errors: groups.flatMap((group) => contradiction(group) ?? []),
  };
}
