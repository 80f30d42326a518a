/** Textured planes that a camera moves over: the backgrounds of the films. */
import type { Philox } from '../../core/philox';
import { hsv, type Rgb } from './shapes';

const { cos, floor, hypot, min, PI, sin } = Math;

/** A periodic picture f32 [side, side, 3] with values 0..255; `side` is a power of two. */
export interface World {
  side: number;
  pixels: Float32Array;
}

/** Position of the camera: centre in world pixels, world pixels per screen pixel, angle in radians. */
export interface View {
  x: number;
  y: number;
  scale: number;
  angle: number;
}

/** A periodic scalar field, values about 0..1. */
type Field = (side: number, random: Philox) => Float32Array;

/** Periodic value noise of `cells` x `cells` random numbers, interpolated smoothly. */
function valueNoise(side: number, cells: number, random: Philox): Float32Array {
  const lattice = Float32Array.from({ length: cells * cells }, () => random.uniform());
  const step = cells / side;
  const result = new Float32Array(side * side);
  for (let y = 0, to = 0; y < side; y++) {
    const row = floor(y * step);
    const down = y * step - row;
    const v = down * down * (3 - 2 * down);
    const [above, below] = [row * cells, ((row + 1) % cells) * cells];
    for (let x = 0; x < side; x++) {
      const column = floor(x * step);
      const across = x * step - column;
      const u = across * across * (3 - 2 * across);
      const next = (column + 1) % cells;
      const top = lattice[above + column]! + u * (lattice[above + next]! - lattice[above + column]!);
      const bottom = lattice[below + column]! + u * (lattice[below + next]! - lattice[below + column]!);
      result[to++] = top + v * (bottom - top);
    }
  }
  return result;
}

/** Sum of value noise of doubling frequency and falling strength. */
const clouds: Field = (side, random) => {
  const [first, fall] = [random.int(3), random.uniform(0.4, 0.8)];
  const result = new Float32Array(side * side);
  let [strength, total] = [1, 0];
  for (let octave = 0; octave < 4; octave++) {
    const noise = valueNoise(side, 4 << (first + octave), random);
    for (let i = 0; i < result.length; i++) result[i]! += strength * noise[i]!;
    total += strength;
    strength *= fall;
  }
  return result.map((value) => value / total);
};

/** A field from a function of position in turns: periodic if the function has period 1 in both. */
function filled(side: number, value: (u: number, v: number) => number): Float32Array {
  const result = new Float32Array(side * side);
  for (let y = 0, to = 0; y < side; y++) for (let x = 0; x < side; x++) result[to++] = value(x / side, y / side);
  return result;
}

/** Waves in one direction, with soft or hard edges. */
const stripes: Field = (side, random) => {
  const [across, down] = [random.int(13) - 6, 1 + random.int(6)];
  const [sharpness, phase] = [random.uniform(1, 6), random.uniform(0, 2 * PI)];
  return filled(side, (u, v) => 1 / (1 + Math.exp(-sharpness * sin(2 * PI * (across * u + down * v) + phase))));
};

/** Squares of two kinds; every second row may be shifted, as bricks are. */
const tiles: Field = (side, random) => {
  const [columns, rows] = [2 * (1 + random.int(5)), 2 * (1 + random.int(5))];
  const [shift, joint] = [random.int(2) * 0.5, random.uniform(0, 0.15)];
  const tones = Float32Array.from({ length: columns * rows }, () => random.uniform(0.3, 1));
  return filled(side, (u, v) => {
    const row = floor(v * rows);
    const across = (u * columns + shift * (row % 2)) % columns;
    const column = floor(across);
    const edge = min(across - column, v * rows - row);
    return edge < joint ? 0 : tones[row * columns + column]!;
  });
};

/** Distance to the nearest of some points (Worley, "A cellular texture basis function", 1996). */
const cells: Field = (side, random) => {
  const points = Array.from({ length: 6 + random.int(18) }, () => [random.uniform(), random.uniform()] as const);
  const away = (a: number, b: number): number => 0.5 - Math.abs(0.5 - Math.abs(a - b));
  const reach = 1.2 / Math.sqrt(points.length);
  return filled(side, (u, v) => {
    let nearest = 1;
    for (const [x, y] of points) nearest = min(nearest, hypot(away(u, x), away(v, y)));
    return min(1, nearest / reach);
  });
};

const FIELDS: readonly Field[] = [clouds, clouds, stripes, tiles, cells];

/** Draws a plane: a pattern between two colours, and clouds of a third over it. */
export function drawWorld(side: number, random: Philox): World {
  const colour = (): Rgb => hsv(random.uniform(), random.uniform(0, 0.8), random.uniform(0.1, 1));
  const [low, high, veil] = [colour(), colour(), colour()];
  const pattern = FIELDS[random.int(FIELDS.length)]!(side, random.fork('pattern'));
  const cover = clouds(side, random.fork('clouds'));
  const strength = random.uniform(0, 0.8);
  const pixels = new Float32Array(side * side * 3);
  for (let i = 0, to = 0; i < pattern.length; i++) {
    const [share, veiled] = [pattern[i]!, strength * cover[i]!];
    for (let c = 0; c < 3; c++) {
      const value = low[c]! + share * (high[c]! - low[c]!);
      pixels[to++] = value + veiled * (veil[c]! - value);
    }
  }
  return { side, pixels };
}

/** Fills `picture` f32 [size, size, 3] with what the camera sees, by bilinear interpolation. */
export function look({ side, pixels }: World, view: View, size: number, picture: Float32Array): void {
  const [mask, half] = [side - 1, size / 2];
  const [ax, ay] = [cos(view.angle) * view.scale, sin(view.angle) * view.scale];
  for (let y = 0, to = 0; y < size; y++) {
    const down = y + 0.5 - half;
    for (let x = 0; x < size; x++) {
      const across = x + 0.5 - half;
      const u = view.x + across * ax - down * ay;
      const v = view.y + across * ay + down * ax;
      const [left, top] = [floor(u), floor(v)];
      const [du, dv] = [u - left, v - top];
      const above = (top & mask) * side;
      const below = ((top + 1) & mask) * side;
      const [from, next] = [left & mask, (left + 1) & mask];
      for (let c = 0; c < 3; c++) {
        const a = pixels[(above + from) * 3 + c]!;
        const b = pixels[(below + from) * 3 + c]!;
        const upper = a + du * (pixels[(above + next) * 3 + c]! - a);
        const lower = b + du * (pixels[(below + next) * 3 + c]! - b);
        picture[to++] = upper + dv * (lower - upper);
      }
    }
  }
}
