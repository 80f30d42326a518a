import { readFileSync } from 'node:fs';
import path from 'node:path';
import {
  denseFrames,
  denseRange,
  randomCrop,
  scaleShortSide,
  segmentFrames,
  spreadFrames,
  uniformCrop,
  viewAt,
} from '../../src/data/sampling';
import { Philox } from '../../src/core/philox';

type DenseRow = [number, number, number, number, number, number, number, number, number, number[]];
type SegmentRow = [number, number, number, number, number[]];

function rows<Row>(name: string): Row[] {
  const file = path.join(__dirname, '..', 'fixtures', name);
  return (JSON.parse(readFileSync(file, 'utf8')) as { rows: Row[] }).rows;
}

describe('dense sampling', () => {
  test('gives the starts, ends and frames of the authors’ code', () => {
    const all = rows<DenseRow>('clip_sampling.json');
    expect(all.length).toBeGreaterThan(100);
    for (const [videoFrames, fps, frames, rate, count, index, offset, start, end, want] of all) {
      const sampling = { frames, rate, offset: offset === 1 };
      const range = denseRange(videoFrames, fps, sampling, { index, count });
      expect(range[0]).toBeCloseTo(start, 9);
      expect(range[1]).toBeCloseTo(end, 9);
      expect(denseFrames(videoFrames, fps, sampling, { index, count })).toEqual(want);
    }
  });

  test('for training, starts anywhere in the room that is left', () => {
    const sampling = { frames: 16, rate: 4 };
    const rng = new Philox(1);
    const starts = Array.from({ length: 400 }, () => denseFrames(300, 30, sampling, rng));
    const firsts = starts.map((frames) => frames[0]!);
    expect(Math.min(...firsts)).toBeLessThan(10);
    expect(Math.max(...firsts)).toBeGreaterThan(225);
    expect(Math.max(...starts.map((frames) => frames[15]!))).toBeLessThan(300);
    for (const frames of starts) expect(Math.abs(frames[15]! - frames[0]! - 63)).toBeLessThanOrEqual(1);
  });

  test('a video shorter than the clip repeats its last frame', () => {
    expect(denseFrames(3, 30, { frames: 4, rate: 2 }, new Philox(1))).toEqual([0, 2, 2, 2]);
    expect(denseFrames(1, 30, { frames: 3, rate: 2 }, { index: 0, count: 1 })).toEqual([0, 0, 0]);
    expect(spreadFrames(5, 5, 1, 10)).toEqual([5]);
  });

  test('bad views and empty videos are refused', () => {
    const sampling = { frames: 4, rate: 2 };
    expect(() => denseFrames(10, 30, sampling, { index: 2, count: 2 })).toThrow('view 2 is outside 0..1');
    expect(() => denseFrames(0, 30, sampling, { index: 0, count: 1 })).toThrow('at least one frame, got 0');
  });
});

describe('segment sampling', () => {
  test('gives the frames of the authors’ code', () => {
    const all = rows<SegmentRow>('segment_sampling.json');
    expect(all.length).toBeGreaterThan(50);
    for (const [videoFrames, frames, count, index, want] of all) {
      const got = segmentFrames(videoFrames, frames, { index, count });
      expect(got.map((frame) => frame + 1)).toEqual(want);
    }
  });

  test('for training, takes any frame of each segment, borders included', () => {
    const rng = new Philox(2);
    const drawn = Array.from({ length: 300 }, () => segmentFrames(33, 8, rng));
    for (let i = 0; i < 8; i++) {
      const seen = new Set(drawn.map((frames) => frames[i]!));
      expect([...seen].sort((a, b) => a - b)).toEqual([0, 1, 2, 3, 4].map((k) => 4 * i + k));
    }
  });

  test('a video of one frame gives that frame', () => {
    expect(segmentFrames(1, 4, new Philox(3))).toEqual([0, 0, 0, 0]);
  });
});

describe('views and crops', () => {
  test('test samples go through the crops of a clip, the clips of a video, the videos', () => {
    const views = { clips: 2, crops: 3 } as const;
    expect([0, 2, 3, 5, 6, 13].map((i) => Object.values(viewAt(i, views)))).toEqual([
      [0, 0, 0],
      [0, 0, 2],
      [0, 1, 0],
      [0, 1, 2],
      [1, 0, 0],
      [2, 0, 1],
    ]);
    expect(viewAt(3, { clips: 2, crops: 1 })).toEqual({ video: 1, clip: 1, crop: 1 });
  });

  test('crops are left, centre, right of a wide frame and top, middle, bottom of an upright one', () => {
    const places = (w: number, h: number): number[][] =>
      ([0, 1, 2] as const).map((crop) => [uniformCrop(w, h, 224, crop).x, uniformCrop(w, h, 224, crop).y]);
    expect(places(341, 256)).toEqual([
      [0, 16],
      [59, 16],
      [117, 16],
    ]);
    expect(places(224, 300)).toEqual([
      [0, 0],
      [0, 38],
      [0, 76],
    ]);
    expect(() => uniformCrop(200, 300, 224, 1)).toThrow('224 x 224 crop does not fit into a frame of 200 x 300');
  });

  test('random crops reach every place', () => {
    const rng = new Philox(4);
    const boxes = Array.from({ length: 200 }, () => randomCrop(7, 6, 5, rng));
    expect(new Set(boxes.map(({ x, y }) => `${x},${y}`)).size).toBe(6);
    for (const box of boxes) expect(box.x + box.width).toBeLessThanOrEqual(7);
  });

  test('the long side is rounded down', () => {
    expect(scaleShortSide(340, 256, 224)).toEqual([297, 224]);
    expect(scaleShortSide(1080, 1920, 256)).toEqual([256, 455]);
    expect(scaleShortSide(100, 100, 224)).toEqual([224, 224]);
  });
});
