import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import sharp from 'sharp';
import { Philox } from '../../../src/core/philox';
import { resizeCrop, scaleAndCrop } from '../../../src/data/augment';
import type { Listing } from '../../../src/data/lists/types';
import { Loader } from '../../../src/data/loader';
import { NORMALISATION } from '../../../src/data/normalisation';
import { DrawnDataset } from '../../../src/data/synthetic/drawn_dataset';
import { MotionDataset } from '../../../src/data/synthetic/motion';
import type { VideoOptions } from '../../../src/data/video/clip_plan';
import { DecodePool } from '../../../src/data/video/decode_pool';
import { copyKept, FrameCache, type NumberedFrames } from '../../../src/data/video/frame_cache';
import { VideoDataset } from '../../../src/data/video/video_dataset';
import { fixture, writeNumbered } from '../video_support';

const PAGE = 65536;

/** Frames whose bytes tell the source, the frame and the place. */
function framesOf(salt: number, numbers: number[], width = 100, height = 50): NumberedFrames {
  const bytes = width * height * 3;
  const byte = (i: number): number => salt * 31 + numbers[Math.floor(i / bytes)]! * 7 + (i % bytes) * 13;
  return { numbers, width, height, pixels: Uint8Array.from({ length: numbers.length * bytes }, (_, i) => byte(i)) };
}

/** The frames that a cache keeps of a source, as one array a size. */
function contents(cache: FrameCache, source: string): NumberedFrames[] {
  const kept = cache.borrow(source).map((one) => {
    const bytes = one.width * one.height * 3;
    const pixels = new Uint8Array(one.numbers.length * bytes);
    one.numbers.forEach((_, place) => copyKept(cache.slabs, one, place, pixels, place * bytes));
    return { numbers: one.numbers, width: one.width, height: one.height, pixels };
  });
  cache.release(source);
  return kept;
}

describe('FrameCache', () => {
  test('gives back the bytes of every frame, also of those that lie across pages, in each size', () => {
    const cache = new FrameCache(64 * PAGE);
    cache.add('a', framesOf(1, [0, 1, 2, 3, 9]));
    cache.add('b', framesOf(2, [4, 5], 300, 200));
    cache.add('a', framesOf(1, [3, 4, 9, 11]));
    cache.add('a', framesOf(3, [0], 60, 40));
    expect(contents(cache, 'a')).toEqual([framesOf(1, [0, 1, 2, 3, 9, 4, 11]), framesOf(3, [0], 60, 40)]);
    expect(contents(cache, 'b')).toEqual([framesOf(2, [4, 5], 300, 200)]);
    expect(contents(cache, 'c')).toEqual([]);
  });

  test('counts what it holds, and never takes more than its limit', () => {
    const cache = new FrameCache(10 * PAGE + 5000);
    for (let i = 0; i < 40; i++) {
      cache.add(`video ${i}`, framesOf(i, [0, 1, 2, 3, 4])); // 75,000 bytes: two pages
      expect(cache.used).toBe(Math.min(i + 1, 5) * 2 * PAGE);
      expect(cache.held).toBe(10 * PAGE);
    }
    for (let i = 0; i < 40; i++)
      expect(contents(cache, `video ${i}`)).toEqual(i < 35 ? [] : [framesOf(i, [0, 1, 2, 3, 4])]);
    expect(new FrameCache(PAGE - 1).held).toBe(0);
  });

  test('drops what was not used for the longest time, and not what is in use', () => {
    const cache = new FrameCache(6 * PAGE);
    for (const name of ['a', 'b', 'c']) cache.add(name, framesOf(1, [0, 1, 2, 3, 4]));
    expect(contents(cache, 'a')).toHaveLength(1); // used: now b is the oldest
    const inUse = cache.borrow('c');
    cache.add('d', framesOf(2, [0, 1, 2, 3, 4]));
    cache.add('e', framesOf(2, [0, 1, 2, 3, 4]));
    cache.add('f', framesOf(2, [0, 1, 2, 3, 4]));
    const there = (): string[] => ['a', 'b', 'c', 'd', 'e', 'f'].filter((name) => contents(cache, name).length > 0);
    expect(there()).toEqual(['c', 'e', 'f']);
    const frame = new Uint8Array(15000);
    copyKept(cache.slabs, inUse[0]!, 4, frame, 0);
    expect(Buffer.compare(frame, framesOf(1, [4]).pixels)).toBe(0);
    cache.release('c');
  });

  test('what has no room is not kept, and costs nothing else its place', () => {
    const cache = new FrameCache(4 * PAGE);
    cache.add('small', framesOf(1, [0]));
    cache.add(
      'large',
      framesOf(
        1,
        Array.from({ length: 30 }, (_, i) => i),
      ),
    );
    expect(contents(cache, 'large')).toEqual([]);
    expect(contents(cache, 'small')).toEqual([framesOf(1, [0])]);
  });
});

