/** The embedded segmentation dataset: the shapes of the motion dataset, and the class of each pixel. */
import { Philox } from '../../core/philox';
import { STILL_CLASSES } from '../pictures/stills';
import type { Clip, Dataset } from '../types';
import { addNoise, drawBackground, drawColours, noiseTable } from './scene';
import { drawFigure, markFigure, OUTLINES, type Pose } from './shapes';

/** The classes of pixels. */
export const SEGMENT_CLASSES = ['background', ...STILL_CLASSES] as const;

/** Numbers of training and validation pictures of the embedded dataset. */
export const SEGMENT_SIZES = { train: 512, val: 64 } as const;

/** Options of `SegmentShapes`. */
export interface SegmentShapesOptions {
  seed: number;
  /** Number of an independent set of pictures. */
  stream: number;
  length: number;
  /** Height and width in pixels, at least 32. */
  size: number;
  /** Mirror half of the pictures. */
  flip: boolean;
}

function drawPose(size: number, corner: number, rng: Philox): Pose {
  const [right, down] = [corner % 2, corner >> 1];
  const at = (side: number): number => size * (rng.uniform(0.24, 0.3) + 0.46 * side);
  return { x: at(right), y: at(down), radius: size * rng.uniform(0.25, 0.3), angle: rng.uniform(-0.15, 0.15) };
}

/** Draws picture `index` with its mask: up to three shapes, in different corners. The same options give the same bytes. */
export function segmentPicture(
  index: number,
  { seed, stream, size }: SegmentShapesOptions,
): Pick<Clip, 'pixels' | 'mask'> {
  const rng = new Philox(seed, stream).fork('segment').fork(index);
  const picture = drawBackground(size, rng);
  const mask = new Uint8Array(size * size);
  const corners = rng.shuffle([0, 1, 2, 3]).slice(0, 1 + rng.int(3));
  for (const corner of corners) {
    const shape = rng.int(OUTLINES.length);
    const figure = drawColours(rng, () => OUTLINES[shape]!);
    const pose = drawPose(size, corner, rng);
    drawFigure(picture, size, figure, pose);
    markFigure(mask, size, figure.outline, pose, shape + 1);
  }
  const pixels = new Uint8ClampedArray(picture.length);
  addNoise(pixels, picture, noiseTable(rng.uniform(3, 6)), rng);
  return { pixels: new Uint8Array(pixels.buffer), mask: { pixels: mask, height: size, width: size } };
}

/** Reverses the rows of `size` pixels. */
function mirrored(from: Uint8Array, size: number): Uint8Array {
  const channels = from.length / (size * size);
  return from.map((_, i) => {
    const [pixel, c] = [Math.floor(i / channels), i % channels];
    const x = pixel % size;
    return from[(pixel - x + size - 1 - x) * channels + c]!;
  });
}

/** Pictures of shapes with masks, drawn at their first use and kept. */
export class SegmentShapes implements Dataset {
  readonly classNames: readonly string[] = SEGMENT_CLASSES;
  readonly length: number;
  private readonly drawn = new Map<number, Pick<Clip, 'pixels' | 'mask'>>();

  constructor(private readonly options: SegmentShapesOptions) {
    const { size, length } = options;
    if (!Number.isInteger(size) || size < 32) throw new Error(`shapes: expected a size of at least 32, got ${size}`);
    if (!Number.isInteger(length) || length < 1) throw new Error(`shapes: expected at least 1 picture, got ${length}`);
    this.length = length;
  }

  name(i: number): string {
    return `picture ${i} of shapes`;
  }

  label(): number {
    return -1;
  }

  clip(i: number, random: Philox): Promise<Clip> {
    const { size, flip } = this.options;
    const { pixels, mask } = this.drawn.get(i) ?? this.draw(i);
    const clip = { frames: 1, height: size, width: size, label: -1, path: this.name(i) };
    if (!flip || random.uniform() < 0.5) return Promise.resolve({ ...clip, pixels, mask: mask! });
    const other = { ...mask!, pixels: mirrored(mask!.pixels, size) };
    return Promise.resolve({ ...clip, pixels: mirrored(pixels, size), mask: other });
  }

  describe(): Record<string, string | number> {
    const { seed, stream, size } = this.options;
    return { source: 'embedded shapes with masks', pictures: this.length, seed, stream, size };
  }

  private draw(i: number): Pick<Clip, 'pixels' | 'mask'> {
    const made = segmentPicture(i, this.options);
    this.drawn.set(i, made);
    return made;
  }
}
