/** Dataset of pictures with index masks. */
import { readFile } from 'node:fs/promises';
import type { Philox } from '../../core/philox';
import { scaleShortSide } from '../sampling';
import { pictureSize, readPicture } from '../pictures/pictures';
import { IGNORED, UnreadableClip, type Clip, type Dataset } from '../types';
import { randomCrop, resizeMask, SCALES } from './augment';
import type { PairList } from './pairs';
import { decodeMask, type Mask } from './png';

/** Options of a `PairDataset`. */
export interface PairOptions {
  classNames: readonly string[];
  /** Whether the classes of masks count from 1, and 0 is ignored (ADE20K). */
  reduceZeroLabel: boolean;
  /** Training: the side of the crop. Otherwise the short side at which the network sees a picture. */
  size: number;
  train: boolean;
  flip: boolean;
  /** Strength of changes of colour in training. */
  colour: number;
}

/** Reads a mask, with the classes from 0 on. @throws UnreadableClip with the file, and the first index that is no class */
export async function readMask(file: string, classes: number, reduceZeroLabel: boolean): Promise<Mask> {
  let mask: Mask;
  try {
    mask = decodeMask(await readFile(file));
  } catch (error) {
    throw new UnreadableClip(`${file}: ${(error as Error).message}`);
  }
  const { pixels, width } = mask;
  if (reduceZeroLabel) pixels.forEach((v, i) => (pixels[i] = v === 0 ? IGNORED : v === IGNORED ? v : v - 1));
  const beyond = pixels.findIndex((v) => v >= classes && v !== IGNORED);
  if (beyond < 0) return mask;
  const given = pixels[beyond]! + (reduceZeroLabel ? 1 : 0);
  const [first, last] = reduceZeroLabel ? [1, classes] : [0, classes - 1];
  const [x, y] = [beyond % width, Math.floor(beyond / width)];
  throw new UnreadableClip(
    `${file}: index ${given} at pixel ${x}, ${y} is beyond the ${classes} classes, ${first} to ${last}`,
  );
}

/** Reads a picture's mask and size. @throws UnreadableClip if they differ in size */
export async function readPair(
  { picture, mask: file }: PairList['pairs'][number],
  classes: number,
  reduceZeroLabel: boolean,
): Promise<Mask> {
  const [mask, size] = await Promise.all([readMask(file, classes, reduceZeroLabel), pictureSize({ path: picture })]);
  if (mask.width === size.width && mask.height === size.height) return mask;
  const [one, other] = [size, mask].map(({ width, height }) => `${width} x ${height}`);
  throw new UnreadableClip(`${file}: the mask is ${other}, its picture ${picture} ${one}`);
}

/**
 * Pictures with masks. In training, size, place, mirroring and colours are drawn from the generator passed to `clip`, once for both;
 * otherwise a picture comes whole, scaled to the short side, with its mask in its own size.
 */
export class PairDataset implements Dataset {
  readonly length: number;
  readonly classNames: readonly string[];

  constructor(
    readonly list: PairList,
    private readonly options: PairOptions,
  ) {
    this.length = list.pairs.length;
    this.classNames = options.classNames;
  }

  name(i: number): string {
    return this.list.pairs[i]!.picture;
  }

  label(): number {
    return -1;
  }

  async clip(i: number, random: Philox): Promise<Clip> {
    const pair = this.list.pairs[i]!;
    const { size, train, flip, colour, reduceZeroLabel } = this.options;
    const mask = await readPair(pair, this.classNames.length, reduceZeroLabel);
    const side = train ? Math.round(size * random.uniform(...SCALES)) : size;
    const [width, height] = scaleShortSide(mask.width, mask.height, Math.max(1, side));
    const pixels = await readPicture({ path: pair.picture }, [width, height]);
    const clip = { frames: 1, label: -1, path: pair.picture };
    if (!train) return { ...clip, pixels, height, width, mask };
    const cropped = randomCrop({ pixels, mask: resizeMask(mask, height, width) }, size, { flip, colour }, random);
    return { ...clip, ...cropped, height: size, width: size };
  }

  describe(): Record<string, string | number> {
    const { source, alone } = this.list;
    const { size, train } = this.options;
    const counts = { pictures: this.length, 'without partner': alone.length, classes: this.classNames.length };
    return { source, ...counts, [train ? 'crop' : 'short side']: size };
  }
}
