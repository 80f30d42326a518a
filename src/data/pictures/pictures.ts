/** Decodes still pictures and frames of folders to bytes of one size. */
import { existsSync } from 'node:fs';
import { open } from 'node:fs/promises';
import path from 'node:path';
import sharp, { type Sharp } from 'sharp';
import { UnreadableClip } from '../types';
import type { Frames } from '../video/decode';
import type { Part } from '../video/info';

export const IMAGE_ENDINGS = ['.jpg', '.jpeg', '.jpe', '.jfif', '.png', '.webp', '.tif', '.tiff', '.avif'];

/** Whether a file has the extension of a picture. */
export const isImage = (file: string): boolean => IMAGE_ENDINGS.includes(path.extname(file).toLowerCase());

sharp.cache(false); // the cache would return old contents of a rewritten file

function unreadable(file: string, error: unknown): UnreadableClip {
  if (!existsSync(file)) return new UnreadableClip(`${file}: the file does not exist`);
  const why = (error as Error).message.split('\n')[0]!.replace(`${file}: `, '');
  return new UnreadableClip(`${file}: it is not a picture that can be read: ${why}`);
}

/** A picture file, or the part of a file that is a picture. */
export interface PictureFile {
  path: string;
  part?: Part;
}

/** Input of sharp: a path, or the bytes of a part. */
async function pictureInput({ path: file, part }: PictureFile): Promise<string | Uint8Array> {
  if (part === undefined) return file;
  const handle = await open(file);
  try {
    const length = part.end - part.start;
    return (await handle.read(new Uint8Array(length), 0, length, part.start)).buffer;
  } finally {
    await handle.close();
  }
}

/** Limit of decoded pictures, in pixels: 16,384 x 16,384. A small file can claim more than a machine's memory. */
const MOST_PIXELS = 2 ** 28;

const LIMITS = { failOn: 'error', limitInputPixels: MOST_PIXELS } as const;

/** Width and height of a picture after its EXIF orientation. */
export async function pictureSize(file: PictureFile): Promise<{ width: number; height: number }> {
  try {
    const { autoOrient } = await sharp(await pictureInput(file), LIMITS).metadata();
    return autoOrient;
  } catch (error) {
    throw unreadable(file.path, error);
  }
}

/**
 * Decodes any picture to upright 8-bit RGB of the size [width, height]; the only function that does. Grey,
 * palettes, 16 bits, CMYK and embedded profiles become sRGB; of an animation the first frame is used. The alpha channel is dropped
 * before resizing, which keeps the colours below transparent pixels (as Pillow's convert('RGB') does). Resized by the cubic
 * kernel, widened for reduction (within 2 levels of Pillow's bicubic).
 */
async function rgbPicture(file: PictureFile, size: readonly [number, number]): Promise<Sharp> {
  const picture = sharp(await pictureInput(file), LIMITS).autoOrient();
  const { hasAlpha } = await picture.metadata();
  return scaled(hasAlpha ? await withoutAlpha(picture) : picture, size);
}

/** Decoded colours without alpha: sharp would weight colours by alpha when resizing. */
async function withoutAlpha(picture: Sharp): Promise<Sharp> {
  const { data, info } = await picture.toColourspace('srgb').removeAlpha().raw().toBuffer({ resolveWithObject: true });
  const { width, height, channels } = info;
  return sharp(data, { raw: { width, height, channels }, limitInputPixels: MOST_PIXELS });
}

function scaled(picture: Sharp, [width, height]: readonly [number, number]): Sharp {
  return picture.resize(width, height, { fit: 'fill', kernel: 'cubic', fastShrinkOnLoad: false }).toColourspace('srgb');
}

/** The raw bytes of a picture; no Buffer, whose `slice` would not copy. */
async function rawBytes(picture: Sharp): Promise<Uint8Array> {
  const { buffer, byteOffset, byteLength } = await picture.raw().toBuffer();
  return new Uint8Array(buffer, byteOffset, byteLength);
}

/** A picture file as u8 [height, width, 3] of the size [width, height]; see `rgbPicture`. */
export async function readPicture(file: PictureFile, size: readonly [number, number]): Promise<Uint8Array> {
  try {
    return await rawBytes(await rgbPicture(file, size));
  } catch (error) {
    throw unreadable(file.path, error);
  }
}

/** Encodes a picture of `rgbPicture` as JPEG of quality 1 to 100 without chroma subsampling. */
export async function encodePicture(
  file: PictureFile,
  size: readonly [number, number],
  quality: number,
): Promise<Uint8Array> {
  try {
    return await (await rgbPicture(file, size)).jpeg({ quality, chromaSubsampling: '4:4:4' }).toBuffer();
  } catch (error) {
    throw unreadable(file.path, error);
  }
}

/** Resizes raw bytes u8 [height, width, 3]. */
export async function resizePicture(
  pixels: Uint8Array,
  from: readonly [width: number, height: number],
  to: readonly [width: number, height: number],
): Promise<Uint8Array> {
  if (from[0] === to[0] && from[1] === to[1]) return pixels;
  return rawBytes(scaled(sharp(pixels, { raw: { width: from[0], height: from[1], channels: 3 } }), to));
}

/** Frame numbers as file names: `{:05d}.jpg` and 12 make `00012.jpg` (the recipes' IMAGE_TEMPLATE). */
export function frameName(template: string, number: number): string {
  const [field, width = '0'] = /\{:0?(\d*)d\}/.exec(template) ?? [];
  if (field === undefined) throw new Error(`frame names: expected a template such as {:05d}.jpg, got ${template}`);
  return template.replace(field, String(number).padStart(Number(width), '0'));
}

/** Reads pictures as the frames of a clip; reads each file once, even if it is repeated. */
export async function readFrames(
  numbers: readonly number[],
  size: readonly [width: number, height: number],
  read: (number: number) => Promise<Uint8Array>,
): Promise<Frames> {
  const bytes = size[0] * size[1] * 3;
  const pixels = new Uint8Array(numbers.length * bytes);
  const known = new Map<number, Promise<Uint8Array>>();
  for (const number of numbers) if (!known.has(number)) known.set(number, read(number));
  await Promise.allSettled(known.values());
  for (const [i, number] of numbers.entries()) pixels.set(await known.get(number)!, i * bytes);
  return { pixels, width: size[0], height: size[1] };
}
