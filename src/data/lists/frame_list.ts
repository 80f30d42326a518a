/** Lists of folders of frames, as in Something-Something: lines of `folder number-of-frames label`. */
import path from 'node:path';
import { gapHint, resolveLabels } from './class_names';
import { surveyFrames } from '../pictures/frame_folder';
import type { Listing } from './types';
import { finish, type ListingOptions } from './listing';
import type { ListedLabel } from './table';
import { readLines } from './text_file';
import { frameName } from '../pictures/pictures';

interface FrameRow {
  file: string;
  count: number;
  label: string;
  line: number;
}

function parseLine(source: string, { text, number }: { text: string; number: number }): FrameRow {
  const [, file, count, label] = /^(.+?)[\s,;]+(\S+?)[\s,;]+([^\s,;]+)$/.exec(text) ?? [];
  if (file !== undefined && label !== undefined && Number.isInteger(Number(count)) && Number(count) > 0)
    return { file, count: Number(count), label, line: number };
  throw new Error(`${source}:${number}: expected folder number-of-frames label, got "${text.slice(0, 80)}"`);
}

/** Distinct labels, and the index of each row's label. */
function distinct(rows: readonly FrameRow[]): { labels: ListedLabel[]; labelOf: number[] } {
  const [labels, numbers]: [ListedLabel[], Map<string, number>] = [[], new Map()];
  const labelOf = rows.map(({ label, line }) => {
    if (!numbers.has(label)) numbers.set(label, labels.push({ text: label, line, count: 0 }) - 1);
    const id = numbers.get(label)!;
    labels[id]!.count++;
    return id;
  });
  return { labels, labelOf };
}

/** Reads a list of folders of frames with names like `template` (`{:05d}.jpg`), numbered from any start. */
export function readFrameList(source: string, template: string, options: ListingOptions = {}): Listing {
  frameName(template, 1); // throws for a bad template before any folder is opened
  const rows = readLines(source).map((line) => parseLine(source, line));
  if (rows.length === 0)
    throw new Error(`${source}: the list is empty; expected lines of folder number-of-frames label`);
  const { labels, labelOf } = distinct(rows);
  const { classNames, places, notes } = resolveLabels(source, labels, path.dirname(source), options);
  const root = options.root ?? path.dirname(source);
  const files = rows.map((row) => path.resolve(root, row.file));
  const listing = finish(
    {
      ...{ source, files, classNames, notes, hint: gapHint(labels, classNames) },
      labels: Int32Array.from(labelOf, (id) => places[id]!),
      lines: rows.map(({ line }) => line),
      sourceOf: (i) => ({ kind: 'frames', path: files[i]!, count: rows[i]!.count, template }),
    },
    options,
  );
  const folders = listing.items.flatMap(({ source: from }) => (from?.kind === 'frames' ? [from] : []));
  return { ...listing, notes: [...listing.notes, ...surveyFrames(folders, template)] };
}
