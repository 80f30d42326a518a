import { Philox } from '../random';
import type { Clip, Dataset } from './types';

/**
 * The embedded motion dataset. Each clip shows a textured shape twice: 2 empty frames, 4 of the first pose, 4 empty, 4 of the
 * second pose, 2 empty, over noise. The two clips of a pair are each other in reverse, and within each appearance nothing moves:
 * the stem's 3-frame kernel cannot tell them apart, only mixing along time can.
 */
export const MOTION_CLASSES = [
  'left to right',
  'right to left',
  'upwards',
  'downwards',
  'growing',
  'shrinking',
  'turning left',
  'turning right',
] as const;

/** Which of the 16 parts of a clip show which pose: 0 none, 1 the first, 2 the second. */
const TIMELINE = [0, 0, 1, 1, 1, 1, 0, 0, 0, 0, 2, 2, 2, 2, 0, 0] as const;

/** Options of the dataset. */
export interface MotionOptions {
  seed: number;
  /** Clips in the set; labels go round the classes, so each has its share. */
  length: number;
  /** Width and height in pixels. */
  size?: number;
  /** A multiple of 16. */
  frames?: number;
  /** Separates sets of one seed, such as training and validation. */
  stream?: number;
}

/** Where and how the shape appears; lengths in units of the frame. */
interface Pose {
  x: number;
  y: number;
  radius: number;
  angle: number;
}

/** What the shape looks like in both poses. */
interface Look {
  colour: [number, number, number];
  stripes: number;
  phase: number;
  slim: number;
}

const between = (random: Philox, low: number, high: number) => low + (high - low) * random.uniform();

/**
 * The two poses of a pair's first class; the second class shows them the other way round. Each pose is recognisable by itself
 * (left, right, above, below, small, large, turned either way): a single frame tells the pair, never the order.
 */
function posesOf(pair: number, random: Philox): [Pose, Pose] {
  const jitter = (amount: number) => between(random, -amount, amount);
  const base: Pose = {
    x: 0.5 + jitter(0.06),
    y: 0.5 + jitter(0.06),
    radius: 0.24 + jitter(0.03),
    angle: between(random, 0, Math.PI),
  };
  const [away, grow, turn] = [0.25 + jitter(0.03), 1.7 + jitter(0.15), Math.PI / 4 + jitter(0.15)];
  const changes: Partial<Pose>[][] = [
    [{ x: base.x - away }, { x: base.x + away }],
    [{ y: base.y + away }, { y: base.y - away }],
    [{ radius: base.radius / grow }, { radius: base.radius * grow }],
    [{ angle: -turn }, { angle: turn }],
  ];
  const [first, second] = changes[pair] as [Partial<Pose>, Partial<Pose>];
  return [
    { ...base, ...first },
    { ...base, ...second },
  ];
}

function lookOf(random: Philox): Look {
  const colour = [0, 1, 2].map(() => between(random, 90, 255)) as Look['colour'];
  return { colour, stripes: between(random, 6, 12), phase: between(random, 0, 6), slim: between(random, 0.4, 0.55) };
}

/** Blends an ellipse with stripes across its long axis into a frame; edges are one pixel soft. */
function draw(frame: Uint8Array, size: number, pose: Pose, look: Look): void {
  const [cos, sin, r] = [Math.cos(pose.angle), Math.sin(pose.angle), pose.radius * size];
  const [cx, cy] = [pose.x * size, pose.y * size];
  const bound = (value: number) => Math.max(0, Math.min(size, Math.round(value)));
  for (let y = bound(cy - r - 1); y < bound(cy + r + 2); y++) {
    for (let x = bound(cx - r - 1); x < bound(cx + r + 2); x++) {
      const [dx, dy] = [x + 0.5 - cx, y + 0.5 - cy];
      const [u, v] = [(dx * cos - dy * sin) / r, (dx * sin + dy * cos) / (r * look.slim)];
      const cover = Math.max(0, Math.min(1, (1 - Math.hypot(u, v)) * r * look.slim + 0.5));
      if (cover === 0) continue;
      const shade = 0.7 + 0.3 * Math.sin(look.stripes * u + look.phase);
      for (let c = 0; c < 3; c++) {
        const at = (y * size + x) * 3 + c;
        frame[at] = Math.round((frame[at] as number) * (1 - cover) + look.colour[c]! * shade * cover);
      }
    }
  }
}

/** Fills a clip with grey noise. Cheap bits (xorshift) from one Philox word: a clip has 65,000 pixels. */
function fillNoise(pixels: Uint8Array, random: Philox): void {
  let state = random.word() | 1;
  const level = between(random, 40, 90);
  for (let i = 0; i < pixels.length; i += 3) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    pixels[i] = pixels[i + 1] = pixels[i + 2] = level + (state & 31) - 16;
  }
}

/** The clips of the motion dataset; clip i depends on (seed, stream, i) alone. */
export class MotionDataset implements Dataset {
  readonly classNames: readonly string[] = MOTION_CLASSES;
  readonly length: number;
  private readonly options: Required<MotionOptions>;

  constructor(options: MotionOptions) {
    this.options = { size: 64, frames: 16, stream: 0, ...options };
    this.length = options.length;
    const { frames, size } = this.options;
    if (!Number.isInteger(frames / 16) || frames < 16)
      throw new Error(`motion dataset: frames must be a multiple of 16, got ${frames}`);
    if (!Number.isInteger(size) || size < 32)
      throw new Error(`motion dataset: size must be a whole number of at least 32, got ${size}`);
  }

  name(i: number): string {
    return `motion clip ${i} (${this.classNames[this.label(i)]})`;
  }

  label(i: number): number {
    return i % this.classNames.length;
  }

  describe(): Record<string, string | number> {
    const { seed, size, frames } = this.options;
    return { source: 'embedded motion dataset', clips: this.length, seed, frames, size };
  }

  clip(i: number): Promise<Clip> {
    return Promise.resolve(this.render(i));
  }

  /** Draws clip i. */
  render(i: number): Clip {
    if (!Number.isInteger(i) || i < 0 || i >= this.length)
      throw new Error(`motion dataset: clip ${i} of ${this.length}`);
    const { seed, stream, size, frames } = this.options;
    const random = new Philox(seed, 1000 + stream).fork(i);
    const label = this.label(i);
    const poses = posesOf(label >> 1, random);
    if (label % 2 === 1) poses.reverse();
    const look = lookOf(random);
    const pixels = new Uint8Array(frames * size * size * 3);
    fillNoise(pixels, random);
    for (let t = 0; t < frames; t++) {
      const shown = TIMELINE[Math.floor((t * 16) / frames)] as number;
      const frame = pixels.subarray(t * size * size * 3, (t + 1) * size * size * 3);
      if (shown > 0) draw(frame, size, poses[shown - 1] as Pose, look);
    }
    return { pixels, frames, height: size, width: size, label, path: this.name(i) };
  }
}
