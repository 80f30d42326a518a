import { mkdirSync } from 'node:fs';
import path from 'node:path';
import sharp from 'sharp';
import { writeVideo } from '../../src/data/video/encode';
import { frameName } from '../../src/data/pictures/pictures';
import { closeDecoders } from '../../src/data/video/choose';
import { decodeFrames } from '../../src/data/video/decode';
import { probe } from '../../src/data/video/frame_index';

/** Height and width of the numbered videos. */
export const TALL = 48;
export const WIDE = 80;

/** Ends this test file's decoding process. */
afterAll(closeDecoders);

/** A picture that carries `n` as ten black or white blocks in two rows of five. */
function numberedFrame(n: number): Uint8Array {
  const pixels = new Uint8Array(TALL * WIDE * 3);
  for (let y = 0; y < TALL; y++) {
    for (let x = 0; x < WIDE; x++) {
      const bit = Math.floor(y / 24) * 5 + Math.floor(x / 16);
      pixels.fill((n >> bit) & 1 ? 235 : 20, (y * WIDE + x) * 3, (y * WIDE + x) * 3 + 3);
    }
  }
  return pixels;
}

/** Writes a video of `count` frames of which each shows its number. */
export async function writeNumbered(file: string, count: number, fps = 30): Promise<void> {
  const pixels = new Uint8Array(count * TALL * WIDE * 3);
  for (let n = 0; n < count; n++) pixels.set(numberedFrame(n), n * TALL * WIDE * 3);
  await writeVideo({ pixels, frames: count, height: TALL, width: WIDE }, file, fps);
}

/** The numbers that the frames [count, height, width, 3] show. */
export function readNumbers(pixels: Uint8Array, height: number, width: number): number[] {
  const bytes = height * width * 3;
  return Array.from({ length: pixels.length / bytes }, (_, t) => {
    let n = 0;
    for (let bit = 0; bit < 10; bit++) {
      const y = Math.floor(((Math.floor(bit / 5) + 0.5) * height) / 2);
      const x = Math.floor((((bit % 5) + 0.5) * width) / 5);
      if (pixels[t * bytes + (y * width + x) * 3]! > 128) n |= 1 << bit;
    }
    return n;
  });
}

/** Every frame of a video at its own size: u8 [height, width, 3] each. */
export async function allFrames(file: string): Promise<{ frames: Uint8Array[]; width: number; height: number }> {
  const info = await probe(file);
  const { width, height } = info;
  const numbers = Array.from({ length: info.frames }, (_, n) => n);
  const { pixels } = await decodeFrames({ path: file, numbers, size: [width, height], info });
  const bytes = width * height * 3;
  return { frames: numbers.map((n) => pixels.subarray(n * bytes, (n + 1) * bytes)), width, height };
}

/** Writes the frames of a video as pictures of a folder, numbered from 1 by a template such as `{:05d}.png`. */
export async function writePictures(video: string, folder: string, template: string): Promise<void> {
  const { frames, width, height } = await allFrames(video);
  mkdirSync(folder, { recursive: true });
  for (const [i, pixels] of frames.entries())
    await sharp(pixels, { raw: { width, height, channels: 3 } }).toFile(path.join(folder, frameName(template, i + 1)));
}

/** The frames of a video as a Motion JPEG stream: one JPEG file after the other. */
export async function motionJpeg(video: string): Promise<Buffer> {
  const { frames, width, height } = await allFrames(video);
  const jpeg = (pixels: Uint8Array) =>
    sharp(pixels, { raw: { width, height, channels: 3 } })
      .jpeg({ quality: 98 })
      .toBuffer();
  return Buffer.concat(await Promise.all(frames.map(jpeg)));
}

/** A file of fixtures/video. */
export const fixture = (name: string): string => path.join(__dirname, '..', 'fixtures', 'video', name);

/** Whole numbers from `first` up to, not with, `end`. */
export const from = (first: number, end: number): number[] => Array.from({ length: end - first }, (_, i) => first + i);

/** The numbers that frames [count, height, width, 3] of fixtures/video show: eight bars, the highest bit at the left. */
export function barNumbers(pixels: Uint8Array, width: number, height: number): number[] {
  const bytes = width * height * 3;
  const bar = (t: number, b: number): number =>
    pixels[t * bytes + ((height >> 1) * width + Math.floor(((b + 0.5) * width) / 8)) * 3]!;
  return from(0, pixels.length / bytes).map((t) =>
    from(0, 8).reduce((sum, b) => sum * 2 + (bar(t, b) > 128 ? 1 : 0), 0),
  );
}
