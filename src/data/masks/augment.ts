/** Augmentation of pictures with masks: everything random is drawn once for both. */
import type { Philox } from '../../core/philox';
import { applyAugment, drawColorJitter } from '../augment';
import { IGNORED } from '../types';
import type { Mask } from './png';

/** A picture u8 [height, width, 3] with its mask of the same size. */
export interface Segmented {
  pixels: Uint8Array;
  mask: Mask;
}

/** A place in a picture, mirrored or not. */
interface Crop {
  x: number;
  y: number;
  flip: boolean;
}

/** Largest share of the labelled pixels of a crop that one class may have, and how often a crop is drawn for it. */
const [MOST_OF_ONE, DRAWS] = [0.75, 10];

/** Range of the short side of training pictures, as a multiple of the crop. */
export const SCALES = [0.5, 2] as const;

/** A mask at another size, by the nearest pixel. */
export function resizeMask({ pixels, height, width }: Mask, toHeight: number, toWidth: number): Mask {
  if (toHeight === height && toWidth === width) return { pixels, height, width };
  const resized = new Uint8Array(toHeight * toWidth);
  for (let y = 0, to = 0; y < toHeight; y++) {
    const row = Math.floor(((2 * y + 1) * height) / (2 * toHeight)) * width;
    for (let x = 0; x < toWidth; x++, to++)
      resized[to] = pixels[row + Math.floor(((2 * x + 1) * width) / (2 * toWidth))]!;
  }
  return { pixels: resized, height: toHeight, width: toWidth };
}

/** Whether no class has too large a share of the labelled pixels. */
function isMixed(mask: Uint8Array): boolean {
  const counts = new Uint32Array(256);
  for (const label of mask) counts[label]!++;
  const labelled = mask.length - counts[IGNORED]!;
  return counts.every((count, label) => label === IGNORED || count <= MOST_OF_ONE * labelled);
}

/** Cuts a square out of rows of `channels` bytes; what lies beyond them is `fill`. */
function cut(
  from: Uint8Array,
  size: readonly [number, number],
  { x, y, flip }: Crop,
  side: number,
  fill: number,
): Uint8Array {
  const [height, width] = size;
  const channels = from.length / (height * width);
  const to = new Uint8Array(side * side * channels).fill(fill);
  for (let row = 0; row < Math.min(side, height - y); row++)
    for (let column = 0; column < Math.min(side, width - x); column++) {
      const at = (row * side + (flip ? side - 1 - column : column)) * channels;
      const source = ((y + row) * width + x + column) * channels;
      for (let c = 0; c < channels; c++) to[at + c] = from[source + c]!;
    }
  return to;
}

/**
 * A random square: pictures smaller than it are filled up with black and ignored pixels at the right and at the bottom. A place in which
 * one class has more than 75% of the labelled pixels is drawn anew, at most ten times.
 * @param colour strength of changes of brightness, contrast and saturation; 0: none
 */
export function randomCrop(
  { pixels, mask }: Segmented,
  side: number,
  { flip, colour }: { flip: boolean; colour: number },
  random: Philox,
): Segmented {
  const size = [mask.height, mask.width] as const;
  const flipped = flip && random.uniform() < 0.5;
  const draw = (): Crop => {
    const y = random.int(Math.max(0, size[0] - side) + 1);
    return { y, x: random.int(Math.max(0, size[1] - side) + 1), flip: flipped };
  };
  let at = draw();
  let found = cut(mask.pixels, size, at, side, IGNORED);
  for (let i = 1; i < DRAWS && !isMixed(found); i++) found = cut(mask.pixels, size, (at = draw()), side, IGNORED);
  const picture = cut(pixels, size, at, side, 0);
  const ops = colour > 0 ? drawColorJitter(colour, random.fork('colour')) : [];
  const changed = applyAugment(picture, { frames: 1, height: side, width: side }, ops);
  return { pixels: changed, mask: { pixels: found, height: side, width: side } };
}
