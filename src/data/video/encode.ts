/** Writes clips as H.264 files. */
import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import { runProgram } from './ffmpeg';
import type { Clip } from '../types';

type Pictures = Pick<Clip, 'pixels' | 'frames' | 'height' | 'width'>;

/** libx264 halves the colour's resolution, which takes even sizes. */
function checkEven({ width, height }: Pictures, file: string): void {
  if (width % 2 === 0 && height % 2 === 0) return;
  throw new Error(`${file}: an H.264 file needs even sizes, got ${width}x${height}`);
}

/**
 * Writes a clip as an H.264 file through FFmpeg; the folder is made if need be. At the default of 30 frames a second a clip
 * that is read back at rate 1 has the frames it was written with.
 */
export async function writeVideo(clip: Pictures, file: string, fps = 30, signal?: AbortSignal): Promise<void> {
  checkEven(clip, file);
  await mkdir(path.dirname(path.resolve(file)), { recursive: true });
  const size = `${clip.width}x${clip.height}`;
  const input = ['-f', 'rawvideo', '-pix_fmt', 'rgb24', '-s', size, '-r', String(fps), '-i', 'pipe:0'];
  const output = ['-c:v', 'libx264', '-preset', 'veryfast', '-pix_fmt', 'yuv420p', '-crf', '12'];
  const args = ['-v', 'error', '-threads', '1', '-y', ...input, ...output, `file:${file}`];
  await runProgram('ffmpeg', args, { subject: file, input: clip.pixels, signal });
}
