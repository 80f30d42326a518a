/**
 * Lists of labelled files: a csv of `path,label`, or a folder with one folder of files per class. A wrong line is an
 * error that names file and line; what is merely absent from the disk is left out, counted and reported.
 */
import { createHash } from 'node:crypto';
import { existsSync, statSync } from 'node:fs';
import path from 'node:path';
import { amount } from '../../terminal/format';
import { gapHint, resolveFolders, resolveLabels, someNames, type ClassOptions } from './class_names';
import { readClassFolders } from './class_folders';
import { hasKnownEnding, kindOfFile, VIDEO_ENDINGS } from './file_kind';
import { isIdx, readIdxList } from './idx_list';
import { firstCopies } from './copies';
import { lookFor } from './presence';
import { readTable, splitFields, type Table } from './table';
import type { LabelledFile, Listing } from './types';
import type { Source } from '../source';
import { isPrepared, readShards } from '../shards';

export { VIDEO_ENDINGS };

export interface ListingOptions extends ClassOptions {
  /** Preferred separator between path and label if the list is ambiguous. Default ','. */
  separator?: string;
  /** Base folder of relative paths. Default: the folder of the csv. */
  root?: string;
  /** Whether a class without files is an error. Default: yes, unless classes or their number are given. */
  allowEmptyClasses?: boolean;
  /** The part of a folder of IDX files. Default train. */
  split?: 'train' | 'test';
  /** Whether class folders contribute pictures too. Default false. */
  pictures?: boolean;
}

/** Reads a listing from a csv file, a folder of class folders, of prepared clips or of IDX files, whichever `source` is. */
export function readListing(source: string, options: ListingOptions = {}): Listing {
  if (!existsSync(source))
    throw new Error(`${source}: no such file or folder; expected a csv of path,label or a folder of class folders`);
  if (isIdx(source)) return readIdxList(source, options);
  if (!statSync(source).isDirectory()) return readCsv(source, options);
  return isPrepared(source) ? readShards(source, options) : readFolders(source, options);
}

/** Contents of a list, before files are looked up. */
export interface Listed {
  source: string;
  /** Absolute paths. */
  files: string[];
  /** Class index of each file. */
  labels: Int32Array;
  /** Line of each file, from 1. */
  lines: ArrayLike<number>;
  classNames: string[];
  notes: string[];
  /** Advice on classes without files, if labels are indices. */
  hint?: string;
  /** Source of file i, if its name does not determine it. */
  sourceOf?: (i: number) => Source | undefined;
}

/** Reads a csv of `path,label`. Labels are class names, or numbers from 0. */
export function readCsv(source: string, options: ListingOptions = {}): Listing {
  const root = path.resolve(options.root ?? path.dirname(source));
  const table = readTable(source, root, options.separator ?? ',');
  const { classNames, places, notes } = resolveLabels(source, table.labels, path.dirname(source), options);
  const listed: Listed = {
    ...{ source, classNames, notes: [...table.notes, ...notes], hint: gapHint(table.labels, classNames) },
    files: table.files,
    labels: table.labelOf.map((id) => places[id]!),
    lines: table.lines,
  };
  let ending = '\0'; // extension of the preceding file: most lists have only one
  listed.sourceOf = (i) => {
    const file = listed.files[i]!;
    if (file.endsWith(ending)) return undefined;
    if (!hasKnownEnding(file)) return sourceByContent(file);
    ending = path.extname(file);
    return undefined;
  };
  return finish(listed, options, () => columnsHint(table, root));
}

/** Source of a file with an unknown extension, by its first bytes. */
function sourceByContent(file: string): Source | undefined {
  return kindOfFile(file).kind === 'picture' ? { kind: 'image', path: file } : undefined;
}

/** Likely cause if no file of a list exists. */
function columnsHint({ labels, labelOf, firstFile, columns }: Table, root: string): string {
  if (existsSync(path.resolve(root, labels[labelOf[0]!]!.text)))
    return `; the second column holds paths: put paths first, or write a heading (label,path) over the columns`;
  const before = splitFields(firstFile, ',');
  if (columns > 2 || before.length > 1)
    return `; line 1 has ${Math.max(columns, before.length + 1)} columns: write a heading (such as path,label) over them`;
  return path.isAbsolute(firstFile) ? '' : `; paths start from ${root}`;
}

