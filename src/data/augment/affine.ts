/**
 * Rotation, shear and translation of frames, equal to Pillow's `Image.transform`: the centre of each pixel of the result is looked
 * up in the frame by bilinear or bicubic interpolation in double precision; outside is grey.
 */
import type { ClipSize } from './size';

/** Cached because access to a global is slow in a sandboxed context (jest, node:vm). */
const { cos, floor, max, min, sin, PI } = Math;

/** Maps a pixel (x, y) of the result to its source (x', y'): x' = a·x + b·y + c, y' = d·x + e·y + f. */
export type Matrix = readonly [a: number, b: number, c: number, d: number, e: number, f: number];

export type Interpolation = 'bilinear' | 'bicubic';

/** Grey level outside the frame. */
const FILL = 128;

const round15 = (x: number): number => Number(x.toFixed(15));

/** Rotation by `degrees`, anticlockwise, about the centre. */
export function rotation(degrees: number, { width, height }: { width: number; height: number }): Matrix {
  const angle = (-degrees * PI) / 180;
  const [c, s] = [round15(cos(angle)), round15(sin(angle))];
  const [x, y] = [width / 2, height / 2];
  return [c, s, c * -x + s * -y + x, -s, c, -s * -x + c * -y + y];
}

/** Shear: shifts rows by `factor` · y, or columns (`vertical`) by `factor` · x. */
export const shear = (factor: number, vertical: boolean): Matrix =>
  vertical ? [1, 0, 0, factor, 1, 0] : [1, factor, 0, 0, 1, 0];

/** Translation by `pixels` to the left, or upwards (`vertical`). */
export const shift = (pixels: number, vertical: boolean): Matrix =>
  vertical ? [1, 0, 0, 0, 1, pixels] : [1, 0, pixels, 0, 1, 0];

/** Pillow's cubic through four samples at −1, 0, 1, 2 (Keys' kernel with a = −1). */
function cubic(v1: number, v2: number, v3: number, v4: number, d: number): number {
  return v2 + d * (v3 - v1 + d * (2 * (v1 - v2) + v3 - v4 + d * (v2 - v1 + v4 - v3)));
}

/** One pixel of the result, looked up at (x, y) of all its frames. */
type Sampler = (from: Uint8Array, base: number, x: number, y: number, to: Uint8Array, at: number) => void;

function bilinearSampler({ width, height }: ClipSize): Sampler {
  return (from, base, x, y, to, at) => {
    const [x0, y0] = [floor(x), floor(y)];
    const [dx, dy] = [x - x0, y - y0];
    const [left, right] = [max(x0, 0) * 3, min(x0 + 1, width - 1) * 3];
    const above = base + max(y0, 0) * width * 3;
    const below = base + (y0 + 1 < height ? y0 + 1 : max(y0, 0)) * width * 3;
    for (let c = 0; c < 3; c++) {
      const [a, b] = [from[above + left + c]!, from[above + right + c]!];
      const [e, f] = [from[below + left + c]!, from[below + right + c]!];
      const [top, bottom] = [a + (b - a) * dx, e + (f - e) * dx];
      to[at + c] = top + (bottom - top) * dy;
    }
  };
}

/** Four samples of a row of channel bytes from `i`, at the byte offsets c0 to c3. */
function across(from: Uint8Array, i: number, c0: number, c1: number, c2: number, c3: number, d: number): number {
  if (d === 0) return from[i + c1]!;
  return cubic(from[i + c0]!, from[i + c1]!, from[i + c2]!, from[i + c3]!, d);
}

function bicubicSampler({ width, height }: ClipSize): Sampler {
  const last = (width - 1) * 3;
  const stride = width * 3;
  return (from, base, x, y, to, at) => {
    const x0 = floor(x);
    const y0 = floor(y);
    const dx = x - x0;
    const dy = y - y0;
    const c0 = min(max((x0 - 1) * 3, 0), last);
    const c1 = min(max(x0 * 3, 0), last);
    const c2 = min((x0 + 1) * 3, last);
    const c3 = min((x0 + 2) * 3, last);
    // Pillow repeats the row before where the next is outside; the first of the four is clamped.
    const r0 = base + max(y0 - 1, 0) * stride;
    const r1 = y0 >= 0 ? base + y0 * stride : r0;
    const r2 = y0 + 1 < height ? base + (y0 + 1) * stride : r1;
    const r3 = y0 + 2 < height ? base + (y0 + 2) * stride : r2;
    for (let c = 0; c < 3; c++) {
      let v = across(from, r1 + c, c0, c1, c2, c3, dx);
      if (dy !== 0) {
        const before = across(from, r0 + c, c0, c1, c2, c3, dx);
        const after = across(from, r2 + c, c0, c1, c2, c3, dx);
        v = cubic(before, v, after, across(from, r3 + c, c0, c1, c2, c3, dx), dy);
      }
      to[at + c] = v <= 0 ? 0 : v >= 255 ? 255 : v;
    }
  };
}

/** Applies `matrix` to every frame. Returns a new u8 [frames, height, width, 3]. */
export function transform(
  pixels: Uint8Array,
  size: ClipSize,
  [a, b, c, d, e, f]: Matrix,
  interpolation: Interpolation,
): Uint8Array {
  const { frames, height, width } = size;
  const result = new Uint8Array(pixels.length).fill(FILL);
  const sample = interpolation === 'bicubic' ? bicubicSampler(size) : bilinearSampler(size);
  const bytes = height * width * 3;
  for (let base = 0; base < frames * bytes; base += bytes) {
    for (let y = 0, at = base; y < height; y++) {
      for (let x = 0; x < width; x++, at += 3) {
        const fromX = a * (x + 0.5) + b * (y + 0.5) + c;
        const fromY = d * (x + 0.5) + e * (y + 0.5) + f;
        if (!(fromX >= 0 && fromX < width && fromY >= 0 && fromY < height)) continue;
        sample(pixels, base, fromX - 0.5, fromY - 0.5, result, at);
      }
    }
  }
  return result;
}
