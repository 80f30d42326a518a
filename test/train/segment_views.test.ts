/** Segmentation by windows, sizes and mirrored pictures, against float64 loops over the network's own logits. */
import { noGrad } from '../../src/core/autograd';
import { Philox } from '../../src/core/philox';
import { scope } from '../../src/core/scope';
import { addSegmentOptions, segmentOptionsOf } from '../../src/cli/commands/segment_options';
import { resizePicture } from '../../src/data/pictures/pictures';
import { SemanticFpn } from '../../src/models/semantic_fpn';
import { seedInit } from '../../src/nn/init';
import { inputOf } from '../../src/train/input';
import { segmentPicture, type Picture, type SegmentOptions } from '../../src/train/segment';
import { Command } from 'commander';
import { SMALL_NETWORK } from '../support/small_network';

const CLASSES = 5;
const NORMALISATION = { mean: [0.45, 0.4, 0.5], std: [0.225, 0.25, 0.2] };

/** Numbers [height, width, classes] in float64. */
interface Grid {
  height: number;
  width: number;
  values: Float64Array;
}

let model: SemanticFpn;
beforeAll(() => {
  seedInit(5);
  model = new SemanticFpn({ ...SMALL_NETWORK, task: 'segment', numClasses: CLASSES });
  model.eval();
  // Without the mean of the logits in the bias, one class would win nearly everywhere.
  const { values } = logitsOf(pictureOf(50, 71), 0, 0, 50, 71);
  const pixels = values.length / CLASSES;
  const means = Array.from({ length: CLASSES }, (_, c) => values.reduce((sum, v, i) => sum + (i % CLASSES === c ? v / pixels : 0), 0)); // prettier-ignore
  const { bias } = model.head.predict;
  bias!.copyFrom(bias!.floats().map((b, c) => b - means[c]!));
});
afterAll(() => model.dispose());

/** A picture of coloured blocks and noise, different at every place and not symmetric. */
function pictureOf(height: number, width: number): Picture {
  const random = new Philox(height * 1000 + width);
  const pixels = new Uint8Array(height * width * 3);
  for (let y = 0; y < height; y++)
    for (let x = 0; x < width; x++)
      for (let c = 0; c < 3; c++) {
        const block = (Math.floor(y / 13) * 7 + Math.floor(x / 11) * 5 + c * 3) % 8;
        pixels[(y * width + x) * 3 + c] = Math.floor(24 * block + random.uniform(0, 60));
      }
  return { pixels, height, width };
}

/** The network's logits of rows and columns of a picture. */
function logitsOf(picture: Picture, top: number, left: number, height: number, width: number): Grid {
  const pixels = new Uint8Array(height * width * 3);
  for (let i = 0; i < pixels.length; i++) {
    const [y, x, c] = [Math.floor(i / 3 / width), Math.floor(i / 3) % width, i % 3];
    pixels[i] = picture.pixels[((top + y) * picture.width + left + x) * 3 + c]!;
  }
  return scope(() =>
    noGrad(() => {
      const found = model.forward(inputOf({ pixels, shape: [1, 1, height, width, 3], normalisation: NORMALISATION }));
      const [, rows, columns] = found.shape as [number, number, number, number];
      return { height: rows, width: columns, values: Float64Array.from(found.floats()) };
    }),
  );
}

/** Bilinear resizing whose pixels have their centres at halves. */
function bilinear(from: Grid, height: number, width: number): Grid {
  const taps = (i: number, inner: number, outer: number): [number, number, number] => {
    const at = Math.max(0, ((i + 0.5) * inner) / outer - 0.5);
    const low = Math.min(inner - 1, Math.floor(at));
    return [low, Math.min(inner - 1, low + 1), at - low];
  };
  const values = new Float64Array(height * width * CLASSES);
  const read = (y: number, x: number, c: number): number => from.values[(y * from.width + x) * CLASSES + c]!;
  for (let y = 0; y < height; y++)
    for (let x = 0; x < width; x++)
      for (let c = 0; c < CLASSES; c++) {
        const [up, down, v] = taps(y, from.height, height);
        const [left, right, u] = taps(x, from.width, width);
        values[(y * width + x) * CLASSES + c] =
          (1 - v) * ((1 - u) * read(up, left, c) + u * read(up, right, c)) +
          v * ((1 - u) * read(down, left, c) + u * read(down, right, c));
      }
  return { height, width, values };
}

/** Mean logits of all windows, or those of the whole picture. */
function viewed(picture: Picture, window: SegmentOptions['window']): Grid {
  const { height, width } = picture;
  if (!window) return logitsOf(picture, 0, 0, height, width);
  const starts = (length: number): number[] => {
    const found = new Set<number>();
    for (let start = 0; ; start += window.stride) {
      found.add(Math.max(0, Math.min(start, length - window.side)));
      if (start + window.side >= length) return [...found];
    }
  };
  const [values, counts] = [new Float64Array(height * width * CLASSES), new Float64Array(height * width)];
  for (const top of starts(height))
    for (const left of starts(width)) {
      const [rows, columns] = [Math.min(window.side, height), Math.min(window.side, width)];
      const part = bilinear(logitsOf(picture, top, left, rows, columns), rows, columns);
      for (let y = 0; y < rows; y++)
        for (let x = 0; x < columns; x++) {
          const pixel = (top + y) * width + left + x;
          counts[pixel]! += 1;
          for (let c = 0; c < CLASSES; c++)
            values[pixel * CLASSES + c]! += part.values[(y * columns + x) * CLASSES + c]!;
        }
    }
  return { height, width, values: values.map((sum, i) => sum / counts[Math.floor(i / CLASSES)]!) };
}

