/**
 * The embedded motion dataset: clips drawn from a seed, so that training can be shown on any machine without a
 * download. A textured shape is shown twice over a noisy background. The two classes of a pair differ only in
 * which appearance comes first: a clip with an odd index is the preceding clip in reverse. A network
 * that does not mix tokens over time can recognise the pair but not the class, and stays near 50%.
 *
 * Each appearance lasts four frames (of 16) that differ in noise alone, between gaps of at least two frames that
 * divide evenly by the stem's temporal stride, so a 3-frame kernel sees both appearances in the same way.
 */
import { Philox } from '../../core/philox';
import { viewCount, type Views } from '../sampling';
import type { Clip, Dataset } from '../types';
import { addNoise, drawBackground, drawColours, noiseTable } from './scene';
import { drawFigure, OUTLINES, type Pose } from './shapes';

/** The eight classes, valid folder names; 2p and 2p+1 are reversals of each other. */
export const MOTION_CLASSES = [
  'left-to-right',
  'right-to-left',
  'downwards',
  'upwards',
  'growing',
  'shrinking',
  'turning-clockwise',
  'turning-anticlockwise',
] as const;

/** Visible pose in each sixteenth of a clip: 0 none, 1 the first, 2 the second. */
const SCRIPT = [0, 0, 1, 1, 1, 1, 0, 0, 0, 0, 2, 2, 2, 2, 0, 0] as const;

export const MOTION_SIDE = 64;
export const MOTION_FRAMES = 16;

export interface MotionOptions {
  seed: number | bigint;
  /** Number of an independent set of clips, so that training and validation never share one. Default 0. */
  stream?: number;
  /** Height and width in pixels, at least 16. Default 64. */
  size?: number;
  /** Number of frames, a multiple of 16. Default 16; more frames show the same script more slowly. */
  frames?: number;
}

export interface MotionClip {
  /** u8 [frames, size, size, 3]. */
  pixels: Uint8Array;
  /** Index into MOTION_CLASSES. */
  label: number;
}

/** The poses shown first and second in the class 2·pair; one drawing per pair of classes. */
function drawPoses(pair: number, size: number, rng: Philox): [Pose, Pose] {
  const start: Pose = { x: 0, y: 0, radius: size * rng.uniform(0.26, 0.3), angle: rng.uniform(-0.1, 0.1) };
  start.x = size * rng.uniform(0.47, 0.53);
  start.y = size * rng.uniform(0.47, 0.53);
  const end = { ...start };
  const step = size * rng.uniform(0.24, 0.28);
  if (pair === 0) [start.x, end.x] = [start.x - step, end.x + step];
  if (pair === 1) [start.y, end.y] = [start.y - step, end.y + step];
  if (pair === 2) [start.radius, end.radius] = [size * rng.uniform(0.12, 0.15), size * rng.uniform(0.36, 0.42)];
  if (pair === 3) start.radius = end.radius = size * rng.uniform(0.34, 0.38);
  const turn = rng.uniform(0.7, 0.9);
  if (pair === 3) [start.angle, end.angle] = [start.angle - turn, end.angle + turn];
  return [start, end];
}

/** The three still pictures of a scene: empty, first pose, second pose. */
function drawStills(pair: number, size: number, rng: Philox): Float32Array[] {
  const empty = drawBackground(size, rng);
  const figure = drawColours(rng, (random) => OUTLINES[random.int(OUTLINES.length)]!);
  const shown = drawPoses(pair, size, rng).map((pose) => {
    const picture = empty.slice();
    drawFigure(picture, size, figure, pose);
    return picture;
  });
  return [empty, ...shown];
}

function checkOptions(index: number, size: number, frames: number): void {
  const bad = (what: string, got: number): Error => new Error(`motion dataset: ${what}, got ${got}`);
  if (!Number.isSafeInteger(index) || index < 0) throw bad('the index must be an integer from 0 on', index);
  if (!Number.isInteger(size) || size < 16) throw bad('size must be an integer of at least 16', size);
  if (!Number.isInteger(frames) || frames < 16 || frames % 16 !== 0) {
    throw bad('frames must be a multiple of 16', frames);
  }
}

/** The class of clip `index`; the classes alternate. */
export const motionLabel = (index: number): number => index % MOTION_CLASSES.length;

/**
 * Draws clip `index`: the same options and index always give the same bytes, and no other clip is drawn for it.
 * Clip 2j+1 is clip 2j in reverse. Throws where an option is out of its range.
 */
export function motionClip(index: number, options: MotionOptions): MotionClip {
  const { seed, stream = 0, size = MOTION_SIDE, frames = MOTION_FRAMES } = options;
  checkOptions(index, size, frames);
  const label = motionLabel(index);
  const rng = new Philox(seed, stream).fork('motion').fork(Math.floor(index / 2));
  const stills = drawStills(label >> 1, size, rng.fork('scene'));
  const noise = noiseTable(rng.uniform(3, 6));
  const area = size * size * 3;
  const pixels = new Uint8Array(frames * area);
  for (let t = 0; t < frames; t++) {
    const at = index % 2 === 0 ? t : frames - 1 - t;
    const frame = new Uint8ClampedArray(pixels.buffer, at * area, area);
    addNoise(frame, stills[SCRIPT[Math.floor((t * 16) / frames)]!]!, noise, rng);
  }
  return { pixels, label };
}

/** `length` clips of the motion dataset; the classes alternate, so all are equally frequent. */
export class MotionDataset implements Dataset {
  readonly classNames: readonly string[] = MOTION_CLASSES;
  readonly length: number;

  constructor(protected readonly options: MotionOptions & { length: number }) {
    this.length = options.length;
    if (!Number.isInteger(this.length) || this.length < 1)
      throw new Error(`motion dataset: length must be a whole number of at least 1, got ${this.length}`);
    checkOptions(0, options.size ?? MOTION_SIDE, options.frames ?? MOTION_FRAMES);
  }

  name(i: number): string {
    return `motion clip ${i} (${this.classNames[this.label(i)]})`;
  }

  label(i: number): number {
    return motionLabel(i);
  }

  describe(): Record<string, string | number> {
    const { seed, size = MOTION_SIDE, frames = MOTION_FRAMES, stream = 0 } = this.options;
    return { source: 'embedded motion dataset', clips: this.length, seed: String(seed), stream, frames, size };
  }

  /** Clip i, which depends only on the dataset's seed. */
  clip(i: number, _random?: Philox, _signal?: AbortSignal): Promise<Clip> {
    return Promise.resolve(this.render(i));
  }

  /** Every view is the whole clip. */
  views(i: number, sets: readonly Views[], _signal?: AbortSignal): Promise<Clip[]> {
    const clip = this.render(i);
    return Promise.resolve(sets.flatMap((views) => Array.from({ length: viewCount(views) }, () => clip)));
  }

  /** Draws clip i. */
  render(i: number): Clip {
    if (!(i < this.length)) throw new Error(`motion dataset: clip ${i} is outside 0..${this.length - 1}`);
    const { size = MOTION_SIDE, frames = MOTION_FRAMES } = this.options;
    return { ...motionClip(i, this.options), frames, height: size, width: size, path: this.name(i) };
  }
}
