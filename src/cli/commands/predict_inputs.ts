/** Inputs of `morphmlp predict`. */
import { createWriteStream, existsSync, readdirSync, statSync } from 'node:fs';
import path from 'node:path';
import { pipeline } from 'node:stream/promises';
import { usableFiles } from '../../data/lists/folder_files';
import { idxPictures } from '../../data/lists/idx_list';
import { idxName } from '../../data/pictures/idx';
import { isImage } from '../../data/pictures/pictures';
import { sourceOf, type Source } from '../../data/source';
import { temporaryFolder } from '../temporary';

/** An input and its name. */
export interface Input {
  name: string;
  source: Source;
}

/** Inputs, and notes on files of folders that were left out. */
export interface Inputs {
  inputs: Input[];
  notes: string[];
}

const byNumber = new Intl.Collator('en', { numeric: true });

/** The pictures in a folder as one clip, in the order of their names. */
function frameClip(folder: string): Input {
  const names = readdirSync(folder).filter((name) => !name.startsWith('.') && isImage(name));
  const files = names.sort((a, b) => byNumber.compare(a, b));
  if (files.length === 0) throw new Error(`${folder}: no pictures in this folder (--frames-as-clip)`);
  return { name: folder, source: { kind: 'files', path: folder, files } };
}

function folderInputs(folder: string): Inputs {
  const { files, notes } = usableFiles(folder);
  if (files.length === 0) throw new Error([`${folder}: no videos or pictures in this folder`, ...notes].join('; '));
  const kinds = { video: 'video', picture: 'image' } as const;
  const inputs = files.map(({ path: file, kind }): Input => ({
    name: file,
    source: { kind: kinds[kind], path: file },
  }));
  return { inputs, notes: notes.map((note) => `${folder}: ${note}`) };
}

/** Pictures of an IDX file: `file`, `file#17` or `file#0-99`; null if it is no such file. */
function idxInputs(given: string): Inputs | null {
  const [, named, first, last] = /^(.+)#(\d+)(?:-(\d+))?$/.exec(given) ?? [];
  const file = named ?? given;
  if (idxName(file)?.what !== 'images' || !existsSync(file)) return null;
  const range = first === undefined ? [] : [Number(first), Number(last ?? first)];
  const inputs = idxPictures(file, ...range).map((source): Input => ({ name: `${file}#${source.index}`, source }));
  return { inputs, notes: [] };
}

function inputsOf(given: string, asClip: boolean): Inputs {
  const pictures = idxInputs(given);
  if (pictures) return pictures;
  const found = statSync(given, { throwIfNoEntry: false });
  if (!found) throw new Error(`${given}: no such file or folder`);
  if (!found.isDirectory()) return { inputs: [{ name: given, source: sourceOf(given) }], notes: [] };
  return asClip ? { inputs: [frameClip(given)], notes: [] } : folderInputs(given);
}

/** Inputs from paths. A folder is expanded to the videos and pictures in it, at any depth, or is one clip of frames. */
export function fileInputs(given: readonly string[], asClip: boolean): Inputs {
  const all = given.map((one) => inputsOf(one, asClip));
  return { inputs: all.flatMap(({ inputs }) => inputs), notes: all.flatMap(({ notes }) => notes) };
}

/** Standard input copied to a temporary file, because FFmpeg must seek. `dispose` removes it. */
export interface StreamInput extends Input {
  dispose(): void;
}

/** Reads standard input to its end: raw RGB frames of `size`, or any stream that FFmpeg knows. */
export async function standardInput(size: readonly [width: number, height: number] | undefined): Promise<StreamInput> {
  if (process.stdin.isTTY) throw new Error('-: nothing is piped to standard input');
  const folder = temporaryFolder();
  const dispose = (): void => folder.dispose();
  const file = path.join(folder.path, 'standard-input');
  try {
    await pipeline(process.stdin, createWriteStream(file));
    if (statSync(file).size === 0) throw new Error('-: standard input was empty');
  } catch (error) {
    dispose();
    throw error;
  }
  const source: Source = size
    ? { kind: 'raw', path: file, width: size[0], height: size[1] }
    : { kind: 'video', path: file };
  return { name: 'standard input', source, dispose };
}