test('scaleAndCrop is the box of the scaled frames, and leaves frames of that size as they are', () => {
  const random = new Philox(3);
  const whole = { frames: 2, width: 23, height: 17 };
  const pixels = random.bytes(2 * 23 * 17 * 3);
  const box = { x: 3, y: 2, width: 9, height: 9 };
  const scaled = resizeCrop(pixels, whole, { x: 0, y: 0, width: 23, height: 17 }, 19, 14);
  const plain = (from: Uint8Array, width: number, height: number): number[] =>
    Array.from({ length: 2 * 9 * 9 * 3 }, (_, i) => {
      const [t, y, x, c] = [Math.floor(i / 243), Math.floor(i / 27) % 9, Math.floor(i / 3) % 9, i % 3];
      return from[((t * height + y + box.y) * width + x + box.x) * 3 + c]!;
    });
  expect([...scaleAndCrop(pixels, whole, [19, 14], box)]).toEqual(plain(scaled, 19, 14));
  expect([...scaleAndCrop(pixels, whole, [23, 17], box)]).toEqual(plain(pixels, 23, 17));
});

test('drawn clips are those of the motion dataset, with a cache and without', async () => {
  const options = { seed: 5, stream: 1, length: 6, size: 32, frames: 32 };
  const plain = new MotionDataset(options);
  for (const memory of [0, 2 ** 22]) {
    const pool = new DecodePool(2, memory);
    const drawn = new DrawnDataset(options, pool);
    for (const i of [0, 3, 3, 5]) expect(await drawn.clip(i)).toEqual(await plain.clip(i));
    expect(await drawn.views(1, [{ clips: 2, crops: 1 }])).toEqual(await plain.views(1, [{ clips: 2, crops: 1 }]));
    expect(pool.counts).toEqual(memory > 0 ? { reads: 5, decoded: 4 } : { reads: 5, decoded: 0 });
    await pool.close();
  }
});

