/** Writes clips as H.264 files. */
import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import { decoder } from './choose';
import type { Clip } from '../types';

type Pictures = Pick<Clip, 'pixels' | 'frames' | 'height' | 'width'>;

/** libx264 subsamples chroma by 2, which requires even sizes. */
function checkEven({ width, height }: Pictures, file: string): void {
  if (width % 2 === 0 && height % 2 === 0) return;
  throw new Error(`${file}: an H.264 file needs even sizes, got ${width}x${height}`);
}

/**
 * Writes a clip as an H.264 file; creates the folder if needed. At the default of 30 frames per second, a clip
 * read back at rate 1 has the same frames.
 */
export async function writeVideo(clip: Pictures, file: string, fps = 30, signal?: AbortSignal): Promise<void> {
  checkEven(clip, file);
  await mkdir(path.dirname(path.resolve(file)), { recursive: true });
  const { pixels, width, height } = clip;
  await decoder().encode({ pixels, width, height, fps }, file, { crf: 12 }, { signal });
}
