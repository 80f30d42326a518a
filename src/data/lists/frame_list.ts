/** Lists of folders of frames, as Something-Something's come: `folder number-of-frames label` a line. */
import path from 'node:path';
import { readLines } from './class_names';
import {
  chooseClasses,
  finish,
  labelReader,
  type Labelled,
  type Listing,
  type ListingOptions,
  type Row,
} from './listing';
import { frameName } from '../pictures/pictures';

interface FrameRow extends Row {
  count: number;
}

function parseLine(source: string, { text, number }: { text: string; number: number }): FrameRow {
  const [, file, count, label] = /^(.+?)\s+(\S+)\s+(\S+)$/.exec(text) ?? [];
  if (file !== undefined && label !== undefined && Number.isInteger(Number(count)) && Number(count) > 0)
    return { file, count: Number(count), label, line: number };
  throw new Error(`${source}:${number}: expected folder number-of-frames label, got "${text.slice(0, 80)}"`);
}

/** Reads a list of folders of frames whose names follow `template` (`{:05d}.jpg`, numbered from 1). */
export function readFrameList(source: string, template: string, options: ListingOptions = {}): Listing {
  frameName(template, 1); // a wrong template is told before any folder is looked for
  const rows = readLines(source).map((line) => parseLine(source, line));
  if (rows.length === 0)
    throw new Error(`${source}: the list is empty; expected lines of folder number-of-frames label`);
  const classNames = chooseClasses(source, rows, options);
  const toLabel = labelReader(source, rows, classNames);
  const root = options.root ?? path.dirname(source);
  const items = rows.map((row): Labelled => {
    const folder = path.resolve(root, row.file);
    const { count, line } = row;
    return { path: folder, label: toLabel(row), line, source: { kind: 'frames', path: folder, count, template } };
  });
  return finish(source, items, classNames, 0, options);
}
