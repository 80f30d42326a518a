import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { decodeFrames } from '../../../src/data/video/decode';
import { probe } from '../../../src/data/video/frame_index';
import { frameTime, type VideoInfo } from '../../../src/data/video/info';
import { sourceOf } from '../../../src/data/source';
import { readClips } from '../../../src/data/video/video_clips';
import { barNumbers, fixture, from } from '../video_support';

const folder = mkdtempSync(path.join(os.tmpdir(), 'index-'));
const at = (name: string) => path.join(folder, name);
afterAll(() => rmSync(folder, { recursive: true }));

const SIZE = [128, 64] as const;

/** The numbers that the frames `numbers` of a file show. */
async function shown(file: string, numbers: number[], info: VideoInfo): Promise<number[]> {
  const { pixels } = await decodeFrames({ path: file, numbers, size: SIZE, info });
  return barNumbers(pixels, ...SIZE);
}

const WHOLE = from(0, 48);
const GAP = [...from(0, 10), ...from(20, 58)];

/** Presented frames of each file; see fixtures/video/make.sh. */
const FILES: Readonly<Record<string, number[]>> = {
  'h264.mp4': WHOLE,
  'h264.mov': WHOLE,
  'h264.mkv': WHOLE,
  'h264.flv': WHOLE,
  'h264.m2t': WHOLE,
  'h264.avi': WHOLE,
  'h264.h264': WHOLE,
  'fragmented.mp4': WHOLE,
  'edit_list.mp4': from(23, 40),
  'edit_list.mov': from(23, 48),
  'open_gop.m2t': WHOLE,
  'open_gop.mkv': WHOLE,
  'begins_late.m2t': from(4, 48),
  'hevc_open_gop.mp4': WHOLE,
  'hevc_open_gop.mkv': WHOLE,
  'vp9.webm': WHOLE,
  'vp8.webm': WHOLE,
  'av1.mp4': WHOLE,
  'av1.mkv': WHOLE,
  'mpeg4.avi': WHOLE,
  'mpeg4_b_frames.avi': WHOLE,
  'mpeg4_packed.avi': WHOLE,
  'mpeg4_b_frames.mkv': WHOLE,
  'mpeg2.mpg': WHOLE,
  'mpeg2.m2t': WHOLE,
  'mjpeg.avi': from(0, 24),
  'mjpeg.mov': from(0, 24),
  'prores.mov': from(0, 24),
  'numbered.gif': WHOLE,
  'gap.mp4': GAP,
  'gap.mkv': GAP,
  'gap.webm': GAP,
  'gap.avi': GAP,
  'gap.flv': GAP,
  'variable_rate.mp4': [...from(0, 20), ...Array.from({ length: 28 }, (_, i) => 21 + 3 * i)],
  'longer_sound.mp4': WHOLE,
  'longer_sound.mkv': WHOLE,
  'cover_after.mp4': WHOLE,
  'cover_before.mp4': WHOLE,
  'two_streams.mkv': WHOLE,
  'wide_pixels.mp4': WHOLE,
  'wide_pixels.mkv': WHOLE,
};

describe('every frame asked for as the first of a clip is the right one', () => {
  test.each(Object.entries(FILES))('%s', async (name, presented) => {
    const file = fixture(name);
    const info = await probe(file);
    expect(info.frames).toBe(presented.length);
    expect(info.warning).toBeUndefined();
    for (let first = 0; first < presented.length; first++) {
      const numbers = [first, first + 1, first + 5, first + 17].filter((n) => n < presented.length);
      expect([name, first, await shown(file, numbers, info)]).toEqual([name, first, numbers.map((n) => presented[n])]);
    }
  });
});

describe('the rate is that of the frames, not of the header', () => {
  test.each([
    ['h264.mkv', 30],
    ['gap.mp4', (47 * 30) / 57],
    ['gap.avi', (47 * 30) / 57],
    ['variable_rate.mp4', (47 * 30) / 102],
    ['h264.h264', 30],
  ])('%s: %d', async (name, fps) => {
    expect((await probe(fixture(name))).fps).toBeCloseTo(fps, 6);
  });

  test('times are those of the file', async () => {
    const info = await probe(fixture('longer_sound.mkv'));
    expect(frameTime(info, 0)).toBe(0.498); // timestamp of its first frame by ffprobe
    expect(frameTime(info, 30)! - frameTime(info, 0)!).toBeCloseTo(1, 2);
  });
});

/** Frames in order; of the last few those are missing that were stored last. */
function expectTail(left: number[]): void {
  expect(left.slice(0, -6)).toEqual(from(0, left.length - 6));
  expect(left.filter((n, i) => i > 0 && n <= left[i - 1]!)).toEqual([]);
}

