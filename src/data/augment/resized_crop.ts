/** Random resized crop (Szegedy et al., 2015). */
import type { Philox } from '../../core/philox';
import type { Box } from '../sampling';
import type { ClipSize } from './size';

/** Cached because access to a global is slow in a sandboxed context (jest, node:vm). */
const { exp, floor, log, max, min, round, sqrt } = Math;

type Range = readonly [least: number, most: number];

const TRIES = 10;

/** The largest box in the middle whose aspect is within the range. */
function middleBox(width: number, height: number, [narrow, broad]: Range): Box {
  const aspect = width / height;
  const w = aspect > broad ? round(height * broad) : width;
  const h = aspect < narrow ? round(width / narrow) : height;
  return { x: floor((width - w) / 2), y: floor((height - h) / 2), width: w, height: h };
}

/** Draws a box whose area is a share in `scale` of the frame's and whose aspect ratio is log-uniform in `aspect`. */
export function drawResizedCrop(
  width: number,
  height: number,
  { scale, aspect }: { scale: Range; aspect: Range },
  random: Philox,
): Box {
  for (let i = 0; i < TRIES; i++) {
    const area = random.uniform(...scale) * width * height;
    const ratio = exp(random.uniform(log(aspect[0]), log(aspect[1])));
    const [w, h] = [round(sqrt(area * ratio)), round(sqrt(area / ratio))];
    if (!(w > 0 && w <= width && h > 0 && h <= height)) continue;
    const y = random.int(height - h + 1);
    return { x: random.int(width - w + 1), y, width: w, height: h };
  }
  return middleBox(width, height, aspect);
}

/** For each output position: its two neighbours in the source and the weight of the second. */
interface Taps {
  at: Int32Array;
  next: Int32Array;
  share: Float64Array;
}

function taps(first: number, count: number, wanted: number): Taps {
  const source = Float64Array.from({ length: wanted }, (_, i) => max(0, ((i + 0.5) * count) / wanted - 0.5));
  return {
    at: Int32Array.from(source, (s) => first + floor(s)),
    next: Int32Array.from(source, (s) => first + min(floor(s) + 1, count - 1)),
    share: source.map((s) => s - floor(s)),
  };
}

/**
 * Cuts a box out of every frame and resizes it by bilinear interpolation between pixel centres, without smoothing before
 * (PyTorch's `interpolate`, which the authors use), rounded to bytes: u8 [frames, outHeight, outWidth, 3].
 */
export function resizeCrop(
  pixels: Uint8Array,
  { frames, height, width }: ClipSize,
  box: Box,
  outWidth: number,
  outHeight: number,
): Uint8Array {
  const [across, down] = [taps(box.x, box.width, outWidth), taps(box.y, box.height, outHeight)];
  return resample(pixels, { frames, height, width }, across, down);
}

/** Taps of `count` output positions from `start` on. */
const slice = ({ at, next, share }: Taps, start: number, count: number): Taps => ({
  at: at.subarray(start, start + count),
  next: next.subarray(start, start + count),
  share: share.subarray(start, start + count),
});

/** The box of frames that are scaled to `size` [width, height] as `resizeCrop` scales: only its pixels are computed. */
export function scaleAndCrop(
  pixels: Uint8Array,
  whole: ClipSize,
  size: readonly [number, number],
  box: Box,
): Uint8Array {
  const across = slice(taps(0, whole.width, size[0]), box.x, box.width);
  const down = slice(taps(0, whole.height, size[1]), box.y, box.height);
  return resample(pixels, whole, across, down);
}

function resample(pixels: Uint8Array, { frames, height, width }: ClipSize, across: Taps, down: Taps): Uint8Array {
  const [outWidth, outHeight] = [across.at.length, down.at.length];
  const result = new Uint8Array(frames * outHeight * outWidth * 3);
  for (let t = 0, to = 0; t < frames; t++) {
    for (let y = 0; y < outHeight; y++) {
      const above = (t * height + down.at[y]!) * width;
      const below = (t * height + down.next[y]!) * width;
      to = resizeRow(pixels, above, below, down.share[y]!, across, result, to);
    }
  }
  return result;
}

function resizeRow(
  pixels: Uint8Array,
  above: number,
  below: number,
  share: number,
  across: Taps,
  result: Uint8Array,
  start: number,
): number {
  let to = start;
  for (let x = 0; x < across.at.length; x++) {
    const [left, right, dx] = [across.at[x]!, across.next[x]!, across.share[x]!];
    for (let c = 0; c < 3; c++) {
      const a = pixels[(above + left) * 3 + c]!;
      const e = pixels[(below + left) * 3 + c]!;
      const top = a + (pixels[(above + right) * 3 + c]! - a) * dx;
      const bottom = e + (pixels[(below + right) * 3 + c]! - e) * dx;
      result[to++] = top + (bottom - top) * share + 0.5;
    }
  }
  return to;
}
