import { spawn } from 'node:child_process';
import type { Clip } from './types';

/** Writes a clip as an H.264 file (8 frames a second unless told) with the system's FFmpeg. */
export function writeVideo(clip: Clip, file: string, fps = 8): Promise<void> {
  const size = `${clip.width}x${clip.height}`;
  const input = ['-f', 'rawvideo', '-pix_fmt', 'rgb24', '-s', size, '-r', String(fps), '-i', 'pipe:0'];
  const output = ['-c:v', 'libx264', '-pix_fmt', 'yuv420p', '-crf', '12', file];
  return new Promise((resolve, reject) => {
    const child = spawn(process.env.MORPHMLP_FFMPEG ?? 'ffmpeg', ['-v', 'error', '-y', ...input, ...output], {
      stdio: ['pipe', 'ignore', 'pipe'],
    });
    let message = '';
    child.stderr.on('data', (data: Buffer) => (message += data.toString()));
    child.stdin.on('error', () => undefined); // FFmpeg's own message says more than the broken pipe
    child.on('error', (error) => reject(new Error(`${file}: FFmpeg did not start: ${error.message}`)));
    child.on('close', (code) =>
      code === 0 ? resolve() : reject(new Error(`${file}: FFmpeg could not write it: ${message.trim()}`)),
    );
    child.stdin.end(Buffer.from(clip.pixels.buffer, clip.pixels.byteOffset, clip.pixels.byteLength));
  });
}