/** Kept bytes of a file of which the end is cut off, and the frames that are whole in it. */
const CUTS: [string, number][] = [
  ['cut.mkv', 0.6],
  ['cut.flv', 0.6],
  ['cut.m2t', 0.6],
  ['cut.avi', 0.85],
  ['cut.mpg', 0.6],
  ['cut.gif', 0.6],
];

describe('a tail that is cut off costs the frames that are missing, not the file', () => {
  const ORIGINALS: Record<string, string> = {
    'cut.avi': 'mpeg4.avi',
    'cut.mpg': 'mpeg2.mpg',
    'cut.gif': 'numbered.gif',
  };
  test.each(CUTS)('%s', async (name, share) => {
    const bytes = readFileSync(fixture(ORIGINALS[name] ?? `h264${path.extname(name)}`));
    writeFileSync(at(name), bytes.subarray(0, Math.floor(bytes.length * share)));
    const options = { frames: 4, rate: 1, crop: 64, train: false, flip: false };
    const choices = [0, 1, 2].map((view) => ({ view, views: { clips: 3, crops: 1 } as const }));
    const { info, seen } = await readClips({ source: sourceOf(at(name)), options, choices });
    expect(info.frames).toBeGreaterThan(12);
    expect(info.frames).toBeLessThan(48);
    expect(seen[2]!.at(-1)!.number).toBeGreaterThanOrEqual(info.frames - 3);
    expectTail(await shown(at(name), from(0, info.frames), info));
  });

  test('an mp4 tells how many', async () => {
    const bytes = readFileSync(fixture('faststart.mp4'));
    writeFileSync(at('cut.mp4'), bytes.subarray(0, bytes.length - 600));
    const info = await probe(at('cut.mp4'));
    expect(info.warning).toBe(`it is cut short: ${48 - info.frames} of 48 frames are missing`);
    expectTail(await shown(at('cut.mp4'), from(0, info.frames), info));
  });
});

describe('pictures are as a player shows them', () => {
  const number = 5; // 00000101
  test('pixels that are not square widen them, unless they are to be ignored', async () => {
    const info = await probe(fixture('wide_pixels.mp4'));
    expect([info.width, info.height, info.stored]).toEqual([186, 64, [128, 64]]);
  });

  test('a mirrored one is mirrored', async () => {
    const info = await probe(fixture('mirrored.mp4'));
    expect(await shown(fixture('mirrored.mp4'), [number], info)).toEqual([0b10100000]);
  });

  /** The bars of an upright picture, from the top down. */
  const upright = async (name: string): Promise<number> => {
    const info = await probe(fixture(name));
    expect([info.width, info.height]).toEqual([64, 128]);
    const { pixels } = await decodeFrames({ path: fixture(name), numbers: [number], size: [64, 128], info });
    return from(0, 8).reduce((sum, bar) => sum * 2 + (pixels[((bar * 16 + 8) * 64 + 32) * 3]! > 128 ? 1 : 0), 0);
  };

  test.each([
    ['turned.mp4', 0b10100000],
    ['turned_by_tag.mkv', 0b00000101],
    ['transposed.mp4', 0b00000101],
  ])('%s is decoded upright', async (name, bars) => {
    expect(await upright(name)).toBe(bars);
  });

  test('one that is turned by no quarter is refused by name', async () => {
    await expect(probe(fixture('slanted.mp4'))).rejects.toThrow(
      /slanted\.mp4: its display matrix .* turns pictures by 45\.0 degrees; expected a multiple of 90/,
    );
  });
});

describe('files that are not videos are rejected', () => {
  test('sound with a cover has no video stream', async () => {
    await expect(probe(fixture('music.mp4'))).rejects.toThrow(/music\.mp4: it has no video stream/);
  });

  test.each([
    ['list.mp4', `#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\nFILE\n`],
    ['live.mp4', `#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:60\n#EXT-X-MEDIA-SEQUENCE:0\n#EXTINF:60,\nFILE\n`],
    ['concat.mp4', `ffconcat version 1.0\nfile 'FILE'\n`],
    ['session.mp4', 'v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=video 5004 RTP/AVP 96\n'],
    ['list.avi', `[playlist]\nFile1=FILE\n`],
    ['dash.mp4', `<?xml version="1.0"?>\n<MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="dynamic"></MPD>\n`],
  ])('a list of other files, %s', async (name, text) => {
    copyFileSync(fixture('h264.m2t'), at('other.m2t'));
    writeFileSync(at(name), text.replace('FILE', 'other.m2t'));
    const error = (await probe(at(name)).catch((e: unknown) => e)) as Error;
    expect(error).toMatchObject({ code: 'UNREADABLE_CLIP' });
    expect(error.message).not.toMatch(/took over/); // refused by its format, not by the timeout
  });
});
