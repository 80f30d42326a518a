/**
 * Lists of labelled files: a csv of `path,label`, or a folder with one folder of files per class. A wrong line is an
 * error that names file and line; what is merely absent from the disk is left out, counted and reported.
 */
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, statSync } from 'node:fs';
import path from 'node:path';
import { expectClasses, givenClasses, readLines, type ClassOptions } from './class_names';
import { isPrepared, readShards } from '../shards';
import type { Source } from '../source';
import type { VideoInfo } from '../video/info';

export interface ListingOptions extends ClassOptions {
  /** What stands between path and label. Default ','. */
  separator?: string;
  /** Folder that relative paths start from. Default: the folder of the csv. */
  root?: string;
  /** Whether a class without a file is an error. Default: yes, unless classes or their number were given. */
  allowEmptyClasses?: boolean;
  /** File name endings taken from class folders. Default: videos. */
  endings?: readonly string[];
}

/** A file and its class number. */
export interface LabelledFile {
  path: string;
  label: number;
  /** How to read it, where the file's name does not say. */
  source?: Source;
  /** Size, rate and length, where they are known. */
  info?: VideoInfo;
}

/** A list of files that exist, and what was found wrong with it. */
export interface Listing {
  /** The csv or the folder. */
  source: string;
  items: LabelledFile[];
  classNames: string[];
  /** Files that are listed and not there. */
  missing: string[];
  /** Lines that repeat a file with the same label; it is used once. */
  duplicates: number;
  /** Files that could not be read when the clips were prepared. */
  unreadable?: number;
  emptyClasses: string[];
  /** SHA-256 over the listed paths (as they were listed) and labels: tells whether two runs saw the same list. */
  digest: string;
  /** Of prepared clips: where each block of neighbours begins in `items`, and the end. */
  blocks?: number[];
}

export const VIDEO_ENDINGS = [
  '.mp4',
  '.webm',
  '.mkv',
  '.avi',
  '.mov',
  '.m4v',
  '.mpg',
  '.mpeg',
  '.flv',
  '.wmv',
  '.3gp',
  '.gif',
];

/** Reads a listing from a csv file, a folder of class folders or a folder of prepared clips, whichever `source` is. */
export function readListing(source: string, options: ListingOptions = {}): Listing {
  if (!existsSync(source))
    throw new Error(`${source}: no such file or folder; expected a csv of path,label or a folder of class folders`);
  if (!statSync(source).isDirectory()) return readCsv(source, options);
  return isPrepared(source) ? readShards(source, options) : readFolders(source, options);
}

/** Guards against a column of something else than labels. */
const MOST_CLASSES = 1_000_000;

export interface Row {
  file: string;
  label: string;
  line: number;
}

/** Splits a line at its last separator, so that a path may contain one; a path in double quotes loses them. */
function parseRow(source: string, line: { text: string; number: number }, separator: string): Row {
  const at = separator === ' ' ? line.text.search(/\s\S+$/) : line.text.lastIndexOf(separator);
  const file = at < 0 ? '' : line.text.slice(0, at).trim();
  const label = at < 0 ? '' : line.text.slice(at + separator.length).trim();
  if (file === '' || label === '') {
    throw new Error(`${source}:${line.number}: expected path${separator}label, got "${line.text.slice(0, 80)}"`);
  }
  const unquoted = (text: string): string => (/^".*"$/.test(text) ? text.slice(1, -1).replaceAll('""', '"') : text);
  return { file: unquoted(file), label: unquoted(label), line: line.number };
}

/** Rows of a csv; a first line that reads `path,label` is a heading. */
function readRows(source: string, separator: string): Row[] {
  const rows = readLines(source).map((line) => parseRow(source, line, separator));
  const heading =
    rows[0] !== undefined &&
    /^(path|file|filename|video)$/i.test(rows[0].file) &&
    /^(label|class)$/i.test(rows[0].label);
  if (heading) rows.shift();
  if (rows.length === 0) throw new Error(`${source}: the list is empty; expected lines of path${separator}label`);
  return rows;
}

const isNumber = (label: string): boolean => /^[+-]?\d+$/.test(label);

/** The classes of a csv: given, the sorted names found, or the numbers from 0 to the largest (or to the head's last). */
export function chooseClasses(source: string, rows: Row[], options: ListingOptions): string[] {
  const given = givenClasses(path.dirname(source), options);
  if (given !== undefined) return given;
  const labels = [...new Set(rows.map((row) => row.label))];
  if (!labels.every(isNumber)) return expectClasses(source, labels.sort(), options);
  const largest = labels.reduce((most, label) => Math.max(most, Number(label)), 0);
  const line = rows.find((row) => Number(row.label) > MOST_CLASSES)?.line;
  if (line !== undefined) throw new Error(`${source}:${line}: labels beyond ${MOST_CLASSES} are not supported`);
  return Array.from({ length: options.classes ?? largest + 1 }, (_, i) => String(i));
}

/** Turns the text of a label into a class number: a name, or a number where no class has that name. */
export function labelReader(source: string, rows: Row[], classNames: string[]): (row: Row) => number {
  const numbers = new Map(classNames.map((name, i) => [name, i]));
  const numeric = rows.every((row) => isNumber(row.label));
  return (row) => {
    const label = numeric ? Number(row.label) : numbers.get(row.label);
    if (label !== undefined && label >= 0 && label < classNames.length) return label;
    throw new Error(`${source}:${row.line}: ${unknownLabel(row.label, numeric, classNames)}`);
  };
}

