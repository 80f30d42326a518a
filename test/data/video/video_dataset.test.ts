import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { inputSpec } from '../../../src/data/input_spec';
import { NORMALISATION } from '../../../src/data/normalisation';
import { DecodePool } from '../../../src/data/video/decode_pool';
import { writeVideo } from '../../../src/data/video/encode';
import { exportDataset } from '../../../src/data/export';
import type { Listing } from '../../../src/data/lists/types';
import { readListing } from '../../../src/data/lists/listing';
import { Loader } from '../../../src/data/loader';
import { MOTION_CLASSES, motionClip } from '../../../src/data/synthetic/motion';
import type { VideoInfo } from '../../../src/data/video/info';
import { sourceOf } from '../../../src/data/source';
import { planClip, type VideoOptions } from '../../../src/data/video/clip_plan';
import { cropFrames } from '../../../src/data/video/clip_render';
import { readClips, readViews } from '../../../src/data/video/video_clips';
import { VideoDataset } from '../../../src/data/video/video_dataset';
import { Philox } from '../../../src/core/philox';
import { TALL, writeNumbered } from '../video_support';

const INFO: VideoInfo = {
  ...{ width: 340, height: 256, fps: 30, frames: 300, duration: 10, rotation: 0 },
};
const OPTIONS: VideoOptions = { frames: 16, rate: 4, crop: 224, train: true, flip: true };

describe('planClip', () => {
  test('training: the short side is 256 to 320 for a crop of 224, and everything varies', () => {
    const plans = Array.from({ length: 300 }, (_, i) => planClip(OPTIONS, INFO, { random: new Philox(i).state() }));
    const shorts = plans.map((plan) => Math.min(...plan.size));
    expect([Math.min(...shorts), Math.max(...shorts)]).toEqual([256, 320]);
    for (const { size, box, frames } of plans) {
      expect(size[0]).toBe(Math.floor((340 / 256) * size[1]));
      expect(box.x + 224 <= size[0] && box.y + 224 <= size[1] && frames[15]! < 300).toBe(true);
    }
    const share = plans.filter((plan) => plan.flip).length / 300;
    expect(Math.abs(share - 0.5)).toBeLessThan(0.1);
    const unflipped = { ...OPTIONS, flip: false };
    expect(planClip(unflipped, INFO, { random: new Philox(1).state() }).flip).toBe(false);
  });

  test('pixels that are not square widen the picture, unless they are to be ignored', () => {
    const view = { view: 0, views: { clips: 1, crops: 1 } } as const;
    const wide: VideoInfo = { ...INFO, width: 465, height: 180, stored: [320, 180] };
    const still = { ...OPTIONS, train: false };
    expect(planClip(still, wide, view).size).toEqual([578, 224]);
    expect(planClip({ ...still, ignoreSar: true }, wide, view).size).toEqual([398, 224]);
    expect(planClip({ ...still, ignoreSar: true }, INFO, view).size).toEqual([297, 224]);
  });

  test('the same generator gives the same plan', () => {
    const state = new Philox(7).state();
    expect(planClip(OPTIONS, INFO, { random: state })).toEqual(planClip(OPTIONS, INFO, { random: state }));
  });

  test('evaluation: the middle clip, the centre of a frame scaled to the crop', () => {
    const plan = planClip({ ...OPTIONS, train: false }, INFO, { view: 0, views: { clips: 1, crops: 1 } });
    expect(plan.size).toEqual([297, 224]);
    expect(plan.box).toEqual({ x: 37, y: 0, width: 224, height: 224 });
    expect([plan.frames[0], plan.frames[15], plan.flip]).toEqual([118, 181, false]);
  });

  test('segment sampling takes one frame of each part', () => {
    const sparse: VideoOptions = { ...OPTIONS, frames: 8, train: false, sampling: 'segment' };
    const views = { clips: 2, crops: 3 } as const;
    const frames = (view: number): number[] => planClip(sparse, { ...INFO, frames: 37 }, { view, views }).frames;
    expect(frames(2).map((n) => n + 1)).toEqual([2, 6, 11, 16, 20, 24, 29, 34]);
    expect(frames(3).map((n) => n + 1)).toEqual([4, 8, 13, 18, 22, 26, 31, 36]);
  });
});

test('cropFrames cuts the same box out of every frame, mirrored if wished', () => {
  const frames = {
    pixels: Uint8Array.from({ length: 2 * 2 * 3 * 3 }, (_, i) => Math.floor(i / 3)),
    width: 3,
    height: 2,
  };
  const box = { x: 1, y: 0, width: 2, height: 2 };
  const firsts = (pixels: Uint8Array): number[] => [...pixels].filter((_, i) => i % 3 === 0);
  expect(firsts(cropFrames(frames, box, false))).toEqual([1, 2, 4, 5, 7, 8, 10, 11]);
  expect(firsts(cropFrames(frames, box, true))).toEqual([2, 1, 5, 4, 8, 7, 11, 10]);
});

/** FFmpeg processes whose parent is this process. */
function children(): string[] {
  const run = spawnSync('ps', ['-o', 'comm=', '--ppid', String(process.pid)]);
  return run.stdout
    .toString()
    .split('\n')
    .filter((name) => name.startsWith('ff'));
}