/** Reads a folder with one folder per class; the classes are the sorted folder names, or those of classes.txt. */
export function readFolders(source: string, options: ListingOptions = {}): Listing {
  const found = readClassFolders(source, options.pictures ?? false);
  const folders = [...found.classes.keys()];
  const { classNames, places, notes } = resolveFolders(source, folders, options);
  const files = folders.flatMap((name, i) => found.classes.get(name)!.map((file) => ({ ...file, label: places[i]! })));
  if (files.length === 0) {
    const kinds = options.pictures ? 'picture or video' : 'video';
    const why = found.notes.map((note) => `; ${note}`).join('');
    throw new Error(
      `${source}: the class folders hold no file that ends in ${VIDEO_ENDINGS[0]} or is another ${kinds}${why}`,
    );
  }
  const root = path.resolve(source);
  const read = { video: 'video', picture: 'image' } as const;
  return finish(
    {
      ...{ source, classNames, notes: [...found.notes, ...notes] },
      files: files.map((file) => path.join(root, file.path)),
      labels: Int32Array.from(files, ({ label }) => label),
      lines: new Int32Array(files.length),
      sourceOf(i) {
        const { kind, path: name } = files[i]!;
        return kind && { kind: read[kind], path: path.join(root, name) };
      },
    },
    options,
  );
}

/** Existing items without duplicates. @throws if a file has two labels */
function present({
  source,
  files,
  labels,
  lines,
  sourceOf,
}: Listed): Pick<Listing, 'items' | 'missing' | 'duplicates'> & { gone: number[] } {
  const { missing, first } = lookFor(files);
  const [items, gone]: [LabelledFile[], number[]] = [[], []];
  let duplicates = 0;
  for (let i = 0; i < files.length; i++) {
    const before = first[i]!;
    if (before !== i) {
      if (labels[before] !== labels[i])
        throw new Error(`${source}:${lines[i]}: ${files[i]} has another label on line ${lines[before]}`);
      duplicates++;
    } else if (missing[i]) gone.push(i);
    else {
      const read = sourceOf?.(i);
      items.push(read ? { path: files[i]!, label: labels[i]!, source: read } : { path: files[i]!, label: labels[i]! });
    }
  }
  return { items, gone, duplicates, missing: gone.map((i) => files[i]!) };
}

/** Builds the listing: removes missing files and finds classes without files. */
export function finish(listed: Listed, options: ListingOptions, whyNone: () => string = () => ''): Listing {
  const { source, files, labels, lines, classNames, notes } = listed;
  const { items, gone, missing, duplicates } = present(listed);
  if (items.length === 0)
    throw new Error(`${source}: none of the ${files.length} listed files exists, the first is ${files[0]}${whyNone()}`);
  const used = new Set(items.map((item) => item.label));
  const emptyClasses = classNames.filter((_, label) => !used.has(label));
  const allowed = options.allowEmptyClasses ?? (options.known !== undefined || options.classes !== undefined);
  if (emptyClasses.length > 0 && !allowed) {
    const lost = gone.find((i) => !used.has(labels[i]!));
    const why = lost === undefined ? (listed.hint ?? '') : `; ${files[lost]} of line ${lines[lost]} does not exist`;
    const left = lines[0] === 0 && notes.length > 0 ? ` (${notes.slice(0, 3).join('; ')})` : '';
    throw new Error(`${source}: ${emptyMessage(emptyClasses)}${why}${left}`);
  }
  const only = classNames.length === 1 ? [`there is only one class, ${classNames[0]}`] : [];
  return {
    source,
    items,
    classNames,
    missing,
    duplicates,
    emptyClasses,
    notes: [...notes, ...only],
    digest: digestOf(listed),
  };
}