describe('reading through the cache', () => {
  let folder: string;
  let listing: Listing;
  const at = (name: string): string => path.join(folder, name);
  const train: VideoOptions = { frames: 4, rate: 2, crop: 24, train: true, flip: true };

  beforeAll(async () => {
    folder = mkdtempSync(path.join(tmpdir(), 'cached-'));
    await writeNumbered(at('31.mp4'), 31);
    await writeNumbered(at('60.mp4'), 60);
    copyFileSync(fixture('h264.mkv'), at('b_frames.mkv'));
    mkdirSync(at('frames'));
    for (let n = 1; n <= 12; n++) {
      const pixels = new Philox(n).bytes(40 * 30 * 3);
      await sharp(pixels, { raw: { width: 40, height: 30, channels: 3 } })
        .png()
        .toFile(at(`frames/${n}.png`));
    }
    writeFileSync(at('broken.mp4'), 'no video');
    const item = (name: string, label: number) => ({ path: at(name), label });
    const frames = { kind: 'frames', path: at('frames'), count: 12, template: '{:d}.png' } as const;
    const items = [
      ...[item('31.mp4', 0), item('60.mp4', 1), item('b_frames.mkv', 0), item('frames/3.png', 1)],
      ...[{ ...item('frames', 0), source: frames }, item('broken.mp4', 1)],
    ];
    listing = {
      ...{ source: 'test', items, classNames: ['a', 'b'], missing: [], duplicates: 0, emptyClasses: [], notes: [] },
      digest: '0'.repeat(64),
    } as Listing;
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  /** The clips of some epochs and the views of each file, and what was counted. */
  async function everything(memory: number, options: VideoOptions, first = 0) {
    const pool = new DecodePool(2, memory);
    try {
      const loader = new Loader(new VideoDataset(listing, options, pool), {
        batchSize: 2,
        seed: 3,
        shuffle: true,
        normalisation: NORMALISATION,
      });
      const seen: Uint8Array[] = [];
      for (let epoch = 0; epoch < 2; epoch++)
        for await (const { clips } of loader.clips(epoch, epoch === 0 ? first : 0))
          seen.push(...clips.map(({ pixels }) => pixels));
      const test = new VideoDataset(listing, { ...options, train: false, flip: false }, pool);
      const sets = [{ clips: 2, crops: 3 } as const];
      for (let i = 0; i < 5; i++) seen.push(...(await test.views(i, sets)).map(({ pixels }) => pixels));
      return { seen: Buffer.concat(seen), skipped: loader.skippedLines(), counts: pool.counts, pool };
    } finally {
      await pool.close();
    }
  }

  test.each<[string, Partial<VideoOptions>]>([
    ['plain crops of jittered frames', {}],
    ['crops that are resized', { resizedCrop: { scale: [0.3, 1], aspect: [0.75, 1.33] } }],
    [
      'augmentation and repeats',
      {
        samples: 2,
        augmentation: { randAugment: 'rand-m7-n2-mstd0.5-inc1', erasing: { prob: 1, mode: 'pixel', count: 1 } },
      },
    ],
    ['one frame a segment', { sampling: 'segment' }],
  ])('gives the same bits as decoding anew, however small it is: %s', async (_, more) => {
    const options = { ...train, ...more };
    const without = await everything(0, options);
    const roomy = await everything(2 ** 26, options);
    const tight = await everything(3 * PAGE, options);
    for (const run of [roomy, tight]) {
      expect(Buffer.compare(run.seen, without.seen)).toBe(0);
      expect(run.skipped).toEqual(without.skipped);
    }
    expect(tight.counts.decoded).toBeGreaterThan(roomy.counts.decoded);
    expect(tight.pool.cacheMemory!.held).toBe(3 * PAGE);
  });

  test('a run that goes on with a cold cache sees the clips of one that was never interrupted', async () => {
    const [whole, resumed] = [await everything(2 ** 26, train), await everything(2 ** 26, train, 1)];
    const bytes = whole.seen.length - resumed.seen.length;
    expect(bytes).toBeGreaterThan(0);
    expect(Buffer.compare(resumed.seen, whole.seen.subarray(bytes))).toBe(0);
  });

  test('videos that take their share are decoded once, in training and whatever time is drawn', async () => {
    const videos = { ...listing, items: listing.items.slice(0, 2) }; // the length of the .mkv is estimated
    const pool = new DecodePool(1, 2 ** 26);
    const dataset = new VideoDataset(videos, train, pool);
    for (let k = 0; k < 10; k++) for (const i of [0, 1]) await dataset.clip(i, new Philox(k));
    expect(pool.counts).toEqual({ reads: 20, decoded: 2 });
    await pool.close();
  });

  test('a video that cannot be decoded whole is read like without a cache', async () => {
    const whole = readFileSync(at('b_frames.mkv'));
    writeFileSync(at('cut.mkv'), whole.subarray(0, Math.floor(whole.length * 0.7)));
    const cut = { ...listing, items: [{ path: at('cut.mkv'), label: 0 }] };
    const outcome = async (memory: number): Promise<unknown[]> => {
      const pool = new DecodePool(1, memory);
      const dataset = new VideoDataset(cut as Listing, train, pool);
      const reads = Array.from({ length: 12 }, (_, k) => dataset.clip(0, new Philox(k)));
      const settled = await Promise.allSettled(reads);
      await pool.close();
      return settled.map((one) => (one.status === 'fulfilled' ? one.value : (one.reason as Error).message));
    };
    expect(await outcome(2 ** 24)).toEqual(await outcome(0));
  });
});
