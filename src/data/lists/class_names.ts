/**
 * Classes of labels. The class list of a run determines their meaning, never the form of one list: a label is the class of that name; if
 * no class name is a number, a whole number is an index. Two class lists that name an index differently are an error.
 */
import { existsSync } from 'node:fs';
import path from 'node:path';
import type { ListedLabel } from './table';
import { readLines } from './text_file';

/** Classes known before a list is read. */
export interface ClassOptions {
  /** The classes in order, when they are known already (from the training list or a checkpoint). */
  known?: readonly string[];
  /** Source of `known`, for messages. */
  knownFrom?: string;
  /** File of class names, a line each, in place of classes.txt beside the list. */
  classesFile?: string;
  /** Number of classes of the head, where it is given: labels must be below it, and names as many. */
  classes?: number;
}

/** Class names and their source. */
interface ClassList {
  names: readonly string[];
  from: string;
}

/** Name of the optional file with one class name per line, in the folder of the csv or of the class folders. */
const CLASSES_FILE = 'classes.txt';

/** Limit that detects a column without labels. */
const MOST_CLASSES = 1_000_000;

/** The first few names, for messages. */
export function someNames(names: readonly string[], most = 8): string {
  return names.slice(0, most).join(', ') + (names.length > most ? ', …' : '');
}

/** Reads class names, one per line. @throws for duplicates, empty lines before the last, and files that are not lists of names */
export function readClassNames(file: string): string[] {
  const lines = readLines(file);
  if (lines.length === 0) throw new Error(`${file}: expected a class name a line, and the file is empty`);
  if (/^[[{]/.test(lines[0]!.text) && /[\]}]$/.test(lines.at(-1)!.text))
    throw new Error(`${file}: expected a class name a line, got JSON`);
  const seen = new Map<string, number>();
  for (const [i, { text, number }] of lines.entries()) {
    if (number !== i + 1) throw new Error(`${file}:${i + 1}: the line is empty, expected a class name`);
    const before = seen.get(text);
    if (before !== undefined) throw new Error(`${file}:${number}: class ${text} is on line ${before} already`);
    seen.set(text, number);
  }
  return lines.map(({ text }) => text);
}

/** Returns the names. @throws if their number differs from the classes of the head */
export function expectClasses(source: string, names: string[], { classes }: ClassOptions): string[] {
  if (classes === undefined || names.length === classes) return names;
  throw new Error(`${source}: ${names.length} classes, but the head is to have ${classes} (MODEL.NUM_CLASSES)`);
}

/** Class list of a list in `folder`: the given file, or classes.txt; undefined without either. */
export function ownClasses(folder: string, options: ClassOptions): ClassList | undefined {
  const beside = path.join(folder, CLASSES_FILE);
  const file = options.classesFile ?? (existsSync(beside) ? beside : undefined);
  if (file === undefined) return undefined;
  if (!existsSync(file)) throw new Error(`${file}: no such file of class names`);
  return { names: readClassNames(file), from: file };
}

const knownClasses = ({ known, knownFrom = '' }: ClassOptions): ClassList | undefined =>
  known && { names: known, from: knownFrom };

/** Parses a whole number: 3, 03 and 3.0 (as pandas writes a column with gaps) are equal; null for other text. */
function wholeNumber(text: string): number | null {
  return /^[+-]?\d{1,15}(\.0*)?$/.test(text) ? Number(text) : null;
}

const isNumber = (text: string): boolean =>
  wholeNumber(text) !== null || (text !== '' && Number.isFinite(Number(text)));

/** Whether names are only numbers: `0`, `1`, … of a csv of indices, `class 0`, … of foreign weights. */
const isUnnamed = (names: readonly string[]): boolean =>
  names.every((name, i) => name === String(i) || name === `class ${i}`);

/** A class, and whether the label is its name or its index. */
interface Found {
  index: number;
  byIndex: boolean;
}

/** Class of a label in a class list; null if unknown. */
function labelReader({ names }: ClassList): (label: string) => Found | null {
  const places = new Map(names.map((name, i) => [name, i]));
  const namedByNumbers = names.some((name) => wholeNumber(name) !== null);
  return (label) => {
    const number = wholeNumber(label);
    const named = places.get(label) ?? (number === null ? undefined : places.get(String(number)));
    if (named !== undefined) return { index: named, byIndex: false };
    if (namedByNumbers || number === null || number < 0 || number >= names.length) return null;
    return { index: number, byIndex: true };
  };
}

const ofWhom = (from: string): string => (from === '' ? '' : ` of ${from}`);

/** Error for a label without a class. */
function unknownLabel(label: string, { names, from }: ClassList): string {
  const numeric = wholeNumber(label) !== null;
  if (numeric && (isUnnamed(names) || !names.some(isNumber)))
    return `label ${label} is outside 0..${names.length - 1}${from === '' ? '' : `, the ${names.length} classes${ofWhom(from)}`}`;
  const hint = isUnnamed(names) && from !== '' ? '; it has no class names: put classes.txt beside the list' : '';
  return `unknown label "${label}": expected one of ${names.length} classes${ofWhom(from)} (${someNames(names)})${hint}`;
}

