/** Folders of numbered frames: the numbering (start, padding) is detected from the names. */
import { readdir } from 'node:fs/promises';
import { readdirSync } from 'node:fs';
import { isImage } from './pictures';
import { UnreadableClip } from '../types';

/** The frames of a folder in the order of their numbers. */
export interface NumberedFrames {
  files: string[];
  first: number;
  /** Missing numbers between the first and the last. */
  gaps: number[];
  /** Template of the names: `{:05d}.jpg`. */
  template: string;
}

interface Frame {
  name: string;
  digits: string;
  number: number;
}

const NUMBERED = /^(.*?)(\d{1,15})(\.[^.]+)$/;

/** Numbered pictures grouped by prefix and suffix of the number. */
function series(names: readonly string[]): Map<string, Frame[]> {
  const found = new Map<string, Frame[]>();
  for (const name of names) {
    const [, before, digits, after] = NUMBERED.exec(name) ?? [];
    if (digits === undefined || name.startsWith('.') || !isImage(name)) continue;
    const key = `${before}{}${after}`;
    const frame = { name, digits, number: Number(digits) };
    const known = found.get(key);
    if (known) known.push(frame);
    else found.set(key, [frame]);
  }
  return found;
}

/** Template of a series. Numbers count as padded if one begins with 0, or if all have the same length above 1. */
function templateOf(key: string, frames: readonly Frame[]): string {
  const width = Math.min(...frames.map(({ digits }) => digits.length));
  const padded =
    frames.some(({ digits }) => digits.length > 1 && digits.startsWith('0')) ||
    frames.every(({ digits }) => digits.length === width && width > 1);
  return key.replace('{}', padded ? `{:0${width}d}` : '{:d}');
}

/** Gaps of a numbering, at most the first hundred. */
function gapsIn(frames: readonly Frame[]): number[] {
  const gaps: number[] = [];
  for (let i = 1; i < frames.length && gaps.length < 100; i++)
    for (let n = frames[i - 1]!.number + 1; n < frames[i]!.number && gaps.length < 100; n++) gaps.push(n);
  return gaps;
}

/**
 * The frames among the files of a folder: those that `template` (such as {:05d}.jpg) fits but for its padding, else the only series
 * of numbered pictures. @throws UnreadableClip if there are no numbered pictures, or several series and no match of the template
 */
export function numberedFrames(folder: string, names: readonly string[], template: string): NumberedFrames {
  const found = series(names);
  const wanted = template.replace(/\{:0?\d*d\}/, '{}');
  const key = found.has(wanted) ? wanted : found.size === 1 ? [...found.keys()][0]! : undefined;
  if (key === undefined) {
    const shown = [...found].map(([name, frames]) => templateOf(name, frames)).slice(0, 4);
    throw new UnreadableClip(
      found.size === 0
        ? `${folder}: no numbered pictures in this folder (${template} was expected)`
        : `${folder}: numbered pictures of ${found.size} kinds (${shown.join(', ')}), none as ${template}; name one of them (DATA.IMAGE_TEMPLATE)`,
    );
  }
  const frames = found.get(key)!.sort((a, b) => a.number - b.number || (a.name < b.name ? -1 : 1));
  const twice = frames.find(({ number }, i) => number === frames[i - 1]?.number);
  if (twice) throw new UnreadableClip(`${folder}: number ${twice.number} has two frames, one is ${twice.name}`);
  const files = frames.map(({ name }) => name);
  return { files, first: frames[0]!.number, gaps: gapsIn(frames), template: templateOf(key, frames) };
}

function unreadable(folder: string, error: unknown): UnreadableClip {
  const { code, message } = error as NodeJS.ErrnoException;
  const why = code === 'ENOENT' ? 'the folder does not exist' : code === 'ENOTDIR' ? 'it is no folder' : message;
  return new UnreadableClip(`${folder}: ${why}`);
}

/** Names of at most the first `count` frames of a folder (the listed number). Rejects with `UnreadableClip`. */
export async function frameFiles(folder: string, template: string, count: number): Promise<string[]> {
  const names = await readdir(folder).catch((error: unknown) => {
    throw unreadable(folder, error);
  });
  return numberedFrames(folder, names, template).files.slice(0, count);
}

/** A folder of frames and its listed number of frames. */
export interface ListedFolder {
  path: string;
  count: number;
}

/** Counts findings about folders, each with its first example. */
class Findings {
  private readonly found = new Map<string, { count: number; first: string }>();

  add(what: string, example: string): void {
    const known = this.found.get(what);
    if (known) known.count++;
    else this.found.set(what, { count: 1, first: example });
  }

  lines(of: number): string[] {
    return [...this.found].map(([what, { count, first }]) =>
      what.endsWith(':')
        ? `${what} ${count === of ? '' : `${count} of ${of} folders, `}such as ${first}`
        : `${count} of ${of} folders ${what}, the first is ${first}`,
    );
  }
}

/** Adds the findings about one folder. */
function inspect({ path: folder, count }: ListedFolder, template: string, findings: Findings): void {
  try {
    const { files, first, gaps, template: names } = numberedFrames(folder, readdirSync(folder), template);
    if (first !== 1 || names !== template) findings.add(`frames are numbered from ${first}, ${names}:`, folder);
    if (gaps.length > 0)
      findings.add('lack numbers within', `${folder} (${gaps.slice(0, 4).join(', ')}${gaps.length > 4 ? ', …' : ''})`);
    if (files.length < count) findings.add('have fewer frames than listed', `${folder} (${files.length} of ${count})`);
    if (files.length > count)
      findings.add('have more frames than listed, which are not used', `${folder} (${files.length}, ${count} listed)`);
  } catch (error) {
    findings.add('cannot be read', (error as Error).message);
  }
}

/** Number of folders examined before a run; `data check` examines all. */
export const SURVEYED = 500;

/** Findings about the numbering of frames, one line each; reads at most `limit` evenly spaced folders. */
export function surveyFrames(folders: readonly ListedFolder[], template: string, limit = SURVEYED): string[] {
  const seen = Math.min(folders.length, limit);
  const findings = new Findings();
  for (let i = 0; i < seen; i++) inspect(folders[Math.floor((i * folders.length) / seen)]!, template, findings);
  return findings.lines(seen);
}