function mirror<T extends Uint8Array | Float64Array>(values: T, width: number, channels: number): T {
  return values.map((_: number, i: number) => {
    const [pixel, channel] = [Math.floor(i / channels), i % channels];
    const [row, x] = [Math.floor(pixel / width), pixel % width];
    return values[(row * width + width - 1 - x) * channels + channel]!;
  }) as T;
}

function softmaxOf({ height, width, values }: Grid): Grid {
  const shares = values.slice();
  for (let at = 0; at < shares.length; at += CLASSES) {
    const exps = [...values.subarray(at, at + CLASSES)].map(Math.exp);
    const sum = exps.reduce((a, b) => a + b);
    exps.forEach((e, c) => (shares[at + c] = e / sum));
  }
  return { height, width, values: shares };
}

/** Scores of each pixel as `segmentPicture` promises them: logits of one view, or the sum of probabilities. */
async function scoresOf(picture: Picture, height: number, width: number, how: SegmentOptions): Promise<Float64Array> {
  const { scales = [1], flip = false, window = null } = how;
  if (scales.length === 1 && !flip) {
    const one = await scaledBy(picture, scales[0]!);
    return bilinear(viewed(one, window), height, width).values;
  }
  const total = new Float64Array(height * width * CLASSES);
  for (const scale of scales)
    for (const mirrored of flip ? [false, true] : [false]) {
      const one = await scaledBy(picture, scale);
      const seen = mirrored ? { ...one, pixels: mirror(one.pixels, one.width, 3) } : one;
      const found = viewed(seen, window);
      const straight = mirrored ? { ...found, values: mirror(found.values, found.width, CLASSES) } : found;
      softmaxOf(bilinear(straight, height, width)).values.forEach((share, i) => (total[i]! += share));
    }
  return total;
}

async function scaledBy(picture: Picture, scale: number): Promise<Picture> {
  const [width, height] = [Math.round(picture.width * scale), Math.round(picture.height * scale)];
  return {
    pixels: await resizePicture(picture.pixels, [picture.width, picture.height], [width, height]),
    height,
    width,
  };
}

/** Compares the classes of all pixels but those of which float64 itself has two that are nearly as large. */
function compare(found: Uint8Array, scores: Float64Array): { wrong: number; near: number; classes: number } {
  let [wrong, near] = [0, 0];
  const classes = new Set<number>();
  for (let pixel = 0; pixel < found.length; pixel++) {
    const own = [...scores.subarray(pixel * CLASSES, (pixel + 1) * CLASSES)];
    expect(own.every(Number.isFinite)).toBe(true);
    const largest = Math.max(...own);
    classes.add(own.indexOf(largest));
    if (own.filter((score) => score > largest - 1e-5 * Math.max(1, Math.abs(largest))).length > 1) near++;
    else if (found[pixel] !== own.indexOf(largest)) wrong++;
  }
  return { wrong, near, classes: classes.size };
}

describe.each<[string, [number, number], [number, number], SegmentOptions]>([
  ['windows that do not divide the sides', [75, 101], [75, 101], { window: { side: 48, stride: 20 } }],
  ['windows, and a mask of another size', [70, 53], [91, 66], { window: { side: 33, stride: 33 } }],
  ['a window longer than one side', [40, 90], [40, 90], { window: { side: 64, stride: 40 } }],
  ['a picture smaller than the window', [37, 50], [37, 50], { window: { side: 64, stride: 43 } }],
  ['one other size', [50, 64], [50, 64], { scales: [1.3] }],
  ['mirrored', [45, 70], [45, 70], { flip: true }],
  ['sizes, mirrored', [50, 71], [61, 80], { scales: [0.75, 1, 1.4], flip: true }],
  ['sizes, mirrored, by windows', [50, 71], [50, 71], { scales: [0.8, 1.25], flip: true, window: { side: 40, stride: 27 } }], // prettier-ignore
])('%s', (_, [height, width], [rows, columns], how) => {
  test('every pixel has the class of the largest score in float64', async () => {
    const picture = pictureOf(height, width);
    const found = await segmentPicture(model, picture, NORMALISATION, { height: rows, width: columns }, how);
    const { wrong, near, classes } = compare(found.pixels, await scoresOf(picture, rows, columns, how));
    expect(wrong).toBe(0);
    expect(near / (rows * columns)).toBeLessThan(0.01);
    expect(classes).toBeGreaterThanOrEqual(3);
  });
});

describe('--sliding-window', () => {
  const parsed = (text: string) => {
    const command = addSegmentOptions(new Command())
      .exitOverride()
      .configureOutput({ writeErr: () => {} });
    command.parse(['--sliding-window', text], { from: 'user' });
    return segmentOptionsOf(command.opts()).window;
  };

  test('is a side, and a stride that is two thirds of it by default', () => {
    expect(parsed('512')).toEqual({ side: 512, stride: 341 });
    expect(parsed('64,64')).toEqual({ side: 64, stride: 64 });
    expect(parsed('32,1')).toEqual({ side: 32, stride: 1 });
  });

  test.each(['', '31', '64,0', '64,65', '64,', ',64', '64x48', '-64', '64.5', '64,3,2'])('refuses "%s"', (text) => {
    expect(() => parsed(text)).toThrow(/Expected a side of at least 32 pixels, and a distance from 1 to the side/);
  });
});