/** Error for a class `name` of one list that is unknown in another. */
function unknownClass(name: string, own: ClassList, known: ClassList): string {
  return `unknown class "${name}" of ${own.from}: expected one of ${known.names.length} classes${ofWhom(known.from)} (${someNames(known.names)})`;
}

/** Error for the first index that two class lists name differently; undefined if they agree. */
function disagreement(own: ClassList, known: ClassList): string | undefined {
  const i = own.names.findIndex((name, at) => name !== known.names[at]);
  if (i < 0) return undefined;
  const theirs = known.names[i];
  const other =
    theirs === undefined
      ? `${known.from || 'the run'} has ${known.names.length} classes`
      : `${known.from || 'the run'} ${theirs}`;
  return `${own.from} names ${own.names[i]} as class ${i}, ${other}`;
}

/** Index in `known` of class `index` of `own`: by name, or the same index if a list has no names; -1 if unknown. */
function translate(own: ClassList, index: number, known: ClassList): number {
  const place = known.names.indexOf(own.names[index]!);
  if (place >= 0) return place;
  return (isUnnamed(own.names) || isUnnamed(known.names)) && index < known.names.length ? index : -1;
}

/** Indices in the known classes of the classes of a prepared set or folder. @throws if one is unknown */
export function placesAmong(names: readonly string[], from: string, options: ClassOptions): number[] {
  const known = knownClasses(options);
  if (known === undefined) return names.map((_, i) => i);
  const own = { names, from };
  return names.map((name, i) => {
    const place = translate(own, i, known);
    if (place < 0) throw new Error(`${from}: ${unknownClass(name, own, known)}`);
    return place;
  });
}

/** Classes of a list, and the class index of each of its labels. */
export interface ResolvedLabels {
  classNames: string[];
  places: number[];
  notes: string[];
}

/** Resolves labels by the list's own class list, then maps them to the classes of the run. */
function throughOwn(source: string, labels: readonly ListedLabel[], own: ClassList, known: ClassList): number[] {
  const [read, readKnown] = [labelReader(own), labelReader(known)];
  const differ = isUnnamed(known.names) || isUnnamed(own.names) ? undefined : disagreement(own, known);
  return labels.map(({ text, line }) => {
    const found = read(text);
    if (found === null) {
      const named = readKnown(text);
      if (named === null || named.byIndex) throw new Error(`${source}:${line}: ${unknownLabel(text, known)}`);
      return named.index;
    }
    if (found.byIndex && differ !== undefined)
      throw new Error(
        `${source}:${line}: label ${text} is an index, and ${differ}; write names in the list, or correct ${own.from}`,
      );
    const place = translate(own, found.index, known);
    if (place < 0) throw new Error(`${source}:${line}: ${unknownClass(own.names[found.index]!, own, known)}`);
    return place;
  });
}

function through(source: string, labels: readonly ListedLabel[], list: ClassList): number[] {
  const read = labelReader(list);
  return labels.map(({ text, line }) => {
    const found = read(text);
    if (found === null) throw new Error(`${source}:${line}: ${unknownLabel(text, list)}`);
    return found.index;
  });
}

