/**
 * Anti-aliased drawing of textured shapes into a small RGB picture: the figures of the embedded motion dataset.
 *
 * A shape is a signed distance function in its own coordinates (u to the right, v down, unit radius, pointing up
 * at angle 0), negative inside. No shape has a rotational symmetry, so every rotation is visible.
 */

/** Cached because access to a global is slow in a sandboxed context (jest, node:vm). */
const { ceil, cos, floor, hypot, max, min, sin } = Math;

/** Signed distance of (u, v) to a shape's outline, in units of its radius. */
export type Outline = (u: number, v: number) => number;

/** Brightness pattern in [0, 1] at (u, v), in the shape's own coordinates, so that it moves and turns with it. */
type Texture = (u: number, v: number) => number;

/** A half plane a·u + b·v <= c with (a, b) of length 1. */
type HalfPlane = readonly [a: number, b: number, c: number];

/** The half plane on the right hand of someone going from (u0, v0) to (u1, v1) on the screen. */
function edge(u0: number, v0: number, u1: number, v1: number): HalfPlane {
  const length = hypot(u1 - u0, v1 - v0);
  const a = (v1 - v0) / length;
  const b = (u0 - u1) / length;
  return [a, b, a * u0 + b * v0];
}

/** A convex polygon from its corners, listed clockwise as seen on the screen. */
function polygon(...corners: (readonly [number, number])[]): Outline {
  const sides = corners.map(([u, v], i) => {
    const [nextU, nextV] = corners[(i + 1) % corners.length]!;
    return edge(u, v, nextU, nextV);
  });
  return (u, v) => {
    let distance = -Infinity;
    for (const [a, b, c] of sides) distance = max(distance, a * u + b * v - c);
    return distance;
  };
}

const disc =
  (centreU: number, centreV: number, radius: number): Outline =>
  (u, v) =>
    hypot(u - centreU, v - centreV) - radius;

const union =
  (...parts: Outline[]): Outline =>
  (u, v) =>
    min(...parts.map((part) => part(u, v)));

/** A triangle, a drop, an arrow and a house, all longer than wide, which makes rotation easy to see. */
export const OUTLINES: readonly Outline[] = [
  polygon([0, -1], [0.55, 0.9], [-0.55, 0.9]),
  union(disc(0, 0.5, 0.45), polygon([0, -1], [0.43, 0.37], [0, 0.6], [-0.43, 0.37])),
  union(polygon([0, -1], [0.6, -0.1], [-0.6, -0.1]), polygon([-0.3, -0.2], [0.3, -0.2], [0.3, 0.95], [-0.3, 0.95])),
  polygon([0, -1], [0.45, -0.4], [0.45, 0.95], [-0.45, 0.95], [-0.45, -0.4]),
];

const wave = (x: number): number => 0.5 + 0.5 * sin(x);

/** Textures by number; `frequency` is in radians per radius. */
export function texture(kind: number, frequency: number): Texture {
  const kinds: Texture[] = [
    (u) => wave(frequency * u),
    (_u, v) => wave(frequency * v),
    (u, v) => 0.5 + 0.5 * sin(frequency * u) * sin(frequency * v),
    (u, v) => wave(frequency * hypot(u, v)),
  ];
  return kinds[kind % kinds.length]!;
}

/** Number of textures. */
export const TEXTURES = 4;

export type Rgb = readonly [r: number, g: number, b: number];

/** Position, size and orientation of a shape; lengths in pixels, angles in radians, clockwise. */
export interface Pose {
  x: number;
  y: number;
  radius: number;
  angle: number;
}

export interface Figure {
  outline: Outline;
  texture: Texture;
  /** Colours where the texture is 0 and 1, each 0..255. */
  colours: readonly [Rgb, Rgb];
}

/** Calls `each` with every pixel near a shape, and its place (u, v) in the shape's own coordinates. */
function eachPixel(size: number, pose: Pose, each: (pixel: number, u: number, v: number) => void): void {
  const reach = ceil(pose.radius * 1.3) + 1;
  const across = cos(pose.angle) / pose.radius;
  const down = sin(pose.angle) / pose.radius;
  const from = (centre: number): number => max(0, floor(centre) - reach);
  const to = (centre: number): number => min(size - 1, ceil(centre) + reach);
  for (let py = from(pose.y); py <= to(pose.y); py++) {
    for (let px = from(pose.x); px <= to(pose.x); px++) {
      const dx = px + 0.5 - pose.x;
      const dy = py + 0.5 - pose.y;
      each(py * size + px, dx * across + dy * down, dy * across - dx * down);
    }
  }
}

/** Draws `figure` at `pose` over `picture` (float [size, size, 3], values 0..255), in place. */
export function drawFigure(picture: Float32Array, size: number, figure: Figure, pose: Pose): void {
  eachPixel(size, pose, (pixel, u, v) => blend(picture, pixel * 3, figure, u, v, pose.radius));
}

/** Writes `label` to the pixels of a mask [size, size] whose centres are inside a shape at `pose`. */
export function markFigure(mask: Uint8Array, size: number, outline: Outline, pose: Pose, label: number): void {
  eachPixel(size, pose, (pixel, u, v) => {
    if (outline(u, v) <= 0) mask[pixel] = label;
  });
}

/** Mixes the figure's colour at (u, v) into one pixel by the share of it that the outline covers. */
function blend(picture: Float32Array, at: number, figure: Figure, u: number, v: number, radius: number): void {
  const cover = min(1, max(0, 0.5 - figure.outline(u, v) * radius));
  if (cover === 0) return;
  const share = figure.texture(u, v);
  const [low, high] = figure.colours;
  for (let channel = 0; channel < 3; channel++) {
    const colour = low[channel]! + share * (high[channel]! - low[channel]!);
    picture[at + channel]! += cover * (colour - picture[at + channel]!);
  }
}

/** A colour by hue (turns), saturation and value (0..1), as RGB 0..255. */
export function hsv(hue: number, saturation: number, value: number): Rgb {
  const channel = (shift: number): number => {
    const k = (shift + hue * 6) % 6;
    return 255 * value * (1 - saturation * max(0, min(k, 4 - k, 1)));
  };
  return [channel(5), channel(3), channel(1)];
}