function unknownLabel(label: string, numeric: boolean, classNames: string[]): string {
  if (numeric) return `label ${label} is outside 0..${classNames.length - 1}`;
  const shown = classNames.slice(0, 8).join(', ') + (classNames.length > 8 ? ', …' : '');
  return `label "${label}" is none of the ${classNames.length} classes (${shown})`;
}

export interface Labelled extends LabelledFile {
  line: number;
}

/** Drops repeated lines; the same file under two labels is an error. */
function dropDuplicates(source: string, items: Labelled[]): Labelled[] {
  const first = new Map<string, Labelled>();
  for (const item of items) {
    const before = first.get(item.path);
    if (before === undefined) first.set(item.path, item);
    else if (before.label !== item.label) {
      throw new Error(`${source}:${item.line}: ${item.path} has another label on line ${before.line}`);
    }
  }
  return [...first.values()];
}

/** Reads a csv of `path,label`. Labels are numbers from 0, or class names. */
export function readCsv(source: string, options: ListingOptions = {}): Listing {
  const rows = readRows(source, options.separator ?? ',');
  const classNames = chooseClasses(source, rows, options);
  const toLabel = labelReader(source, rows, classNames);
  const root = options.root ?? path.dirname(source);
  const items = rows.map((row) => ({ path: path.resolve(root, row.file), label: toLabel(row), line: row.line }));
  const unique = dropDuplicates(source, items);
  return finish(source, unique, classNames, items.length - unique.length, options);
}

/** Names in a folder that satisfy `keep`, sorted, hidden ones left out. */
function entries(folder: string, keep: (full: string) => boolean): string[] {
  const names = readdirSync(folder).filter((name) => !name.startsWith('.'));
  return names.filter((name) => keep(path.join(folder, name))).sort();
}

const isDirectory = (full: string): boolean => statSync(full, { throwIfNoEntry: false })?.isDirectory() === true;

/** Reads a folder with one folder per class; the classes are the folders' names, sorted, or those of classes.txt. */
export function readFolders(source: string, options: ListingOptions = {}): Listing {
  const folders = entries(source, isDirectory);
  if (folders.length === 0) throw new Error(`${source}: expected one folder per class, found no folder`);
  const classNames = givenClasses(source, options) ?? expectClasses(source, folders, options);
  const stranger = folders.find((name) => !classNames.includes(name));
  if (stranger !== undefined) {
    throw new Error(`${path.join(source, stranger)}: ${unknownLabel(stranger, false, classNames)}`);
  }
  const endings = options.endings ?? VIDEO_ENDINGS;
  const wanted = (name: string): boolean => endings.includes(path.extname(name).toLowerCase());
  const items = folders.flatMap((name) =>
    entries(path.join(source, name), wanted).map((file, i) => ({
      path: path.resolve(source, name, file),
      label: classNames.indexOf(name),
      line: i + 1,
    })),
  );
  if (items.length === 0)
    throw new Error(`${source}: the class folders hold no file that ends in ${endings.join(', ')}`);
  return finish(source, items, classNames, 0, options);
}

/** A listing of all that was read: takes out what is not on the disk and looks for classes that have nothing left. */
export function finish(
  source: string,
  all: Labelled[],
  classNames: string[],
  duplicates: number,
  options: ListingOptions,
): Listing {
  const missing = all.filter((item) => !existsSync(item.path)).map((item) => item.path);
  const gone = new Set(missing);
  const items = all.filter((item) => !gone.has(item.path)).map(({ line: _, ...item }) => item);
  if (items.length === 0)
    throw new Error(`${source}: none of the ${all.length} listed files exists, the first is ${all[0]!.path}`);
  const used = new Set(items.map((item) => item.label));
  const emptyClasses = classNames.filter((_, label) => !used.has(label));
  const allowed = options.allowEmptyClasses ?? (options.known !== undefined || options.classes !== undefined);
  if (emptyClasses.length > 0 && !allowed) throw new Error(`${source}: ${emptyMessage(emptyClasses)}`);
  return { source, items, classNames, missing, duplicates, emptyClasses, digest: digestOf(source, all) };
}

function digestOf(source: string, all: readonly Labelled[]): string {
  const root = path.resolve(source);
  const lines = all.map((item) => `${path.relative(root, item.path)}\t${item.label}\n`);
  return createHash('sha256').update(lines.join('')).digest('hex');
}

function emptyMessage(names: string[]): string {
  const shown = names.slice(0, 8).join(', ') + (names.length > 8 ? ', …' : '');
  return `${names.length === 1 ? 'class' : 'classes'} without a file: ${shown}`;
}

/** What a person should know of a listing, a line each; the first is always there. */
export function describeListing(listing: Listing): string[] {
  const { source, items, classNames, missing, duplicates, unreadable = 0, emptyClasses } = listing;
  const lines = [`${source}: ${items.length} files in ${classNames.length} classes`];
  if (missing.length > 0) lines.push(`${missing.length} listed files do not exist, the first is ${missing[0]}`);
  if (unreadable > 0) lines.push(`${unreadable} files could not be read when the clips were prepared`);
  if (duplicates > 0) lines.push(`${duplicates} repeated lines were left out`);
  if (emptyClasses.length > 0) lines.push(emptyMessage(emptyClasses));
  return lines;
}
