import { createHash } from 'node:crypto';
import { chmodSync, copyFileSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { allDecoders, decoder, decoderVersion } from '../../../src/data/video/choose';
import { decodeFrames } from '../../../src/data/video/decode';
import type { Decoder } from '../../../src/data/video/decoder';
import { explain, hasProgram, programPath, runningPrograms, runProgram } from '../../../src/data/video/ffmpeg';
import { probe } from '../../../src/data/video/frame_index';
import { selectExpression } from '../../../src/data/video/program_decoder';
import { stretches } from '../../../src/data/video/av_frames';
import { barNumbers, fixture, from, readNumbers, TALL, WIDE, writeNumbered } from '../video_support';

const folder = mkdtempSync(path.join(os.tmpdir(), 'decoders-'));
const at = (name: string) => path.join(folder, name);
afterAll(() => rmSync(folder, { recursive: true }));

const kept = process.env.MORPHMLP_FFMPEG;
afterEach(() => {
  delete process.env.MORPHMLP_FFMPEG;
  if (kept !== undefined) process.env.MORPHMLP_FFMPEG = kept;
});

/** SHA-256 of a decoder's results for a file: sizes, rate, frames, their times, and scaled pixels of some. */
async function digest(name: string, by: Decoder): Promise<string> {
  const hash = createHash('sha256');
  const file = fixture(name);
  const info = await probe(file, {}, by);
  const { index, ...facts } = info;
  hash.update(JSON.stringify([facts, [...index!.timestamps], [...index!.keys], index!.counted, index!.turn]));
  const numbers = from(0, info.frames).filter((n) => n % 5 === 2 || n === info.frames - 1);
  hash.update((await decodeFrames({ path: file, numbers, size: [101, 57], info }, {}, by)).pixels);
  return hash.digest('hex').slice(0, 16);
}

/** Written anew, by the FFmpeg program, where WRITE_HASHES is set. */
const HASHES = JSON.parse(readFileSync(fixture('hashes.json'), 'utf8')) as Record<string, string>;

if (process.env.WRITE_HASHES)
  test('hashes of the fixtures', async () => {
    const by = allDecoders().find(({ name }) => name === 'ffmpeg')!;
    const names = readdirSync(fixture('.')).filter((name) => !/\.(sh|json)$|music|slanted/.test(name));
    const hashes: Record<string, string> = {};
    for (const name of names) hashes[name] = await digest(name, by);
    writeFileSync(fixture('hashes.json'), `${JSON.stringify(hashes, null, 2)}\n`);
  });

describe('both decoders give the same bytes', () => {
  test.each(Object.keys(HASHES))('%s', async (name) => {
    const digests: Record<string, string> = {};
    for (const by of allDecoders()) digests[by.name] = await digest(name, by);
    expect(digests).toEqual(Object.fromEntries(allDecoders().map((by) => [by.name, HASHES[name]])));
  });
});

describe('messages of FFmpeg', () => {
  test('are those of the file that is read, however many the one before it caused', async () => {
    await writeNumbered(at('long.mp4'), 600);
    const info = await probe(at('long.mp4'));
    const bytes = readFileSync(at('long.mp4'));
    // Lengths of NAL units that reach beyond their packets: some messages for each packet.
    bytes.fill(0x7f, bytes.indexOf('mdat') + 4);
    writeFileSync(at('hurt.mp4'), bytes);
    const whole = await probe(fixture('h264.mp4'));
    const hurt = { path: at('hurt.mp4'), numbers: from(0, 600), size: [16, 16] as [number, number], info };
    const damaged = decodeFrames(hurt).catch(() => null);
    expect(await probe(fixture('h264.mp4'))).toEqual(whole);
    await damaged;
  });
});

describe('the choice', () => {
  test('is node-av where MORPHMLP_FFMPEG is not set', async () => {
    delete process.env.MORPHMLP_FFMPEG;
    expect(decoder().name).toBe('node-av');
    expect(await decoderVersion()).toMatch(/^node-av 6\.\d+\.\d+ \(FFmpeg 8/);
    process.env.MORPHMLP_FFMPEG = '/opt/ff';
    expect(decoder().name).toBe('ffmpeg');
  });

  test.each([
    ['/opt/ff/ffmpeg', '/opt/ff/ffprobe'],
    ['/opt/ff/ffmpeg-7', '/opt/ff/ffprobe-7'],
    ['/opt/ff', '/opt/ff/ffprobe'],
    ['ffmpeg', 'ffprobe'],
  ])('MORPHMLP_FFMPEG=%s gives %s', (set, want) => {
    process.env.MORPHMLP_FFMPEG = set;
    expect(programPath('ffprobe')).toBe(want);
  });

  test('a wrong MORPHMLP_FFMPEG and a missing FFmpeg are reported in one sentence', async () => {
    process.env.MORPHMLP_FFMPEG = '/nowhere/ffmpeg';
    const wrong = 'MORPHMLP_FFMPEG is /nowhere/ffmpeg, but /nowhere/ffprobe does not exist';
    await expect(probe('x.mp4')).rejects.toThrow(wrong);
    await expect(decoderVersion()).rejects.toThrow(wrong);
    delete process.env.MORPHMLP_FFMPEG;
    const searched = process.env.PATH;
    process.env.PATH = '/nowhere';
    try {
      expect(hasProgram()).toBe(false);
      await expect(runProgram('ffprobe', [], { subject: 'x.mp4' })).rejects.toThrow(
        'ffprobe is not on the PATH; videos need a decoder: npm install node-av, or install FFmpeg',
      );
    } finally {
      process.env.PATH = searched;
    }
  });
});

describe('a file at fault', () => {
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

  test.each([
    ['missing.mp4', 'the file does not exist', null],
    ['empty.mp4', 'it is empty, cut short or no video: its index (moov) is missing', ''],
    ['text.avi', 'it is not a video that FFmpeg can read', 'this is no video\n'.repeat(100)],
    ['.', 'it is a folder, not a file', null],
  ])('%j is refused: %s', async (name, reason, text) => {
    if (text !== null) writeFileSync(at(name), text);
    for (const by of allDecoders())
      await expect(probe(at(name), {}, by)).rejects.toMatchObject({
        message: `${at(name)}: ${reason}`,
        code: 'UNREADABLE_CLIP',
      });
  });

  test('names that look like options or protocols are files', async () => {
    await writeNumbered(at('plain.mp4'), 20);
    for (const name of ['-y.mp4', 'concat:a|b.mp4', 'it\'s "50%".mp4']) {
      copyFileSync(at('plain.mp4'), at(name));
      const info = await probe(at(name));
      const { pixels } = await decodeFrames({ path: at(name), numbers: [7, 3, 7], size: [WIDE, TALL], info });
      expect(readNumbers(pixels, TALL, WIDE)).toEqual([7, 3, 7]);
    }
    const info = await probe(at('plain.mp4'));
    const outside = decodeFrames({ path: at('plain.mp4'), numbers: [20], size: [WIDE, TALL], info });
    await expect(outside).rejects.toThrow('expected frame numbers from 0 to 19, got 20');
  });

  test('an abort ends the decoding, and what waited behind it is done', async () => {
    const file = fixture('h264.mp4');
    const info = await probe(file);
    const request = { path: file, numbers: [3, 30], size: [128, 64] as const, info };
    const stop = new AbortController();
    const first = decodeFrames(request, { signal: stop.signal });
    const second = decodeFrames(request);
    stop.abort(new Error('enough'));
    await expect(first).rejects.toThrow('enough');
    expect(barNumbers((await second).pixels, 128, 64)).toEqual([3, 30]);
    await expect(decodeFrames(request, { signal: stop.signal })).rejects.toThrow('enough');
  });
});

test('a program that takes too long or is aborted is gone when the promise settles', async () => {
  writeFileSync(at('ffmpeg'), '#!/bin/sh\nexec sleep 60\n');
  chmodSync(at('ffmpeg'), 0o755);
  process.env.MORPHMLP_FFMPEG = at('ffmpeg');
  const slow = runProgram('ffmpeg', [], { subject: 'x.mp4', timeoutMs: 200 });
  await expect(slow).rejects.toMatchObject({ message: 'x.mp4: ffmpeg took over 0.2 s', code: 'UNREADABLE_CLIP' });
  const stop = new AbortController();
  const aborted = runProgram('ffmpeg', [], { subject: 'x.mp4', signal: stop.signal });
  expect(runningPrograms()).toBe(1);
  stop.abort(new Error('enough'));
  await expect(aborted).rejects.toThrow('enough');
  expect(runningPrograms()).toBe(0);
});

describe('selectExpression', () => {
  /** Numbers of 0..39 that FFmpeg's expression selects. */
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
    expect(selectExpression([512, 1024, 1536], 'pts')).toBe('between(pts,512,1536)*not(mod(pts-512,512))');
  });
});

test('far frames are sought, near ones decoded on to', () => {
  const timestamps = Float64Array.from(from(0, 100));
  const index = { stream: 0, timeBase: [1, 30], timestamps, counted: false, decoded: false, turn: '' } as const;
  const keys = timestamps.map((time) => time - (time % 25));
  expect(stretches({ index: { ...index, keys }, numbers: [3, 20, 26, 99] })).toEqual([
    { key: 0, numbers: [3, 20, 26] },
    { key: 75, numbers: [99] },
  ]);
});
