/** Segments whole pictures: at one size or several, mirrored too, whole or by windows. */
import { noGrad } from '../core/autograd';
import { scope } from '../core/scope';
import { ones, tensor, type Tensor } from '../core/tensor';
import type { Mask } from '../data/masks/png';
import type { Normalisation } from '../data/normalisation';
import { resizePicture } from '../data/pictures/pictures';
import type { Backbone } from '../models/morphmlp';
import { add } from '../ops/arithmetic';
import { argmax } from '../ops/max';
import { pixelCrossEntropy } from '../ops/pixel_cross_entropy';
import { resize } from '../ops/resize';
import { softmax } from '../ops/softmax';
import { IGNORED } from '../data/types';
import { inputOf } from './input';

/** How pictures are segmented. */
export interface SegmentOptions {
  /** Sizes at which the network sees the picture, as multiples of the given one; probabilities are averaged. Default 1. */
  scales?: readonly number[];
  /** Average with the mirrored picture. Default false. */
  flip?: boolean;
  /** Side of square windows that the network sees one by one, and their distance; logits are averaged. Default: the whole picture. */
  window?: { side: number; stride: number } | null;
}

/** A picture u8 [height, width, 3]. */
export interface Picture {
  pixels: Uint8Array;
  height: number;
  width: number;
}

/** A reversed copy of the rows of [height, width, channels]. */
function mirrored<T extends Uint8Array | Float32Array>(from: T, width: number, channels: number): T {
  const to = (from instanceof Float32Array ? new Float32Array(from.length) : new Uint8Array(from.length)) as T; // slice() of a Buffer copies nothing
  for (let start = 0; start < from.length; start += width * channels)
    for (let x = 0; x < width; x++)
      to.set(from.subarray(start + x * channels, start + (x + 1) * channels), start + (width - 1 - x) * channels);
  return to;
}

/** Starts of windows that cover a length: `stride` apart, the last at the end. */
function windowStarts(length: number, side: number, stride: number): number[] {
  const count = Math.max(0, Math.ceil((length - side) / stride)) + 1;
  return Array.from({ length: count }, (_, i) => Math.max(0, Math.min(i * stride, length - side)));
}

class Segmenter {
  constructor(
    private readonly model: Backbone,
    private readonly normalisation: Normalisation,
    private readonly window: SegmentOptions['window'],
  ) {}

  /** Logits f32 [1, h, w, classes] of a picture. */
  logits(picture: Picture): Tensor {
    return this.window ? this.windowed(picture, this.window) : this.whole(picture);
  }

  private whole({ pixels, height, width }: Picture): Tensor {
    const { normalisation, model } = this;
    return model.forward(inputOf({ pixels, shape: [1, 1, height, width, 3], normalisation }, model.precision));
  }

  /** The mean of the logits of all windows, at the picture's size. A side longer than the picture's is that of the picture. */
  private windowed(picture: Picture, { side, stride }: { side: number; stride: number }): Tensor {
    const { height, width } = picture;
    const { numClasses: classes } = this.model.config;
    const [rows, columns] = [Math.min(side, height), Math.min(side, width)];
    const [sums, counts] = [new Float32Array(height * width * classes), new Float32Array(height * width)];
    for (const y of windowStarts(height, rows, stride))
      for (const x of windowStarts(width, columns, stride)) {
        const part = scope(() =>
          resize(this.whole(cut(picture, x, y, columns, rows)), [rows, columns], 'bilinear').floats(),
        );
        for (let row = 0; row < rows; row++)
          for (let column = 0; column < columns; column++) {
            const at = (y + row) * width + x + column;
            counts[at]! += 1;
            for (let c = 0; c < classes; c++) sums[at * classes + c]! += part[(row * columns + column) * classes + c]!;
          }
      }
    return tensor(
      sums.map((sum, i) => sum / counts[Math.floor(i / classes)]!),
      [1, height, width, classes],
    );
  }

  /** Logits of the mirrored picture, mirrored back. */
  flipped(picture: Picture): Tensor {
    const found = this.logits({ ...picture, pixels: mirrored(picture.pixels, picture.width, 3) });
    const [, , width, classes] = found.shape as [number, number, number, number];
    return tensor(mirrored(found.floats(), width, classes), found.shape);
  }
}

function cut({ pixels, width }: Picture, x: number, y: number, columns: number, rows: number): Picture {
  const part = new Uint8Array(rows * columns * 3);
  for (let row = 0; row < rows; row++) {
    const from = ((y + row) * width + x) * 3;
    part.set(pixels.subarray(from, from + columns * 3), row * columns * 3);
  }
  return { pixels: part, height: rows, width: columns };
}

/** The class of each pixel of [height, width] by the largest of logits of another size. */
function largest(logits: Tensor, { height, width }: Pick<Mask, 'height' | 'width'>): Uint8Array {
  const none = tensor(new Uint8Array(height * width).fill(IGNORED), [1, height, width], { device: logits.device });
  return pixelCrossEntropy(
    logits,
    none,
    ones([logits.shape[3]!], { device: logits.device }),
  ).predicted.data() as Uint8Array;
}

/**
 * The class of each pixel of a picture. The model should be in evaluation mode.
 * @param size of the mask that is returned
 * @throws if the picture, scaled, is smaller than 32 pixels a side
 */
export async function segmentPicture(
  model: Backbone,
  picture: Picture,
  normalisation: Normalisation,
  size: Pick<Mask, 'height' | 'width'>,
  { scales = [1], flip = false, window = null }: SegmentOptions = {},
): Promise<Mask> {
  const segmenter = new Segmenter(model, normalisation, window);
  const scaled: Picture[] = [];
  for (const scale of scales) {
    const [width, height] = [Math.round(picture.width * scale), Math.round(picture.height * scale)];
    const from = [picture.width, picture.height] as const;
    scaled.push({ pixels: await resizePicture(picture.pixels, from, [width, height]), height, width });
  }
  const pixels = scope(() =>
    noGrad(() => {
      if (scaled.length === 1 && !flip) return largest(segmenter.logits(scaled[0]!), size);
      const shares = (logits: Tensor): Tensor => softmax(resize(logits, [size.height, size.width], 'bilinear'));
      const sum = scaled
        .flatMap((one) =>
          flip ? [() => segmenter.logits(one), () => segmenter.flipped(one)] : [() => segmenter.logits(one)],
        )
        .map((view) => scope(() => shares(view())))
        .reduce((a, b) => add(a, b));
      return Uint8Array.from(argmax(sum, 3).data());
    }),
  );
  return { pixels, height: size.height, width: size.width }; // `size` may be a mask, with pixels of its own
}
