/** Tables of `path,label`: detects separator and columns, parses quoted fields. Labels stay text; `class_names.ts` resolves them. */
import { existsSync } from 'node:fs';
import path from 'node:path';
import { TextFile } from './text_file';

/** A label as written in the list. */
export interface ListedLabel {
  text: string;
  /** Its first line, and the number of its lines. */
  line: number;
  count: number;
}

/** Rows of a list, stored by columns, so that a million rows are three arrays. */
export interface Table {
  source: string;
  /** Absolute paths. */
  files: string[];
  /** The path of the first row as written in the list. */
  firstFile: string;
  /** Index of each row's label in `labels`. */
  labelOf: Int32Array;
  labels: ListedLabel[];
  /** Line of each row, from 1. */
  lines: Int32Array;
  /** Notes for the user on how the list was read. */
  notes: string[];
  /** Columns of the first row. */
  columns: number;
}

const PATHS =
  /^(path|file|filename|filepath|(video|clip|image|img|relative|rel|full|abs)(path|file|name|filename|filepath)?)$/;
const LABELS =
  /^(labels?|class(es)?|target|category|action|activity|y|(label|class|category|target|action)(name|id|idx|index|label|class))$/;

/** Normalised name of a column: `Video_Path` and `video path` are equal. */
const bareName = (column: string): string => column.toLowerCase().replace(/[^a-z0-9]/g, '');

/** Parses the field at `at`: quoted (RFC 4180), or up to the next separator. */
function fieldAt(line: string, at: number, separator: string): { field: string; end: number } {
  const quoted = /^\s*"((?:[^"]|"")*)"\s*/.exec(line.slice(at));
  if (quoted) {
    const end = at + quoted[0].trimEnd().length;
    const rest = line.slice(end).trimStart();
    if (rest === '') return { field: quoted[1]!.replaceAll('""', '"'), end: line.length };
    const next = separator.trim() === '' ? end : line.length - rest.length;
    if (line.startsWith(separator, next)) return { field: quoted[1]!.replaceAll('""', '"'), end: next };
  }
  const next = line.indexOf(separator, at);
  const end = next < 0 ? line.length : next;
  return { field: line.slice(at, end).trim(), end };
}

/** The fields of a line. */
export function splitFields(line: string, separator: string): string[] {
  const fields: string[] = [];
  for (let at = 0; at <= line.length;) {
    const { field, end } = fieldAt(line, at, separator);
    fields.push(field);
    at = end + separator.length;
    while (separator === ' ' && line[at] === ' ') at++;
    if (end === line.length) break;
  }
  return fields;
}

/** Splits a line of a list without heading at its last separator, because paths may contain separators. */
function splitLast(line: string, separator: string): [path: string, label: string] {
  if (line.includes('"')) {
    const fields = splitFields(line, separator);
    return [fields.slice(0, -1).join(separator), fields.at(-1)!];
  }
  const at = line.lastIndexOf(separator);
  return at < 0 ? ['', line] : [line.slice(0, at).trim(), line.slice(at + separator.length).trim()];
}

const SEPARATORS = ['\t', ',', ';', ' '] as const;
const SAMPLE = 100;
const NAMES: Readonly<Record<string, string>> = { '\t': 'tabs', ',': 'commas', ';': 'semicolons', ' ': 'spaces' };
const nameOf = (separator: string): string => NAMES[separator] ?? `"${separator}"`;

/**
 * The separator of most of the first lines; among ties the one that yields existing paths, then the preferred one.
 */
function separatorOf(lines: readonly string[], preferred: string, exists: (file: string) => boolean): string {
  const candidates = [preferred, ...SEPARATORS.filter((one) => one !== preferred)];
  const scored = candidates.map((separator) => {
    const split = lines
      .map((line) => splitLast(line, separator))
      .filter(([file, label]) => file !== '' && label !== '');
    return { separator, fits: split.length, split };
  });
  const most = Math.max(...scored.map(({ fits }) => fits));
  const equal = scored.filter(({ fits }) => fits === most && most > 0);
  if (equal.length < 2) return equal[0]?.separator ?? preferred;
  const found = equal.map(({ split }) => split.slice(0, 10).filter(([file]) => exists(file)).length);
  return equal[found.indexOf(Math.max(...found))]!.separator;
}

/** Columns of path and label. */
interface Heading {
  columns: string[];
  path: number;
  label: number;
}

/** The column whose name matches `names`, or -1. @throws if several match */
function onlyColumn(source: string, columns: string[], names: RegExp): number {
  const found = columns.flatMap((column, i) => (names.test(bareName(column)) ? [i] : []));
  if (found.length < 2) return found[0] ?? -1;
  const [a, b] = found.map((i) => columns[i]);
  throw new Error(`${source}:1: columns ${a} and ${b} of the heading mean the same; keep one of them`);
}

