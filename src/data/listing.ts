import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import path from 'node:path';

/** Labelled files. */
export interface Listing {
  source: string;
  classNames: string[];
  items: { path: string; label: number }[];
}

const VIDEO = /\.(mp4|m4v|mov|mkv|webm|avi|mpe?g|ts|flv|wmv|3gp|ogv)$/i;

const natural = new Intl.Collator('en', { numeric: true }).compare;

interface Line {
  number: number;
  path: string;
  label: string;
}

function parseLine(file: string, text: string, number: number, separator: string): Line {
  const at = text.lastIndexOf(separator);
  const [name, label] = [text.slice(0, at).trim(), text.slice(at + separator.length).trim()];
  if (at < 0 || !name || !label)
    throw new Error(`${file}:${number}: expected path${separator}label, got '${text.slice(0, 80)}'`);
  return { number, path: name, label };
}

function readLines(file: string, separator: string): Line[] {
  const lines = readFileSync(file, 'utf8')
    .replace(/^\uFEFF/, '')
    .split(/\r?\n/);
  return lines.flatMap((text, i) => (text.trim() === '' ? [] : [parseLine(file, text, i + 1, separator)]));
}

/** Labels that are all whole numbers are class indices; anything else are class names, sorted. */
function classesOf(lines: Line[], known: readonly string[] | undefined): string[] {
  if (known) return [...known];
  if (!lines.every((l) => /^\d+$/.test(l.label))) return [...new Set(lines.map((l) => l.label))].sort(natural);
  return Array.from({ length: Math.max(...lines.map((l) => Number(l.label))) + 1 }, (_, i) => String(i));
}

function labelOf(file: string, line: Line, classNames: string[]): number {
  const byName = classNames.indexOf(line.label);
  const label = byName >= 0 ? byName : /^\d+$/.test(line.label) ? Number(line.label) : -1;
  if (label >= 0 && label < classNames.length) return label;
  const range = `0 to ${classNames.length - 1}, or ${classNames.slice(0, 4).join(', ')}${classNames.length > 4 ? ', …' : ''}`;
  throw new Error(
    `${file}:${line.number}: label '${line.label}' is not one of the ${classNames.length} classes (${range})`,
  );
}

function readCsv(file: string, separator: string, known: readonly string[] | undefined): Listing {
  const lines = readLines(file, separator);
  if (lines.length === 0) throw new Error(`${file}: no lines of the form path${separator}label`);
  const classNames = classesOf(lines, known);
  const resolve = (name: string) => (path.isAbsolute(name) ? name : path.join(path.dirname(file), name));
  return {
    source: file,
    classNames,
    items: lines.map((l) => ({ path: resolve(l.path), label: labelOf(file, l, classNames) })),
  };
}

function readFolders(folder: string, known: readonly string[] | undefined): Listing {
  const names = readdirSync(folder, { withFileTypes: true })
    .filter((e) => e.isDirectory())
    .map((e) => e.name);
  const classNames = known ? [...known] : names.sort(natural);
  const unknown = names.filter((name) => !classNames.includes(name));
  if (unknown.length > 0)
    throw new Error(`${folder}: folder '${unknown[0]}' is not one of the classes ${classNames.join(', ')}`);
  const items = classNames.flatMap((name, label) => {
    const inside = path.join(folder, name);
    const files = existsSync(inside)
      ? readdirSync(inside)
          .filter((f) => VIDEO.test(f))
          .sort(natural)
      : [];
    if (files.length === 0 && !known) throw new Error(`${inside}: the class has no videos`);
    return files.map((f) => ({ path: path.join(inside, f), label }));
  });
  if (items.length === 0) throw new Error(`${folder}: expected a folder for each class with videos inside, found none`);
  return { source: folder, classNames, items };
}

/**
 * Reads a list of labelled videos: a csv of `path,label` (paths relative to the csv; labels are indices or names), or a folder
 * with one folder of videos for each class.
 * @param known the classes, where they are given (by the training set, or by a checkpoint); labels outside are an error
 */
export function readListing(
  source: string,
  { separator = ',', known }: { separator?: string; known?: readonly string[] } = {},
): Listing {
  if (!existsSync(source)) throw new Error(`${source}: no such file or folder`);
  return statSync(source).isDirectory() ? readFolders(source, known) : readCsv(source, separator, known);
}