function digestOf({ source, files, labels }: Listed): string {
  const root = path.resolve(source);
  const [inside, beside] = [`${root}/`, `${path.dirname(root)}/`];
  const relative = (file: string): string => {
    if (file.startsWith(inside)) return file.slice(inside.length);
    return file.startsWith(beside) ? `../${file.slice(beside.length)}` : path.relative(root, file);
  };
  const hash = createHash('sha256');
  const chunk: string[] = [];
  for (let i = 0; i < files.length; i++) {
    chunk.push(`${relative(files[i]!)}\t${labels[i]}\n`);
    if (chunk.length === 4096 || i === files.length - 1) hash.update(chunk.splice(0).join(''));
  }
  return hash.digest('hex');
}

function emptyMessage(names: string[]): string {
  return `${names.length === 1 ? 'class' : 'classes'} without a file: ${someNames(names)}`;
}

/** Files of two lists above which their contents are not compared before a run: looking each up would delay it. */
const COMPARED = 20_000;

/** Pairs of files of `a` and `b` with the same content under different names, one for each such file of `b`. */
function copies(a: Listing, b: Listing): [string, string][] {
  const items = [...a.items, ...b.items];
  if (items.length > COMPARED) return [];
  const n = a.items.length;
  const first = firstCopies(items, (same) => same[0]! < n && same.at(-1)! >= n);
  return b.items.flatMap((item, i): [string, string][] =>
    first[n + i]! < n ? [[items[first[n + i]!]!.path, item.path]] : [],
  );
}

/** Notes on files that are in both lists: by path, or by content; `morphmlp data check` compares the contents of lists of any length. */
export function sharedFiles(a: Listing, b: Listing): string[] {
  if (a.source === b.source)
    return [`${a.source} is both training and validation list: accuracy says nothing of other files`];
  const paths = new Set(a.items.map((item) => item.path));
  const shared = b.items.filter((item) => paths.has(item.path));
  const equal = copies(a, { ...b, items: b.items.filter((item) => !paths.has(item.path)) });
  const notes: string[] = [];
  if (shared[0])
    notes.push(
      `${amount(shared.length, 'file')} ${shared.length === 1 ? 'is' : 'are'} in both ${a.source} and ${b.source}, the first is ${shared[0].path}`,
    );
  if (equal[0])
    notes.push(
      `${amount(equal.length, 'file')} of ${b.source} ${equal.length === 1 ? 'has' : 'have'} the content of one of ${a.source}, the first is ${equal[0][1]}, equal to ${equal[0][0]}`,
    );
  return notes;
}

/** Ratio of class sizes above which accuracy is misleading. */
const IMBALANCE = 10;

/** Note if the largest class has more than ten times the files of the smallest. */
export function imbalance({ items, classNames }: Listing): string[] {
  const counts = new Int32Array(classNames.length);
  for (const { label } of items) counts[label]!++;
  const present = counts.map((count) => count || Infinity);
  const [most, least] = [counts.reduce((a, b) => Math.max(a, b), 0), Math.min(...present)];
  if (!(most > IMBALANCE * least)) return [];
  const [large, small] = [classNames[counts.indexOf(most)], classNames[counts.indexOf(least)]];
  const share = ((100 * most) / items.length).toFixed(1);
  return [`class ${large} has ${most} files (${share}% of all), class ${small} ${least}`];
}

/** Summary of a listing for the user, one line per finding; never empty. */
export function describeListing(listing: Listing): string[] {
  const { source, items, classNames, missing, duplicates, unreadable = 0, emptyClasses, notes } = listing;
  const lines = [`${source}: ${amount(items.length, 'file')} in ${amount(classNames.length, 'class', 'classes')}`];
  if (missing.length > 0) lines.push(`${missing.length} listed files do not exist, the first is ${missing[0]}`);
  if (unreadable > 0) lines.push(`${unreadable} files could not be read when the clips were prepared`);
  if (duplicates > 0) lines.push(`${duplicates} repeated lines were left out`);
  if (emptyClasses.length > 0) lines.push(emptyMessage(emptyClasses));
  return [...lines, ...notes];
}