/** The heading of a list; null if the first line is a row. @throws if a heading lacks a column */
function headingOf(source: string, line: string, separator: string, exists: (file: string) => boolean): Heading | null {
  const columns = splitFields(line, separator);
  const bare = columns.map(bareName);
  const known = [PATHS, LABELS].filter((names) => bare.some((name) => names.test(name)));
  if (known.length === 0 || exists(splitLast(line, separator)[0])) return null;
  let [path, label] = [onlyColumn(source, columns, PATHS), onlyColumn(source, columns, LABELS)];
  if (columns.length === 2 && path < 0) path = 1 - label;
  if (columns.length === 2 && label < 0) label = 1 - path;
  if (path >= 0 && label >= 0) return { columns, path, label };
  if (columns.length < 2) return null;
  const [lacks, like] = path < 0 ? ['paths', 'path, file, filename, video'] : ['labels', 'label, class, category'];
  throw new Error(
    `${source}:1: line 1 looks like a heading (${columns.join(', ')}) without a column of ${lacks} (known names: ${like})`,
  );
}

/** Format of the rows of a list. */
interface Layout {
  separator: string;
  heading: Heading | null;
  notes: string[];
  columns: number;
}

/** Detects the format from the first lines. */
function layoutOf(source: string, text: TextFile, preferred: string, exists: (file: string) => boolean): Layout {
  const sample: string[] = [];
  text.eachLine((line) => sample.push(line) < SAMPLE);
  if (sample.length === 0) throw new Error(`${source}: the list is empty; expected lines of path${preferred}label`);
  const separator = separatorOf(sample, preferred, exists);
  const heading = headingOf(source, sample[0]!, separator, exists);
  const columns = splitFields(sample[0]!, separator).length;
  const notes = separator === preferred ? [] : [`columns are separated by ${nameOf(separator)}`];
  const unused = heading?.columns.filter((_, i) => i !== heading.path && i !== heading.label) ?? [];
  if (unused.length > 0)
    notes.push(
      `${unused.length === 1 ? 'column' : 'columns'} not used: ${unused.map((name) => name || 'unnamed').join(', ')}`,
    );
  return { separator, heading, notes, columns };
}

/** Returns a parser of rows to path and label. */
function rowReader(source: string, { separator, heading }: Layout): (line: string, number: number) => [string, string] {
  const inOrder = heading === null || (heading.columns.length === 2 && heading.path === 0);
  if (inOrder) return (line) => splitLast(line, separator);
  const { columns, path, label } = heading;
  return (line, number) => {
    const fields = splitFields(line, separator);
    if (fields.length === columns.length) return [fields[path]!, fields[label]!];
    throw new Error(
      `${source}:${number}: expected ${columns.length} columns (${columns.join(', ')}), got ${fields.length}`,
    );
  };
}

/** Absolute path of a listed file. Skips the slow `path.resolve` for plain names below the root, the common case. */
function absolute(root: string, file: string): string {
  const plain = !file.startsWith('/') && !file.endsWith('/') && !file.includes('//') && !/(^|\/)\.\.?(\/|$)/.test(file);
  // Unlike a template, join copies: a long list keeps no parts of strings.
  return plain ? [root, file].join('/') : path.resolve(root, file);
}

/**
 * Reads a list of `path,label` with paths relative to `root` (absolute). Existing files distinguish a heading from a row and one
 * separator from another. @throws with file and line if a row lacks path or label
 */
export function readTable(source: string, root: string, preferred: string): Table {
  const text = new TextFile(source);
  const layout = layoutOf(source, text, preferred, (file) => existsSync(absolute(root, file)));
  const read = rowReader(source, layout);
  const files: string[] = [];
  const most = text.mostLines;
  const [labelOf, lines] = [new Int32Array(most), new Int32Array(most)];
  const [numbers, labels]: [Map<string, number>, ListedLabel[]] = [new Map(), []];
  let [heading, firstFile] = [layout.heading !== null, ''];
  text.eachLine((line, number) => {
    if (heading) {
      heading = false;
      return;
    }
    const [file, label] = read(line, number);
    if (file === '' || label === '')
      throw new Error(`${source}:${number}: expected path${layout.separator}label, got "${line.slice(0, 80)}"`);
    let id = numbers.get(label);
    if (id === undefined) {
      id = labels.push({ text: label, line: number, count: 0 }) - 1;
      numbers.set(label, id);
    }
    labels[id]!.count++;
    if (files.length === 0) firstFile = file;
    labelOf[files.length] = id;
    lines[files.length] = number;
    files.push(absolute(root, file));
  });
  if (files.length === 0)
    throw new Error(`${source}: the list is empty; expected lines of path${layout.separator}label below the heading`);
  const { notes, columns } = layout;
  return {
    source,
    files,
    firstFile,
    labelOf: labelOf.subarray(0, files.length),
    labels,
    lines: lines.subarray(0, files.length),
    notes,
    columns,
  };
}
