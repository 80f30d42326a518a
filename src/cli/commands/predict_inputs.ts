/** Inputs of `morphmlp predict`. */
import { createWriteStream, readdirSync, statSync } from 'node:fs';
import path from 'node:path';
import { pipeline } from 'node:stream/promises';
import { VIDEO_ENDINGS } from '../../data/lists/listing';
import { isImage } from '../../data/pictures/pictures';
import { sourceOf, type Source } from '../../data/source';
import { temporaryFolder } from '../temporary';

/** An input and its name. */
export interface Input {
  name: string;
  source: Source;
}

const isVideo = (file: string): boolean => VIDEO_ENDINGS.includes(path.extname(file).toLowerCase());
const byNumber = new Intl.Collator('en', { numeric: true });

function folderInputs(folder: string, asClip: boolean): Input[] {
  const names = readdirSync(folder).filter((name) => !name.startsWith('.'));
  const files = names.sort((a, b) => byNumber.compare(a, b));
  const images = files.filter(isImage);
  if (asClip) {
    if (images.length === 0) throw new Error(`${folder}: no pictures in this folder (--frames-as-clip)`);
    return [{ name: folder, source: { kind: 'files', path: folder, files: images } }];
  }
  const found = files.filter((name) => isImage(name) || isVideo(name)).map((name) => path.join(folder, name));
  if (found.length === 0) throw new Error(`${folder}: no videos or pictures in this folder`);
  return found.map((file) => ({ name: file, source: sourceOf(file) }));
}

/** Inputs from paths. A folder is expanded to the videos and pictures in it, or is one clip of frames. */
export function fileInputs(given: readonly string[], asClip: boolean): Input[] {
  return given.flatMap((input) => {
    const found = statSync(input, { throwIfNoEntry: false });
    if (!found) throw new Error(`${input}: no such file or folder`);
    return found.isDirectory() ? folderInputs(input, asClip) : [{ name: input, source: sourceOf(input) }];
  });
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
