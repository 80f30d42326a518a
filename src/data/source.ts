/** Sources of clips: a video (or the part of a file that is a video), a picture, a folder of frames, raw frames, an IDX file. */
import { open, stat } from 'node:fs/promises';
import path from 'node:path';
import { frameFiles } from './pictures/frame_folder';
import { greyToRgb, readIdxPicture, type IdxPicture } from './pictures/idx';
import { isImage, pictureSize, readFrames, readPicture, resizePicture, type PictureFile } from './pictures/pictures';
import { motionClip, type MotionOptions } from './synthetic/motion';
import { UnreadableClip } from './types';
import { decodeFrames, type Frames } from './video/decode';
import { probe, probeByDecoding } from './video/frame_index';
import { pictureInfo, type CallOptions, type Part, type VideoInfo } from './video/info';

export type Source =
  | { kind: 'video'; path: string; part?: Part }
  /** A picture, treated as a video of one frame. */
  | { kind: 'image'; path: string; part?: Part }
  /** The numbered pictures of a folder, at most the first `count`; the template selects among several series. */
  | { kind: 'frames'; path: string; count: number; template: string }
  /** The named pictures of a folder, in this order. */
  | { kind: 'files'; path: string; files: readonly string[] }
  /** Frames u8 [height, width, 3] one after the other in a file. */
  | { kind: 'raw'; path: string; width: number; height: number }
  /** Picture `index` of an IDX file, of a size that its header says. */
  | ({ kind: 'idx' } & IdxPicture)
  /** Clip `index` of the embedded motion dataset; `path` names it and its options. */
  | { kind: 'drawn'; path: string; index: number; options: Required<MotionOptions> };

/** Whether a source is a single picture. */
export const isPicture = ({ kind }: Source): boolean => kind === 'image' || kind === 'idx';

/** Source of a file by its name: a picture, else a video. */
export const sourceOf = (file: string): Source => ({ kind: isImage(file) ? 'image' : 'video', path: file });

/** Unique key of a source, also among those of one path. */
export function sourceKey(source: Source): string {
  const { kind, path: file } = source;
  if (kind === 'frames') return `${kind} ${file} ${source.template} ${source.count}`;
  if (kind === 'files') return `${kind} ${file} ${source.files.join('/')}`;
  if (kind === 'raw') return `${kind} ${file} ${source.width}x${source.height}`;
  if (kind === 'idx') return `${kind} ${file} ${source.index}`;
  const part = kind === 'drawn' || source.part === undefined ? '' : ` ${source.part.start}-${source.part.end}`;
  return `${kind} ${file}${part}`;
}

type Pictures = Source & { kind: 'image' | 'frames' | 'files' };

/** The pictures of a source in order. */
async function pictureFiles(source: Pictures): Promise<PictureFile[]> {
  if (source.kind === 'image') return [source];
  const { path: folder } = source;
  const names = source.kind === 'files' ? source.files : await frameFiles(folder, source.template, source.count);
  return names.map((name) => ({ path: path.join(folder, name) }));
}

async function rawInfo({ path: file, width, height }: Source & { kind: 'raw' }): Promise<VideoInfo> {
  const { size } = await stat(file);
  const frames = size / (width * height * 3);
  if (Number.isInteger(frames) && frames > 0) return pictureInfo({ width, height }, frames);
  throw new UnreadableClip(
    `${file}: ${size} bytes are not a whole number of ${width}x${height} frames of 3 bytes a pixel`,
  );
}

function drawnInfo({ size, frames }: Required<MotionOptions>): VideoInfo {
  return pictureInfo({ width: size, height: size }, frames);
}

/** Draws all frames of a synthetic clip, and selects some. */
function drawFrames({ index, options }: Source & { kind: 'drawn' }, numbers: readonly number[]): Frames {
  const [side, whole] = [options.size, motionClip(index, options).pixels];
  const bytes = side * side * 3;
  const pixels = new Uint8Array(numbers.length * bytes);
  numbers.forEach((n, i) => pixels.set(whole.subarray(n * bytes, (n + 1) * bytes), i * bytes));
  return { pixels, width: side, height: side };
}

/**
 * Probes size, frame rate, length and the index of frames. `byDecoding` decodes a whole video to find its frames. Rejects with
 * `UnreadableClip` if the source cannot be read.
 */
export async function probeSource(source: Source, call: CallOptions = {}, byDecoding = false): Promise<VideoInfo> {
  if (source.kind === 'video')
    return (byDecoding ? probeByDecoding : probe)(source.path, { ...call, part: source.part });
  if (source.kind === 'raw') return rawInfo(source);
  if (source.kind === 'drawn') return drawnInfo(source.options);
  if (source.kind === 'idx') return pictureInfo(source);
  const files = await pictureFiles(source);
  return pictureInfo(await pictureSize(files[0]!), files.length);
}

async function readRaw(
  source: Source & { kind: 'raw' },
  numbers: readonly number[],
  size: readonly [number, number],
): Promise<Frames> {
  const { width, height } = source;
  const bytes = width * height * 3;
  const file = await open(source.path);
  try {
    return await readFrames(numbers, size, async (number) => {
      const { buffer } = await file.read(new Uint8Array(bytes), 0, bytes, number * bytes);
      return resizePicture(buffer, [width, height], size);
    });
  } finally {
    await file.close();
  }
}

/** An IDX picture as u8 [height, width, 3] of a size. */
async function readIdxRgb(picture: IdxPicture, size: readonly [number, number]): Promise<Uint8Array> {
  return resizePicture(greyToRgb(await readIdxPicture(picture)), [picture.width, picture.height], size);
}

function frameAt(source: Pictures, files: readonly PictureFile[], number: number): PictureFile {
  const file = files[number];
  if (file === undefined)
    throw new UnreadableClip(`${source.path}: frame ${number} was asked for, and there are ${files.length}`);
  return file;
}

/** Decodes the frames `numbers` (from 0), scaled to `size` [width, height], in the given order. */
export async function decodeSource(
  source: Source,
  numbers: readonly number[],
  size: readonly [width: number, height: number],
  info: VideoInfo,
  call: CallOptions = {},
): Promise<Frames> {
  if (source.kind === 'video') return decodeFrames({ ...source, numbers, size, info }, call);
  if (source.kind === 'raw') return readRaw(source, numbers, size);
  if (source.kind === 'drawn') return drawFrames(source, numbers);
  if (source.kind === 'idx') return readFrames(numbers, size, () => readIdxRgb(source, size));
  const files = await pictureFiles(source);
  return readFrames(numbers, size, (number) => readPicture(frameAt(source, files, number), size));
}
