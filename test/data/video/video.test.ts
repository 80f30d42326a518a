import { copyFileSync, mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { explain, ffmpegVersion, programPath, runningPrograms, runProgram } from '../../../src/data/video/ffmpeg';
import { decodeFrames, selectExpression } from '../../../src/data/video/decode';
import { probe, type VideoInfo } from '../../../src/data/video/video';
import { describeWithFfmpeg, makeWith, readNumbers, TALL, WIDE, writeNumbered } from '../ffmpeg_support';

const decode = (path: string, numbers: number[], size: readonly [number, number], info: VideoInfo) =>
  decodeFrames({ path, numbers, size, info });

const SIZE = [WIDE, TALL] as const;

describe('selectExpression', () => {
  /** What FFmpeg's expression would choose of 0..39. */
  function chosen(expression: string): number[] {
    const script = expression
      .replace(/between\(n,(\d+),(\d+)\)/g, '(n>=$1&&n<=$2?1:0)')
      .replace(/not\(mod\(n-(\d+),(\d+)\)\)/g, '((n-$1)%$2===0?1:0)')
      .replace(/eq\(n,(\d+)\)/g, '(n===$1?1:0)');
    const holds = new Function('n', `return ${script}`) as (n: number) => number;
    return Array.from({ length: 40 }, (_, n) => n).filter((n) => holds(n) > 0);
  }

  test.each([[[0]], [[0, 4, 8, 12]], [[3, 4, 5, 6, 9]], [[0, 1, 5, 9, 13, 14, 20, 39]], [[0, 4, 9, 13, 17, 22]]])(
    'chooses just %j',
    (numbers) => {
      expect(chosen(selectExpression(numbers))).toEqual(numbers);
    },
  );

  test('evenly spaced frames are one condition', () => {
    expect(selectExpression([0, 4, 8, 12])).toBe('between(n,0,12)*not(mod(n-0,4))');
  });
});

describe('finding and explaining FFmpeg', () => {
  const kept = process.env.MORPHMLP_FFMPEG;
  afterEach(() => {
    delete process.env.MORPHMLP_FFMPEG;
    if (kept !== undefined) process.env.MORPHMLP_FFMPEG = kept;
  });

  test.each([
    ['/opt/ff/ffmpeg', '/opt/ff/ffprobe'],
    ['/opt/ff/ffmpeg-7', '/opt/ff/ffprobe-7'],
    ['/opt/ff', '/opt/ff/ffprobe'],
  ])('MORPHMLP_FFMPEG=%s gives %s', (set, want) => {
    process.env.MORPHMLP_FFMPEG = set;
    expect(programPath('ffprobe')).toBe(want);
  });

  test('a wrong MORPHMLP_FFMPEG and an absent FFmpeg are told plainly', async () => {
    process.env.MORPHMLP_FFMPEG = '/nowhere/ffmpeg';
    await expect(probe('x.mp4')).rejects.toThrow(
      'MORPHMLP_FFMPEG is /nowhere/ffmpeg, but /nowhere/ffprobe does not exist',
    );
    await expect(ffmpegVersion()).resolves.toBeNull();
    delete process.env.MORPHMLP_FFMPEG;
    const searched = process.env.PATH;
    process.env.PATH = '/nowhere';
    try {
      await expect(probe('x.mp4')).rejects.toThrow('videos need ffprobe, which is not on the PATH: install FFmpeg');
    } finally {
      process.env.PATH = searched;
    }
  });

  test.each([
    [
      '[mov,mp4 @ 0x55d0c0] moov atom not found\nx.mp4: Invalid data found',
      'it is empty, cut short or no video: its index',
    ],
    ['x.mp4: Invalid data found when processing input', 'it is not a video that FFmpeg can read'],
    ['Output file #0 does not contain any stream', 'it has no video stream'],
    ['[h264 @ 0x5581f8] something odd\n', 'FFmpeg says: something odd'],
    ['', 'FFmpeg failed without a message'],
  ])('%j is explained', (text, want) => {
    expect(explain(text)).toContain(want);
  });
});

describeWithFfmpeg('videos', () => {
  let folder: string;
  const at = (name: string): string => path.join(folder, name);
  beforeAll(async () => {
    folder = mkdtempSync(path.join(tmpdir(), 'video-'));
    await writeNumbered(at('plain.mp4'), 120);
    await writeNumbered(at('25.mp4'), 60, 25);
    const sound = ['-f', 'lavfi', '-i', 'sine=d=5'];
    makeWith(
      ...sound,
      '-itsoffset',
      '0.37',
      '-i',
      at('plain.mp4'),
      '-map',
      '1:v',
      '-map',
      '0:a',
      '-c:v',
      'copy',
      at('sound.mp4'),
    );
    makeWith('-i', at('plain.mp4'), '-c:v', 'libx264', '-bf', '3', '-g', '25', '-crf', '10', at('bframes.mkv'));
    makeWith(
      '-i',
      at('plain.mp4'),
      '-vf',
      "select='lt(n,30)+not(mod(n,3))'",
      '-vsync',
      'vfr',
      '-crf',
      '10',
      at('uneven.mp4'),
    );
    makeWith('-i', at('plain.mp4'), '-c', 'copy', '-metadata:s:v', 'rotate=90', at('turned.mp4'));
    makeWith(...sound, at('sound.m4a'));
    makeWith('-i', at('plain.mp4'), '-c', 'copy', '-movflags', '+faststart', at('short.mp4'));
    truncateSync(at('short.mp4'), Math.floor(readFileSync(at('short.mp4')).length / 2));
    copyFileSync(at('plain.mp4'), at('headless.mp4'));
    truncateSync(at('headless.mp4'), Math.floor(readFileSync(at('headless.mp4')).length / 2));
    writeFileSync(at('empty.mp4'), '');
    writeFileSync(at('text.avi'), 'this is no video\n'.repeat(100));
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  test('probe tells size, rate, length and rotation', async () => {
    const plain = { width: WIDE, height: TALL, fps: 30, frames: 120, exact: true, rotation: 0, steady: true };
    await expect(probe(at('plain.mp4'))).resolves.toMatchObject(plain);
    await expect(probe(at('25.mp4'))).resolves.toMatchObject({ fps: 25, frames: 60 });
    const turned = await probe(at('turned.mp4'));
    expect([turned.width, turned.height, Math.abs(turned.rotation)]).toEqual([TALL, WIDE, 90]);
    await expect(probe(at('bframes.mkv'))).resolves.toMatchObject({ frames: 120, exact: false });
    await expect(probe(at('uneven.mp4'))).resolves.toMatchObject({ frames: 60, steady: false });
  });

  const evenly = [10, 14, 18, 22];
  const unevenly = [119, 3, 57, 57, 58, 0, 91];
  test.each(['plain.mp4', 'sound.mp4', 'bframes.mkv'])(
    '%s: just the frames asked for come, in their order',
    async (name) => {
      const info = await probe(at(name));
      for (const numbers of [evenly, unevenly, [0], [119], [60, 61, 62, 63]]) {
        const { pixels } = await decode(at(name), numbers, SIZE, info);
        expect(readNumbers(pixels, TALL, WIDE)).toEqual(numbers);
      }
    },
  );

  test('every frame can be reached by seeking', async () => {
    const info = await probe(at('25.mp4'));
    for (let n = 1; n < 60; n += 7) {
      const { pixels } = await decode(at('25.mp4'), [n], SIZE, info);
      expect(readNumbers(pixels, TALL, WIDE)).toEqual([n]);
    }
  });

  test('frames of uneven length are counted, not timed', async () => {
    const { pixels } = await decode(at('uneven.mp4'), [29, 30, 31, 45], SIZE, await probe(at('uneven.mp4')));
    expect(readNumbers(pixels, TALL, WIDE)).toEqual([29, 30, 33, 75]);
  });

  test('pictures are scaled, and turned as a player would', async () => {
    const info = await probe(at('turned.mp4'));
    const { pixels, width, height } = await decode(at('turned.mp4'), [5], [24, 40], info);
    expect([pixels.length, width, height]).toEqual([24 * 40 * 3, 24, 40]);
  });

  test('an estimated length may be a little too long: the last frame is repeated', async () => {
    const info = { ...(await probe(at('bframes.mkv'))), frames: 123 };
    const { pixels } = await decode(at('bframes.mkv'), [118, 119, 121, 122], SIZE, info);
    expect(readNumbers(pixels, TALL, WIDE)).toEqual([118, 119, 119, 119]);
  });

  test.each([
    ['missing.mp4', 'the file does not exist'],
    ['empty.mp4', 'it is empty, cut short or no video: its index (moov) is missing'],
    ['text.avi', 'it is not a video that FFmpeg can read'],
    ['headless.mp4', 'it is empty, cut short or no video: its index (moov) is missing'],
    ['sound.m4a', 'it has no video stream'],
    ['', 'it is a folder, not a file'],
  ])('%j is refused: %s', async (name, reason) => {
    await expect(probe(at(name))).rejects.toMatchObject({ message: `${at(name)}: ${reason}`, code: 'UNREADABLE_CLIP' });
  });

  test('a file that ends early is refused where frames are missing, and read before', async () => {
    const info = await probe(at('short.mp4'));
    expect(info.frames).toBe(120);
    const { pixels } = await decode(at('short.mp4'), [0, 1, 2], SIZE, info);
    expect(readNumbers(pixels, TALL, WIDE)).toEqual([0, 1, 2]);
    await expect(decode(at('short.mp4'), [5, 118], SIZE, info)).rejects.toThrow(
      /short\.mp4: frame 118 of 120 cannot be decoded: /,
    );
    await expect(decode(at('plain.mp4'), [], SIZE, info)).rejects.toThrow('expected frame numbers from 0 on');
  });

  test('a program that takes too long or is aborted is gone when the promise settles', async () => {
    const endless = ['-v', 'error', '-f', 'lavfi', '-i', 'testsrc', '-f', 'null', '-'];
    const slow = runProgram('ffmpeg', endless, { subject: 'x.mp4', timeoutMs: 200 });
    await expect(slow).rejects.toMatchObject({ message: 'x.mp4: ffmpeg took over 0.2 s', code: 'UNREADABLE_CLIP' });
    const stop = new AbortController();
    const aborted = runProgram('ffmpeg', endless, { subject: 'x.mp4', signal: stop.signal });
    expect(runningPrograms()).toBe(1);
    stop.abort(new Error('enough'));
    await expect(aborted).rejects.toThrow('enough');
    expect(runningPrograms()).toBe(0);
  });

  test('names that look like options or protocols are files', async () => {
    for (const name of ['-y.mp4', 'concat:a|b.mp4', 'it\'s "50%".mp4']) {
      copyFileSync(at('plain.mp4'), at(name));
      const info = await probe(at(name));
      expect(readNumbers((await decode(at(name), [7], SIZE, info)).pixels, TALL, WIDE)).toEqual([7]);
    }
  });
});
