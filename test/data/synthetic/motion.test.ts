import { createHash } from 'node:crypto';
import { MOTION_CLASSES, MotionDataset, motionClip } from '../../../src/data/synthetic/motion';

/** Cached because access to a global is slow in jest's sandbox. */
const distance = Math.abs;
const FRAME = 64 * 64 * 3;
const frame = (pixels: Uint8Array, t: number): Uint8Array => pixels.subarray(t * FRAME, (t + 1) * FRAME);

function meanDifference(a: Uint8Array, b: Uint8Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += distance(a[i]! - b[i]!);
  return sum / a.length;
}

function squaredDistance(a: Uint8Array, b: Float64Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += (a[i]! - b[i]!) ** 2;
  return sum;
}

/** Mean of frames first..last, which takes most of the noise away. */
function meanFrame(pixels: Uint8Array, first: number, last: number): Float64Array {
  const mean = new Float64Array(FRAME);
  for (let t = first; t <= last; t++) {
    const shown = frame(pixels, t);
    for (let i = 0; i < FRAME; i++) mean[i]! += shown[i]! / (last - first + 1);
  }
  return mean;
}

/** Centre and area of what differs from the empty picture. */
function moments(empty: Float64Array, shown: Float64Array): { x: number; y: number; area: number } {
  let [x, y, area] = [0, 0, 0];
  for (let pixel = 0; pixel < empty.length / 3; pixel++) {
    let difference = 0;
    for (let c = 0; c < 3; c++) difference += distance(shown[pixel * 3 + c]! - empty[pixel * 3 + c]!);
    if (difference < 90) continue;
    area++;
    x += pixel % 64;
    y += Math.floor(pixel / 64);
  }
  return { x: x / area, y: y / area, area };
}

describe('motionClip', () => {
  test('has the promised shape, and labels take turns', () => {
    const clip = motionClip(13, { seed: 1 });
    expect(clip.pixels).toHaveLength(16 * FRAME);
    expect(clip.label).toBe(5);
    expect(MOTION_CLASSES).toHaveLength(8);
  });

  test('the bytes are fixed by seed, stream, index and size', () => {
    const hash = (index: number, options: { seed: number; stream?: number; size?: number; frames?: number }): string =>
      createHash('sha256').update(motionClip(index, options).pixels).digest('hex').slice(0, 16);
    expect(hash(6, { seed: 1 })).toBe(hash(6, { seed: 1, stream: 0, size: 64, frames: 16 }));
    expect(hash(6, { seed: 1 })).toBe('f0991832a571fb19');
    const others = [hash(6, { seed: 2 }), hash(8, { seed: 1 }), hash(6, { seed: 1, stream: 1 })];
    expect(new Set([hash(6, { seed: 1 }), ...others]).size).toBe(4);
  });

  test.each([16, 32])('an odd clip of %i frames is the clip before it in reverse', (frames) => {
    for (let pair = 0; pair < 4; pair++) {
      const forward = motionClip(2 * pair, { seed: 3, frames }).pixels;
      const backward = motionClip(2 * pair + 1, { seed: 3, frames }).pixels;
      for (let t = 0; t < frames; t++) {
        expect(Buffer.compare(frame(forward, t), frame(backward, frames - 1 - t))).toBe(0);
      }
    }
  });

  test.each([16, 32])('shows 2 empty, 4 first, 4 empty, 4 second, 2 empty sixteenths of %i frames', (frames) => {
    const { pixels } = motionClip(0, { seed: 4, frames });
    const script = [0, 0, 1, 1, 1, 1, 0, 0, 0, 0, 2, 2, 2, 2, 0, 0].flatMap((p) => new Array(frames / 16).fill(p));
    const at = (sixteenth: number): number => (sixteenth * frames) / 16;
    const stills = [6, 2, 10].map((from) => meanFrame(pixels, at(from), at(from + 4) - 1));
    const nearest = script.map((_, t) => {
      const distances = stills.map((still) => squaredDistance(frame(pixels, t), still));
      return distances.indexOf(Math.min(...distances));
    });
    expect(nearest).toEqual(script);
  });

  test('each pair moves in the way its name says', () => {
    for (let scene = 0; scene < 6; scene++) {
      const seen = (pair: number): ReturnType<typeof moments>[] => {
        const { pixels } = motionClip(8 * scene + 2 * pair, { seed: 5 });
        const empty = meanFrame(pixels, 6, 9);
        return [meanFrame(pixels, 2, 5), meanFrame(pixels, 10, 13)].map((shown) => moments(empty, shown));
      };
      const [left, right] = seen(0);
      expect(right!.x - left!.x).toBeGreaterThan(12);
      expect(Math.abs(right!.y - left!.y)).toBeLessThan(3);
      const [up, down] = seen(1);
      expect(down!.y - up!.y).toBeGreaterThan(12);
      const [small, large] = seen(2);
      expect(large!.area).toBeGreaterThan(2 * small!.area);
      const [before, after] = seen(3);
      expect(Math.abs(after!.area - before!.area)).toBeLessThan(0.4 * before!.area);
    }
  });

  test('frames of one appearance differ in noise alone', () => {
    const { pixels } = motionClip(0, { seed: 6 });
    const noise = meanDifference(frame(pixels, 0), frame(pixels, 1));
    expect(meanDifference(frame(pixels, 2), frame(pixels, 5))).toBeCloseTo(noise, 0);
    expect(noise).toBeGreaterThan(2);
    expect(meanDifference(frame(pixels, 1), frame(pixels, 2))).toBeGreaterThan(noise + 1);
  });

  test.each([
    [-1, {}, 'index must be an integer from 0 on, got -1'],
    [0, { size: 8 }, 'size must be an integer of at least 16, got 8'],
    [0, { frames: 24 }, 'frames must be a multiple of 16, got 24'],
  ])('index %p with %p is refused', (index, options, message) => {
    expect(() => motionClip(index, { seed: 0, ...options })).toThrow(message);
  });
});

describe('MotionDataset', () => {
  test('its clips are those of motionClip, with names and labels', async () => {
    const dataset = new MotionDataset({ seed: 3, length: 16, stream: 1, size: 32, frames: 32 });
    const clip = await dataset.clip(9);
    const drawn = motionClip(9, { seed: 3, stream: 1, size: 32, frames: 32 });
    expect(Buffer.compare(clip.pixels, drawn.pixels)).toBe(0);
    expect([clip.frames, clip.height, clip.width, clip.label]).toEqual([32, 32, 32, 1]);
    expect([dataset.length, dataset.label(9), dataset.name(9)]).toEqual([16, 1, 'motion clip 9 (right-to-left)']);
    expect(dataset.describe()).toMatchObject({ clips: 16, seed: '3', stream: 1 });
  });

  test('bad sizes are refused when it is made', () => {
    expect(() => new MotionDataset({ seed: 0, length: 0 })).toThrow(
      'length must be a whole number of at least 1, got 0',
    );
    expect(() => new MotionDataset({ seed: 0, length: 8, frames: 20 })).toThrow(
      'frames must be a multiple of 16, got 20',
    );
    expect(() => new MotionDataset({ seed: 0, length: 8 }).render(8)).toThrow('clip 8 is outside 0..7');
  });
});