describe('video datasets', () => {
  let folder: string;
  let listing: Listing;
  const pools: DecodePool[] = [];
  const pool = (size = 2): DecodePool => {
    const made = new DecodePool(size);
    pools.push(made);
    return made;
  };
  const small: VideoOptions = { frames: 4, rate: 2, crop: 24, train: false, flip: false };

  beforeAll(async () => {
    folder = mkdtempSync(path.join(tmpdir(), 'videos-'));
    for (const count of [31, 40, 9, 3]) await writeNumbered(path.join(folder, `${count}.mp4`), count);
    writeFileSync(path.join(folder, 'broken.avi'), 'no video');
    writeFileSync(path.join(folder, 'all.csv'), '31.mp4,0\n40.mp4,1\nbroken.avi,0\n9.mp4,1\n3.mp4,0\n');
    listing = readListing(path.join(folder, 'all.csv'));
  });
  afterEach(async () => {
    for (const made of pools.splice(0)) await made.close();
    expect(children()).toEqual([]);
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  test('evaluation clips are the middle of each video; a short one repeats its last frame', async () => {
    const dataset = new VideoDataset(listing, { ...small, crop: TALL }, pool());
    const numbers = async (i: number): Promise<number[]> => {
      const { pixels, frames, height, width } = await dataset.clip(i, new Philox(0));
      expect([frames, height, width]).toEqual([4, TALL, TALL]);
      return seenParts(pixels);
    };
    // The centre crop shows the blocks 1, 2 and 3 of the upper row: bits 1 to 3 of the frame's number.
    const bits = (wanted: number[]): number[] => wanted.map((n) => (n >> 1) & 7);
    expect(await numbers(0)).toEqual(bits([11, 13, 15, 18]));
    expect(await numbers(4)).toEqual(bits([0, 2, 2, 2]));
    expect(dataset.describe()).toMatchObject({ clips: 5, classes: 2, missing: 0, frames: 4 });
  });

  test('a training epoch does not depend on the number of threads, and lists what it skipped', async () => {
    const epoch = async (threads: number): Promise<{ seen: unknown[]; skipped: string[] }> => {
      const dataset = new VideoDataset(listing, { ...small, train: true, flip: true }, pool(threads));
      const loader = new Loader(dataset, { batchSize: 2, seed: 5, shuffle: true, normalisation: NORMALISATION });
      const seen: unknown[] = [];
      for await (const { index, clips } of loader.clips(1)) seen.push([index, clips.map((c) => [c.path, ...c.pixels])]);
      return { seen, skipped: loader.skippedLines() };
    };
    const [one, three] = [await epoch(1), await epoch(3)];
    expect(three).toEqual(one);
    const broken = `  ${path.join(folder, 'broken.avi')}: it is not a video that FFmpeg can read`;
    expect(one.skipped).toEqual(['1 file was skipped:', broken]);
  });

  test('an epoch of broken files is an error', async () => {
    const only = { ...listing, items: listing.items.filter((item) => item.path.endsWith('.avi')) };
    const loader = new Loader(new VideoDataset(only, small, pool()), {
      batchSize: 1,
      seed: 0,
      shuffle: false,
      normalisation: NORMALISATION,
    });
    await expect(loader.clips(0).next()).rejects.toThrow('none of the 1 clips could be read; the first: ');
  });

  test('views come in order: crops of the first clip, then of the second', async () => {
    const views = await readViews(
      path.join(folder, '40.mp4'),
      inputSpec({ frames: 2, rate: 2, crop: TALL, normalisation: NORMALISATION }),
      { clips: 2, crops: 3 },
    );
    expect(views).toHaveLength(6);
    const alone = { frames: 2, rate: 2, crop: TALL, train: false, flip: false };
    const choice = { view: 5, views: { clips: 2, crops: 3 } } as const;
    const { clips } = await readClips({
      source: sourceOf(path.join(folder, '40.mp4')),
      options: alone,
      choices: [choice],
    });
    expect(Buffer.compare(views[5]!.pixels, clips[0]!)).toBe(0);
    expect(Buffer.compare(views[3]!.pixels, views[5]!.pixels)).not.toBe(0);
  });

  test('several choices of one video are what they are alone', async () => {
    const dataset = new VideoDataset(listing, { ...small, train: true }, pool(1));
    const choices = [1, 2, 3].map((seed) => ({ random: new Philox(seed).state() }));
    const together = await dataset.clips(1, choices);
    for (const [i, clip] of together.entries()) {
      expect(Buffer.compare(clip.pixels, (await dataset.clip(1, new Philox(i + 1))).pixels)).toBe(0);
    }
  });

  test('closing the pool rejects what is under way and leaves no process', async () => {
    const closing = pool(2);
    const dataset = new VideoDataset(listing, small, closing);
    const reads = [0, 1, 3, 4].map((i) => dataset.clip(i, new Philox(0)));
    const settled = Promise.allSettled(reads);
    await new Promise((resolve) => setTimeout(resolve, 600));
    const late = dataset.clip(0, new Philox(0));
    const lateSettled = Promise.allSettled([late]);
    await closing.close();
    await settled;
    expect(await lateSettled).toMatchObject([{ status: 'rejected', reason: { message: 'the decoder was closed' } }]);
    await expect(dataset.clip(0, new Philox(0))).rejects.toThrow('the decoder was closed');
    await closing.close();
  });

  test('an aborted read rejects at once, and the pool goes on', async () => {
    const dataset = new VideoDataset(listing, small, pool(1));
    const stop = new AbortController();
    const reads = [dataset.clip(0, new Philox(0), stop.signal), dataset.clip(1, new Philox(0), stop.signal)];
    stop.abort(new Error('enough'));
    for (const read of reads) await expect(read).rejects.toThrow('enough');
    await expect(dataset.clip(3, new Philox(0))).resolves.toMatchObject({ label: 1 });
    await expect(dataset.clip(3, new Philox(0), stop.signal)).rejects.toThrow('enough');
  });

  test('invalid options and items are rejected', () => {
    const make = (more: Partial<VideoOptions>) => () => new VideoDataset(listing, { ...small, ...more }, pool(1));
    expect(make({ crop: 0 })).toThrow('videos: crop must be a whole number of at least 1, got 0');
    expect(make({ train: true, jitter: [20, 30] })).toThrow(
      'videos: jitter 20 to 30 must be a range from the crop, 24, up',
    );
    expect(make({ jitter: [20, 30] })).not.toThrow(); // nothing is drawn for a test
    expect(() => make({})().name(5)).toThrow('item 5 is outside 0..4');
    expect(() => new DecodePool(0)).toThrow('workers: expected a whole number of at least 1, got 0');
  });

  test('files in one run of FFmpeg yield the same clips as alone; a broken one is reported by name', async () => {
    writeFileSync(path.join(folder, 'bad.mp4'), readFileSync(path.join(folder, '31.mp4')).subarray(0, 700));
    const names = ['31.mp4', 'bad.mp4', '40.mp4', '31.mp4', '40.mp4', '31.mp4', '40.mp4', '31.mp4', 'gone.mp4'];
    const options = { frames: 8, rate: 2, crop: 32, train: true, flip: true };
    const requests = names.map((name, i) => ({
      ...{ source: sourceOf(path.join(folder, name)), options },
      choices: [{ random: new Philox(i).state() }],
    }));
    const one = pool();
    const together = await Promise.allSettled(requests.map((request) => one.read(request)));
    for (const [i, outcome] of together.entries()) {
      const [alone] = await Promise.allSettled([readClips(requests[i]!)]);
      if (alone.status === 'fulfilled') expect(outcome).toEqual(alone);
      else expect(outcome).toMatchObject({ reason: { message: expect.stringContaining(names[i]!) as string } });
    }
    expect(together.map(({ status }) => status === 'rejected')).toEqual(names.map((name) => /bad|gone/.test(name)));
  });

  test('the motion dataset survives its export', async () => {
    const out = path.join(folder, 'motion');
    const done: number[] = [];
    await exportDataset(out, { layout: 'video', seed: 1, train: 16, val: 8, size: 64, onFile: (n) => done.push(n) });
    expect(done).toHaveLength(24);
    const train = readListing(path.join(out, 'train.csv'));
    expect(train.classNames).toEqual(MOTION_CLASSES.map((name) => name.replaceAll(' ', '-')));
    expect(readListing(path.join(out, 'val'), { known: train.classNames }).items).toHaveLength(8);
    expect(readdirSync(path.join(out, 'train'))).toHaveLength(9);
    const dataset = new VideoDataset(train, { frames: 16, rate: 1, crop: 64, train: false, flip: false }, pool());
    for (const i of [2, 13]) {
      const drawn = motionClip(i, { seed: 1 });
      const read = await dataset.clip(i, new Philox(0));
      expect(read.label).toBe(drawn.label);
      const error = read.pixels.reduce((sum, v, k) => sum + Math.abs(v - drawn.pixels[k]!), 0) / read.pixels.length;
      expect(error).toBeLessThan(8);
    }
  });

  test('a video that cannot be written is reported', async () => {
    const odd = { pixels: new Uint8Array(27), frames: 1, height: 3, width: 3 };
    await expect(writeVideo(odd, path.join(folder, 'odd.mp4'))).rejects.toThrow('needs even sizes, got 3x3');
    expect(existsSync(path.join(folder, 'odd.mp4'))).toBe(false);
    expect(readFileSync(path.join(folder, 'all.csv'), 'utf8')).toContain('31.mp4');
  });
});

/** The blocks of a centre crop's upper row, as bits. */
function seenParts(pixels: Uint8Array): number[] {
  const bytes = TALL * TALL * 3;
  return Array.from({ length: pixels.length / bytes }, (_, t) => {
    const at = (column: number): boolean => pixels[t * bytes + (12 * TALL + column) * 3]! > 128;
    return [8, 24, 40].reduce((sum, column, bit) => sum | (at(column) ? 1 << bit : 0), 0);
  });
}