const MISSING_VALUE = /^(nan|na|n\/a|none|null|nil|\?|-|#n\/a)$/i;

/** Labels that are names: the sorted names are the classes. */
function namesFound(source: string, labels: readonly ListedLabel[], options: ClassOptions): ResolvedLabels {
  const sorted = [...labels].sort((a, b) => (a.text < b.text ? -1 : 1));
  const classNames = expectClasses(
    source,
    sorted.map(({ text }) => text),
    options,
  );
  const places = new Map(classNames.map((name, i) => [name, i]));
  const doubtful = labels.filter(({ text }) => MISSING_VALUE.test(text));
  const notes = doubtful.map(
    ({ text, line, count }) => `class "${text}" may be a missing value: ${count} lines, the first is ${line}`,
  );
  return { classNames, places: labels.map(({ text }) => places.get(text)!), notes: [...notes, ...twins(classNames)] };
}

/** Names that differ only in case or spaces. */
export function twins(names: readonly string[]): string[] {
  const seen = new Map<string, string>();
  return names.flatMap((name) => {
    const bare = name
      .normalize('NFKC')
      .toLowerCase()
      .replace(/[\s_-]+/g, '');
    const before = seen.get(bare);
    seen.set(bare, name);
    return before === undefined ? [] : [`classes "${before}" and "${name}" differ only in case, spaces or dashes`];
  });
}

/** Error for a list with both indices and names; shows a label of the rarer kind. */
function mixedLabels(source: string, labels: readonly ListedLabel[]): Error {
  const rows = (kind: readonly ListedLabel[]): number => kind.reduce((sum, { count }) => sum + count, 0);
  const [numbers, others] = [
    labels.filter(({ text }) => wholeNumber(text) !== null),
    labels.filter(({ text }) => wholeNumber(text) === null),
  ];
  const numbersAreRare = rows(numbers) < rows(others);
  const [odd, most] = numbersAreRare ? [numbers[0]!, rows(others)] : [others[0]!, rows(numbers)];
  const [is, are] = numbersAreRare ? ['a number', 'names'] : ['no whole number', 'indices'];
  const heading = odd.line === 1 ? ' (if line 1 is a heading, name its columns path and label)' : '';
  return new Error(
    `${source}:${odd.line}: label "${odd.text}" is ${is}, and ${most} other labels are ${are}; ` +
      `if all are names, list them in ${CLASSES_FILE}${heading}`,
  );
}

/** Labels that are indices: the classes are the numbers from 0 to the largest index, or to the head's last class. */
function indicesFound(source: string, labels: readonly ListedLabel[], { classes }: ClassOptions): ResolvedLabels {
  const places = labels.map(({ text }) => wholeNumber(text)!);
  const beyond = labels.find((_, i) => places[i]! > MOST_CLASSES);
  if (beyond) throw new Error(`${source}:${beyond.line}: labels beyond ${MOST_CLASSES} are not supported`);
  const [least, most] = [places.reduce((a, b) => Math.min(a, b)), places.reduce((a, b) => Math.max(a, b))];
  const length = classes ?? Math.max(most, 0) + 1;
  const wrong = labels.find((_, i) => places[i]! < 0 || places[i]! >= length);
  const fromOne = least > 0 ? `; ${fromLabel(least, most)}` : '';
  if (wrong) throw new Error(`${source}:${wrong.line}: label ${wrong.text} is outside 0..${length - 1}${fromOne}`);
  const notes = least > 0 && classes !== undefined ? [fromLabel(least, most)] : [];
  return { classNames: Array.from({ length }, (_, i) => String(i)), places, notes };
}

function fromLabel(least: number, most: number): string {
  return (
    `labels run from ${least} to ${most}, and indices count from 0: subtract ${least}, ` +
    `or, if the numbers are names, list them in ${CLASSES_FILE} (a line each)`
  );
}

/** Advice if index labels leave classes without files. */
export function gapHint(labels: readonly ListedLabel[], classNames: readonly string[]): string {
  if (!isUnnamed(classNames)) return '';
  const numbers = labels.map(({ text }) => wholeNumber(text) ?? 0);
  const [least, most] = [
    numbers.reduce((a, b) => Math.min(a, b), Infinity),
    numbers.reduce((a, b) => Math.max(a, b), 0),
  ];
  if (least > 0) return `; ${fromLabel(least, most)}`;
  const present = new Set(numbers).size;
  if (present > most) return '';
  return (
    `; ${present} of the labels 0..${most} are in the list: number them without gaps, list the names of all in ${CLASSES_FILE}, ` +
    'or give MODEL.NUM_CLASSES if the gaps are meant'
  );
}

/** Labels without any class list: all indices, or all names. */
function fromLabels(source: string, labels: readonly ListedLabel[], options: ClassOptions): ResolvedLabels {
  const whole = labels.filter(({ text }) => wholeNumber(text) !== null).length;
  if (whole === labels.length) return indicesFound(source, labels, options);
  const fraction = labels.find(({ text }) => wholeNumber(text) === null && isNumber(text));
  if (whole > 0) throw mixedLabels(source, labels);
  if (fraction)
    throw new Error(
      `${source}:${fraction.line}: label ${fraction.text} is a number, but no whole one; expected indices or names`,
    );
  return namesFound(source, labels, options);
}

/**
 * Classes of a list in `folder`, and the class of each of its labels.
 * @throws with file and line if a label has no class, or if two class lists name an index differently
 */
export function resolveLabels(
  source: string,
  labels: readonly ListedLabel[],
  folder: string,
  options: ClassOptions,
): ResolvedLabels {
  const [known, own] = [knownClasses(options), ownClasses(folder, options)];
  if (known) {
    const places = own ? throughOwn(source, labels, own, known) : through(source, labels, known);
    return { classNames: [...known.names], places, notes: [] };
  }
  if (!own) return fromLabels(source, labels, options);
  const classNames = expectClasses(own.from, [...own.names], options);
  return { classNames, places: through(source, labels, { ...own, from: '' }), notes: twins(classNames) };
}

/**
 * Classes of class folders, and the class index of each folder. Folder names are never indices.
 * @throws if a folder is not in the class list or the classes of the run
 */
export function resolveFolders(source: string, folders: string[], options: ClassOptions): ResolvedLabels {
  const [known, own] = [knownClasses(options), ownClasses(source, options)];
  const list = own ?? known ?? { names: expectClasses(source, folders, options), from: '' };
  if (own) expectClasses(own.from, [...own.names], options);
  const places = folders.map((name) => {
    const index = list.names.indexOf(name);
    if (index < 0) throw new Error(`${path.join(source, name)}: ${unknownLabel(name, list)}`);
    return index;
  });
  if (!own || !known) return { classNames: [...(known ?? list).names], places, notes: twins(list.names) };
  const among = places.map((index, i) => {
    const place = translate(own, index, known);
    if (place < 0) throw new Error(`${path.join(source, folders[i]!)}: ${unknownClass(folders[i]!, own, known)}`);
    return place;
  });
  return { classNames: [...known.names], places: among, notes: [] };
}
