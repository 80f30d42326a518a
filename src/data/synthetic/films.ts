/**
 * Films drawn from a seed, for pretraining: a camera that moves over a textured plane, and a figure that does something in
 * front of it. A label names all three: the camera's move, the figure's action and its shape. A network must follow motion,
 * tell the camera's from the figure's, and see the order of events, which is what small sets of videos cannot teach it.
 */
import { Philox } from '../../core/philox';
import { addNoise, noiseTable } from './scene';
import { disc, drawFigure, hsv, polygon, texture, TEXTURES, union } from './shapes';
import type { Figure, Outline, Pose, Rgb } from './shapes';
import type { DrawnOptions } from './drawn_options';
import { drawWorld, look, type View } from './world';

/** Moves of the camera. */
export const CAMERAS = ['still', 'left', 'right', 'up', 'down', 'in', 'out', 'clockwise', 'anticlockwise'] as const;

/** Actions of the figure. `returns`: it goes some way and comes back. */
export const ACTIONS = [
  ...['still', 'left', 'right', 'up', 'down', 'grows', 'shrinks', 'clockwise', 'anticlockwise'],
  ...['appears', 'vanishes', 'returns'],
] as const;

/** A ring of inner radius 0.45. */
const ring: Outline = (u, v) => Math.abs(Math.hypot(u, v) - 0.72) - 0.27;

const box = (width: number, height: number): Outline =>
  polygon([-width, -height], [width, -height], [width, height], [-width, height]);

/** Shapes of the figure; those that can be seen to turn are longer than wide. */
const SHAPES: Readonly<Record<string, Outline>> = {
  disc: disc(0, 0, 0.8),
  triangle: polygon([0, -1], [0.6, 0.9], [-0.6, 0.9]),
  box: box(0.5, 0.9),
  cross: union(box(0.28, 1), box(0.75, 0.28)),
  ring,
  arrow: union(
    polygon([0, -1], [0.65, -0.1], [-0.65, -0.1]),
    polygon([-0.3, -0.2], [0.3, -0.2], [0.3, 0.95], [-0.3, 0.95]),
  ),
};
const SHAPE_NAMES = Object.keys(SHAPES);

/** The classes: moves of the camera, actions of the figure, shapes. A film has one of each. */
export const FILM_CLASSES: readonly string[] = [
  ...CAMERAS.map((name) => `camera-${name}`),
  ...ACTIONS.map((name) => `figure-${name}`),
  ...SHAPE_NAMES,
];

/** Labels of film `index`: camera, action and shape. All combinations come once before one comes again. */
export function filmLabels(index: number): [camera: number, action: number, shape: number] {
  const combination = (index * 263) % (CAMERAS.length * ACTIONS.length * SHAPE_NAMES.length);
  const [camera, rest] = [combination % CAMERAS.length, Math.floor(combination / CAMERAS.length)];
  const [action, shape] = [rest % ACTIONS.length, Math.floor(rest / ACTIONS.length)];
  return [camera, CAMERAS.length + action, CAMERAS.length + ACTIONS.length + shape];
}

/** Soft targets of film `index`: a third on each of its labels. */
export function filmTargets(index: number): Float32Array {
  const targets = new Float32Array(FILM_CLASSES.length);
  for (const label of filmLabels(index)) targets[label] = 1 / 3;
  return targets;
}

/** @throws if an option is out of its range */
export function checkFilm({ size, frames }: { size: number; frames: number }): void {
  const bad = (what: string, got: number): Error => new Error(`films: ${what}, got ${got}`);
  if (!Number.isInteger(size) || size < 16) throw bad('size must be an integer of at least 16', size);
  if (!Number.isInteger(frames) || frames < 1) throw bad('frames must be an integer of at least 1', frames);
}

const { abs, cos, exp, log, min, PI, sin } = Math;

/** A number that is uniform on a logarithmic scale. */
const logUniform = (random: Philox, least: number, most: number): number => exp(random.uniform(log(least), log(most)));

/** Progress from -1/2 to 1/2 at t in 0..1, at a speed that changes by up to half. */
const progress = (t: number, change: number): number => t - 0.5 + change * (t * t - t);

/** The camera at time t in 0..1. A whole film moves it by 0.15 to 1.2 of the picture's side, 1.15 to 2 times, or 0.15 to 1.6 radians. */
function drawCamera(move: string, size: number, random: Philox): (t: number) => View {
  const [start, zoom, turn] = [random.uniform(0, 2 * size), logUniform(random, 0.6, 1.3), random.uniform(0, 2 * PI)];
  const [change, shake] = [random.uniform(-0.5, 0.5), random.int(2) * random.uniform(0, 0.012) * size];
  const [rate, phase] = [random.uniform(4, 14), random.uniform(0, 2 * PI)];
  const way = logUniform(random, 0.15, 1.2) * size;
  const factor = logUniform(random, 0.14, 0.7);
  const angle = logUniform(random, 0.15, 1.6);
  const [across, down] = [{ left: -way, right: way }[move] ?? 0, { up: -way, down: way }[move] ?? 0];
  const nearer = { in: -factor, out: factor }[move] ?? 0;
  const turning = { clockwise: angle, anticlockwise: -angle }[move] ?? 0;
  // Pans are along the picture's sides, so panning cameras are level.
  const level = move === 'left' || move === 'right' || move === 'up' || move === 'down';
  return (t) => {
    const p = progress(t, change);
    return {
      x: start + p * across * zoom + shake * sin(rate * t + phase),
      y: start + p * down * zoom + shake * cos(rate * 1.3 * t + phase),
      scale: zoom * exp(p * nearer),
      angle: (level ? 0 : turn) + p * turning,
    };
  };
}

