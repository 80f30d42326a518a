/** Scene of the synthetic datasets: a dull background, a coloured and textured figure, noise. */
import type { Philox } from '../../core/philox';
import { hsv, texture, TEXTURES, type Figure, type Outline, type Rgb } from './shapes';

/** Gaussian quantiles at the middles of 256 equal shares: one random byte picks one. */
const QUANTILES = Float32Array.from({ length: 256 }, (_, i) => normalQuantile((i + 0.5) / 256));

/** Inverse of the normal distribution function, by Newton's method on a logistic first guess. */
function normalQuantile(p: number): number {
  let x = Math.log(p / (1 - p)) / 1.702;
  for (let i = 0; i < 8; i++) {
    const density = Math.exp(-0.5 * x * x) / Math.sqrt(2 * Math.PI);
    x -= (normalBelow(x) - p) / density;
  }
  return x;
}

/** Share of a standard normal distribution below x (series of Marsaglia, 2004). */
function normalBelow(x: number): number {
  let term = x;
  let sum = x;
  for (let i = 3; Math.abs(term) > 1e-12 && i < 200; i += 2) sum += term *= (x * x) / i;
  return 0.5 + sum * Math.exp(-0.5 * x * x - 0.5 * Math.log(2 * Math.PI));
}

/** The 256 values of Gaussian noise of a standard deviation, in levels of brightness. */
export const noiseTable = (sigma: number): Float32Array => QUANTILES.map((q) => q * sigma);

/** A figure with random colours and texture; `outline` draws or names its shape. */
export function drawColours(rng: Philox, outline: (rng: Philox) => Outline): Figure {
  const hue = rng.uniform();
  const main = hsv(hue, rng.uniform(0.1, 0.4), rng.uniform(0.9, 1));
  const second = hsv(hue + rng.uniform(0.1, 0.4), rng.uniform(0.2, 0.6), rng.uniform(0.7, 0.85));
  return {
    outline: outline(rng),
    texture: texture(rng.int(TEXTURES), rng.uniform(5, 10)),
    colours: [main, second],
  };
}

/** A dull background [size, size, 3] that fades from one colour to another. */
export function drawBackground(size: number, rng: Philox): Float32Array {
  const colour = (): Rgb => hsv(rng.uniform(), rng.uniform(0, 0.2), rng.uniform(0.12, 0.18));
  const [from, to] = [colour(), colour()];
  const angle = rng.uniform(0, 2 * Math.PI);
  const [across, down] = [Math.cos(angle) / size, Math.sin(angle) / size];
  const picture = new Float32Array(size * size * 3);
  for (let y = 0, at = 0; y < size; y++) {
    for (let x = 0; x < size; x++) {
      const share = 0.5 + 0.5 * ((x - size / 2) * across + (y - size / 2) * down);
      for (let c = 0; c < 3; c++) picture[at++] = from[c]! + share * (to[c]! - from[c]!);
    }
  }
  return picture;
}

/** Writes `picture` plus fresh noise, rounded and clamped to 0..255, to `frame`. */
export function addNoise(frame: Uint8ClampedArray, picture: Float32Array, noise: Float32Array, rng: Philox): void {
  const bytes = rng.bytes(picture.length);
  for (let i = 0; i < picture.length; i++) frame[i] = picture[i]! + noise[bytes[i]!]!;
}
