/** Pictures for the benchmark's own videos. Nothing here is shared with the films of the start weights. */
import type { Philox } from '../../src/core/philox';

/** A picture of bytes [height, width, 3]. */
export interface Canvas {
  width: number;
  height: number;
  pixels: Uint8Array;
}

export type Colour = readonly [number, number, number];

export const canvas = (width: number, height: number): Canvas => ({
  width,
  height,
  pixels: new Uint8Array(width * height * 3),
});

/** A shape: whether it covers the point (u, v), both in -1..1 where it is drawn. */
export type Shape = (u: number, v: number) => boolean;

export const SHAPES: Readonly<Record<'disc' | 'square' | 'triangle', Shape>> = {
  disc: (u, v) => u * u + v * v < 1,
  square: (u, v) => Math.abs(u) < 0.85 && Math.abs(v) < 0.85,
  triangle: (u, v) => v < 0.9 && v > 2 * Math.abs(u) - 0.95,
};

/** Fills a shape around (x, y). */
export function fill(on: Canvas, shape: Shape, [x, y]: [number, number], radius: number, colour: Colour): void {
  const { width, height, pixels } = on;
  const from = (centre: number): number => Math.max(0, Math.floor(centre - radius));
  for (let py = from(y); py < Math.min(height, y + radius); py++)
    for (let px = from(x); px < Math.min(width, x + radius); px++)
      if (shape((px + 0.5 - x) / radius, (py + 0.5 - y) / radius)) pixels.set(colour, (py * width + px) * 3);
}

/** Dead leaves: discs and squares of falling size over each other, as natural pictures are made of objects that hide others. */
export function leaves(width: number, height: number, random: Philox, strength = 1): Canvas {
  const made = canvas(width, height);
  const tone = (): number => Math.round(128 + strength * random.uniform(-128, 127));
  const count = Math.round((width * height) / 180);
  for (let i = 0; i < count; i++) {
    const radius = 3 + (Math.min(width, height) / 3) * Math.pow(1 - i / count, 3);
    const shape = random.int(2) === 0 ? SHAPES.disc : SHAPES.square;
    fill(made, shape, [random.uniform(0, width), random.uniform(0, height)], radius, [tone(), tone(), tone()]);
  }
  return made;
}

/** What a camera at (x, y) sees of a scene, `scale` scene pixels a pixel, turned by `angle`; beyond its edge, its mirror. */
export function view(
  scene: Canvas,
  { x, y, scale, angle }: { x: number; y: number; scale: number; angle: number },
  into: Canvas,
): void {
  const mirror = (at: number, size: number): number => {
    const folded = ((at % (2 * size)) + 2 * size) % (2 * size);
    return Math.min(size - 1, Math.floor(folded < size ? folded : 2 * size - 1 - folded));
  };
  const [cos, sin] = [Math.cos(angle) * scale, Math.sin(angle) * scale];
  for (let row = 0, to = 0; row < into.height; row++)
    for (let column = 0; column < into.width; column++, to += 3) {
      const [sums, across, down] = [[0, 0, 0], column - into.width / 2, row - into.height / 2];
      // Four points a pixel, so that edges do not flicker.
      for (const [dx, dy] of [
        [0.25, 0.25],
        [0.75, 0.25],
        [0.25, 0.75],
        [0.75, 0.75],
      ] as const) {
        const [a, d] = [across + dx, down + dy];
        const px = mirror(x + a * cos - d * sin, scene.width);
        const py = mirror(y + a * sin + d * cos, scene.height);
        for (let c = 0; c < 3; c++) sums[c]! += scene.pixels[(py * scene.width + px) * 3 + c]!;
      }
      for (let c = 0; c < 3; c++) into.pixels[to + c] = sums[c]! / 4;
    }
}

/** Adds normal noise of a standard deviation, in levels. */
export function grain({ pixels }: Canvas, sigma: number, random: Philox): void {
  const bytes = random.bytes(pixels.length * 2);
  for (let i = 0; i < pixels.length; i++) {
    const noise = ((bytes[2 * i]! + bytes[2 * i + 1]! - 255) / 104) * sigma;
    pixels[i] = Math.max(0, Math.min(255, Math.round(pixels[i]! + noise)));
  }
}
