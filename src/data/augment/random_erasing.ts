/** Random erasing (Zhong et al., 2017): one box for all frames of a clip, as in the authors' video code. */
import type { Philox } from '../../core/philox';
import { NORMALISATION } from '../normalisation';
import { forEachFrame, type ClipSize } from './size';

/** Cached because access to a global is slow in a sandboxed context (jest, node:vm). */
const { exp, log, max, min, round, sqrt } = Math;

/** Probability per clip, largest number of boxes, and their fill. */
export interface Erasing {
  prob: number;
  /** `const`: the mean colour; `rand`: one normal colour a frame; `pixel`: normal noise. */
  mode: 'const' | 'rand' | 'pixel';
  count: number;
}

/** A box and its fill. */
export interface ErasedBox {
  x: number;
  y: number;
  width: number;
  height: number;
  mode: Erasing['mode'];
}

const AREA = { least: 0.02, most: 1 / 3 } as const;
const NARROWEST = 0.3;
const TRIES = 100;

function drawBox(size: { height: number; width: number }, count: number, random: Philox): Omit<ErasedBox, 'mode'>[] {
  for (let i = 0; i < TRIES; i++) {
    const area = (random.uniform(AREA.least, AREA.most) * size.height * size.width) / count;
    const aspect = exp(random.uniform(log(NARROWEST), -log(NARROWEST)));
    const [height, width] = [round(sqrt(area * aspect)), round(sqrt(area / aspect))];
    if (!(width < size.width && height < size.height)) continue;
    const y = random.int(size.height - height + 1);
    return [{ x: random.int(size.width - width + 1), y, width, height }];
  }
  return [];
}

/** Boxes of one clip: none, or n = 1 to `count` boxes, each of area (2% to 33% of the frame) / n. */
export function drawErasing(
  { prob, mode, count }: Erasing,
  size: { height: number; width: number },
  random: Philox,
): ErasedBox[] {
  if (random.uniform() >= prob) return [];
  const boxes = 1 + random.int(count);
  return Array.from({ length: boxes }, () => drawBox(size, boxes, random)).flatMap((found) =>
    found.map((box) => ({ ...box, mode })),
  );
}

/**
 * A byte whose normalised value is `z`. The authors fill after normalising; clips stay bytes here, so that noise beyond black
 * and white (3% of it) is cut off there.
 */
const byteOf = (z: number): number =>
  min(255, max(0, round((NORMALISATION.mean[0]! + z * NORMALISATION.std[0]!) * 255)));

function fill(frame: Uint8Array, frameWidth: number, box: ErasedBox, random: Philox): void {
  const colour = [0, 0, 0].map(() => byteOf(box.mode === 'rand' ? random.normal() : 0));
  for (let y = box.y; y < box.y + box.height; y++) {
    const row = (y * frameWidth + box.x) * 3;
    for (let i = 0; i < box.width * 3; i++)
      frame[row + i] = box.mode === 'pixel' ? byteOf(random.normal()) : colour[i % 3]!;
  }
}

/** Fills the boxes in every frame, in place, with noise that is fresh in each; returns `pixels`. */
export function erase(pixels: Uint8Array, size: ClipSize, boxes: readonly ErasedBox[], random: Philox): Uint8Array {
  for (const box of boxes) forEachFrame(pixels, size, (frame) => fill(frame, size.width, box, random));
  return pixels;
}