/** The figure's pose at time t in 0..1; a radius of 0 is no figure. */
function drawAction(action: string, size: number, random: Philox): (t: number) => Pose {
  const radius = size * random.uniform(0.14, 0.26);
  const centre = { x: size * random.uniform(0.35, 0.65), y: size * random.uniform(0.35, 0.65) };
  const [tilt, change] = [random.uniform(-0.5, 0.5), random.uniform(-0.5, 0.5)];
  const way = size * logUniform(random, 0.2, 0.7);
  const [factor, angle] = [logUniform(random, 0.35, 1), logUniform(random, 0.5, 2.5)];
  const [event, direction] = [random.uniform(0.25, 0.75), random.uniform(0, 2 * PI)];
  const [across, down] = [{ left: -way, right: way }[action] ?? 0, { up: -way, down: way }[action] ?? 0];
  const growth = { grows: factor, shrinks: -factor }[action] ?? 0;
  const turning = { clockwise: angle, anticlockwise: -angle }[action] ?? 0;
  return (t) => {
    const p = progress(t, change);
    const back = action === 'returns' ? way * (1 - abs(1 - 2 * t) - 0.5) : 0;
    const hidden = (action === 'appears' && t < event) || (action === 'vanishes' && t >= event);
    return {
      x: centre.x + p * across + back * cos(direction),
      y: centre.y + p * down + back * sin(direction),
      radius: hidden ? 0 : radius * exp(p * growth),
      angle: tilt + p * turning,
    };
  };
}

/** A figure of a shape, with a texture of two colours of any kind. */
function drawFilmFigure(outline: Outline, random: Philox): Figure {
  const colour = (): Rgb => hsv(random.uniform(), random.uniform(0, 0.9), random.uniform(0.1, 1));
  return { outline, texture: texture(random.int(TEXTURES), random.uniform(3, 10)), colours: [colour(), colour()] };
}

/** A small figure that wanders, or stays: what a network must learn to leave aside. */
function drawBystander(size: number, random: Philox): { figure: Figure; pose: (t: number) => Pose } {
  const [x, y, direction] = [random.uniform(0, size), random.uniform(0, size), random.uniform(0, 2 * PI)];
  const [radius, way, turn] = [size * random.uniform(0.05, 0.11), size * random.uniform(0, 0.4), random.uniform(0, 6)];
  const figure = drawFilmFigure(SHAPES[SHAPE_NAMES[random.int(SHAPE_NAMES.length)]!]!, random);
  const along = (t: number): number => way * (t - 0.5);
  return {
    figure,
    pose: (t) => ({ x: x + along(t) * cos(direction), y: y + along(t) * sin(direction), radius, angle: turn }),
  };
}

/**
 * How far figures go with the plane when the camera moves: fully if that keeps them in the picture, else in part, as what a
 * camera follows does.
 */
function carried(first: View, now: View, size: number, share: number, pose: Pose): Pose {
  const [dx, dy] = [((now.x - first.x) * share) / now.scale, ((now.y - first.y) * share) / now.scale];
  const [sine, cosine] = [sin(now.angle), cos(now.angle)];
  return {
    ...pose,
    x: pose.x - dx * cosine - dy * sine,
    y: pose.y + dx * sine - dy * cosine,
    radius: min(pose.radius, size),
  };
}

/** Draws film `index`: u8 [frames, size, size, 3]. The same options and index always give the same bytes. */
export function film(index: number, { seed, stream, size, frames }: DrawnOptions): Uint8Array {
  const [move, does, shape] = filmLabels(index).map((label) => FILM_CLASSES[label]!) as [string, string, string];
  const [camera, action] = [move.slice('camera-'.length), does.slice('figure-'.length)];
  const random = new Philox(seed, stream).fork('film').fork(index);
  const world = drawWorld(128, random.fork('world'));
  const view = drawCamera(camera, size, random.fork('camera'));
  const pose = drawAction(action, size, random.fork('action'));
  const figure = drawFilmFigure(SHAPES[shape]!, random.fork('figure'));
  const others = Array.from({ length: random.int(3) }, (_, i) => drawBystander(size, random.fork('other').fork(i)));
  const [noise, share, middle] = [noiseTable(random.uniform(0, 9)), random.uniform(0, 0.35), view(0.5)];
  const [light, contrast] = [random.uniform(-40, 40), random.uniform(0.6, 1.1)];
  const area = size * size * 3;
  const [pixels, picture] = [new Uint8Array(frames * area), new Float32Array(area)];
  for (let t = 0; t < frames; t++) {
    const at = frames === 1 ? 0.5 : t / (frames - 1);
    const now = view(at);
    look(world, now, size, picture);
    for (const one of [...others, { figure, pose }]) {
      const seen = carried(middle, now, size, share, one.pose(at));
      if (seen.radius > 0) drawFigure(picture, size, one.figure, seen);
    }
    for (let i = 0; i < area; i++) picture[i] = 128 + contrast * (picture[i]! - 128) + light;
    addNoise(new Uint8ClampedArray(pixels.buffer, t * area, area), picture, noise, random);
  }
  return pixels;
}
