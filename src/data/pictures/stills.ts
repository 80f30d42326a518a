/** Still-image counterpart of the motion dataset: the class is the shape, at a random position, tilted by up to 34 degrees. */
import { Philox } from '../../core/philox';
import { addNoise, drawBackground, drawColours, noiseTable } from '../synthetic/scene';
import { drawFigure, OUTLINES, type Pose } from '../synthetic/shapes';

/** The classes: the shapes of `OUTLINES`. */
export const STILL_CLASSES = ['triangle', 'drop', 'arrow', 'house'] as const;

export interface StillOptions {
  seed: number | bigint;
  /** Number of an independent set of pictures. Default 0. */
  stream?: number;
  /** Height and width in pixels, at least 16. Default 64. */
  size?: number;
}

function drawPose(size: number, rng: Philox): Pose {
  const radius = size * rng.uniform(0.22, 0.36);
  const [x, y] = [size * rng.uniform(0.36, 0.64), size * rng.uniform(0.36, 0.64)];
  return { x, y, radius, angle: rng.uniform(-0.6, 0.6) };
}

/** Draws picture `index`, u8 [size, size, 3], of class `index` mod 4. The same options give the same bytes. */
export function stillPicture(index: number, { seed, stream = 0, size = 64 }: StillOptions): Uint8Array {
  if (!Number.isSafeInteger(index) || index < 0) throw new Error(`pictures: expected an index from 0 on, got ${index}`);
  if (!Number.isInteger(size) || size < 16) throw new Error(`pictures: expected a size of at least 16, got ${size}`);
  const rng = new Philox(seed, stream).fork('still').fork(index);
  const picture = drawBackground(size, rng);
  const figure = drawColours(rng, () => OUTLINES[index % OUTLINES.length]!);
  drawFigure(picture, size, figure, drawPose(size, rng));
  const pixels = new Uint8ClampedArray(picture.length);
  addNoise(pixels, picture, noiseTable(rng.uniform(3, 6)), rng);
  return new Uint8Array(pixels.buffer);
}
