import { inputSpec } from '../../../src/data/input_spec';
import { NORMALISATION } from '../../../src/data/normalisation';
import type { DecodePool } from '../../../src/data/video/decode_pool';
import type { VideoInfo } from '../../../src/data/video/info';
import type { ReadRequest, ReadResult } from '../../../src/data/video/video_clips';
import { slidingClips, windowsOf } from '../../../src/data/video/windows';

const INPUT = inputSpec({ frames: 4, rate: 2, crop: 2, normalisation: NORMALISATION });
const info = (frames: number, fps = 30): VideoInfo => ({
  ...{ width: 2, height: 2, fps, frames, duration: frames / fps, rotation: 0 },
});

const startsOf = (frames: number, every: number, fps = 30) =>
  windowsOf(INPUT, info(frames, fps), { every: { seconds: every } }).map(({ start }) => start);

test('windows begin at whole multiples of the distance, and lie in the video whole', () => {
  expect(startsOf(30, 0.5)).toEqual([0, 15]); // a clip spans 8 frames
  expect(startsOf(22, 0.5)).toEqual([0]);
  expect(startsOf(23, 0.5)).toEqual([0, 15]);
  expect(startsOf(3, 0.5)).toEqual([0]);
  expect(startsOf(1, 10)).toEqual([0]);
  // at 29.97 frames/s the starts are the frames nearest to the seconds, without a drift over ten minutes
  const starts = startsOf(18_000, 1, 30_000 / 1001);
  starts.forEach((start, i) => expect(Math.abs(start - (i * 30_000) / 1001)).toBeLessThanOrEqual(0.5));
  expect(starts.length).toBe(Math.floor((18_000 - 7) / (30_000 / 1001)) + 1);
});

test('distances below a frame are a frame', () => {
  expect(startsOf(10, 0.001)).toEqual([0, 1, 2]);
});

test('one request of eight windows is read ahead, whatever the length of the video', async () => {
  let [open, most, largest] = [0, 0, 0];
  const pool = {
    async read({ choices }: ReadRequest): Promise<ReadResult> {
      most = Math.max(most, ++open);
      largest = Math.max(largest, choices.length);
      await new Promise((resolve) => setTimeout(resolve, 0));
      open--;
      const seen = choices.map((choice) =>
        [0, 2, 4, 6].map((n) => ({ number: ('window' in choice ? choice.window!.start : 0) + n, timestamp: null })),
      );
      return { clips: choices.map(() => new Uint8Array(48)), info: info(3000), decoded: [], seen };
    },
  };
  const source = { kind: 'video', path: 'x.mp4' } as const;
  const found: number[] = [];
  for await (const { index, clips, count } of slidingClips(
    source,
    INPUT,
    3,
    { every: { frames: 2 } },
    pool as unknown as DecodePool,
  )) {
    expect([index, clips.length, count]).toEqual([found.length, 3, 1497]);
    found.push(clips[0]!.seen![0]!.number);
  }
  expect(found).toEqual(Array.from({ length: 1497 }, (_, i) => 2 * i));
  expect([most, largest]).toEqual([1, 24]);
});
