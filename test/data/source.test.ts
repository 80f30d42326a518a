import { appendFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import sharp from 'sharp';
import { frameName } from '../../src/data/pictures/pictures';
import { decodeSource, probeSource, sourceKey, sourceOf, type Source } from '../../src/data/source';
import { allFrames, motionJpeg, readNumbers, TALL, WIDE, writeNumbered, writePictures } from './video_support';

const folder = mkdtempSync(path.join(os.tmpdir(), 'morphmlp-'));
const at = (name: string) => path.join(folder, name);
afterAll(() => rmSync(folder, { recursive: true }));

/** Numbers that the frames of a source show. */
async function numbersIn(source: Source, wanted: number[]): Promise<number[]> {
  const info = await probeSource(source);
  const { pixels } = await decodeSource(source, wanted, [WIDE, TALL], info);
  return readNumbers(pixels, TALL, WIDE);
}

test('frame names follow the template, numbered from 1', () => {
  expect(frameName('{:05d}.jpg', 12)).toBe('00012.jpg');
  expect(frameName('img_{:06d}.png', 1)).toBe('img_000001.png');
  expect(frameName('{:d}.jpg', 7)).toBe('7.jpg');
  expect(() => frameName('frame.jpg', 1)).toThrow('expected a template such as {:05d}.jpg, got frame.jpg');
});

test('a picture is a video of one frame; grey and transparent ones become colour, turned ones upright', async () => {
  const grey = await sharp(Buffer.from([0, 50, 100, 150, 200, 250]), { raw: { width: 3, height: 2, channels: 1 } });
  await grey.png().toFile(at('grey.png'));
  expect(await probeSource(sourceOf(at('grey.png')))).toMatchObject({ width: 3, height: 2, frames: 1 });
  const info = await probeSource(sourceOf(at('grey.png')));
  const { pixels } = await decodeSource(sourceOf(at('grey.png')), [0, 0], [3, 2], info);
  expect([...pixels.subarray(0, 9)]).toEqual([0, 0, 0, 50, 50, 50, 100, 100, 100]);
  expect(pixels.subarray(0, 18)).toEqual(pixels.subarray(18));
  const clear = sharp({ create: { width: 4, height: 2, channels: 4, background: { r: 9, g: 8, b: 7, alpha: 0 } } });
  await clear.png().toFile(at('clear.png'));
  await sharp(at('clear.png'))
    .withMetadata({ orientation: 6 })
    .removeAlpha()
    .jpeg({ quality: 100 })
    .toFile(at('turned.jpg'));
  expect(await probeSource(sourceOf(at('turned.jpg')))).toMatchObject({ width: 2, height: 4 });
  const one = await decodeSource(sourceOf(at('clear.png')), [0], [4, 2], info);
  expect([...one.pixels.subarray(0, 3)]).toEqual([9, 8, 7]);
});

test('what is no picture, and frames that are not there, are unreadable clips that name the file', async () => {
  writeFileSync(at('bad.png'), 'no picture');
  await expect(probeSource(sourceOf(at('bad.png')))).rejects.toMatchObject({ code: 'UNREADABLE_CLIP' });
  await expect(probeSource(sourceOf(at('gone.png')))).rejects.toThrow(/gone.png: the file does not exist/);
  mkdirSync(at('short'), { recursive: true });
  const picture = sharp({ create: { width: 8, height: 8, channels: 3, background: '#345' } });
  await picture.jpeg().toFile(at('short/00001.jpg'));
  const source: Source = { kind: 'frames', path: at('short'), count: 3, template: '{:05d}.jpg' };
  const info = await probeSource(source);
  expect(info.frames).toBe(1); // those in the folder; the list's number is the most that are used
  await expect(decodeSource(source, [0, 2], [8, 8], info)).rejects.toThrow(/short: .*frame/);
});

test('raw frames whose bytes are not a whole number of frames are told', async () => {
  writeFileSync(at('odd.rgb'), Buffer.alloc(13));
  const source: Source = { kind: 'raw', path: at('odd.rgb'), width: 2, height: 2 };
  await expect(probeSource(source)).rejects.toThrow(/odd.rgb: 13 bytes are not a whole number of 2x2 frames/);
});

describe('sources', () => {
  beforeAll(async () => {
    await writeNumbered(at('n.mp4'), 30);
    await writePictures(at('n.mp4'), at('frames'), '{:05d}.png');
    writeFileSync(at('n.rgb'), Buffer.concat((await allFrames(at('n.mp4'))).frames));
  });
  const wanted = [4, 29, 4, 0, 17];

  test.each<[string, () => Source]>([
    ['a video', () => sourceOf(at('n.mp4'))],
    ['a folder of numbered frames', () => ({ kind: 'frames', path: at('frames'), count: 30, template: '{:05d}.png' })],
    [
      'named frames',
      () => ({
        kind: 'files',
        path: at('frames'),
        files: Array.from({ length: 30 }, (_, i) => `${String(i + 1).padStart(5, '0')}.png`),
      }),
    ],
    ['raw frames', () => ({ kind: 'raw', path: at('n.rgb'), width: WIDE, height: TALL })],
  ])('%s gives exactly the frames asked for, in that order', async (_, source) => {
    expect(await numbersIn(source(), wanted)).toEqual(wanted);
  });

  test('a part of a file is read as a video, whatever surrounds it', async () => {
    writeFileSync(at('packed'), Buffer.alloc(1000, 7));
    appendFileSync(at('packed'), readFileSync(at('n.mp4')));
    const end = statSync(at('packed')).size;
    appendFileSync(at('packed'), Buffer.alloc(777, 9));
    const source: Source = { kind: 'video', path: at('packed'), part: { start: 1000, end } };
    expect(await probeSource(source)).toEqual(await probeSource(sourceOf(at('n.mp4'))));
    expect(await numbersIn(source, wanted)).toEqual(wanted);
    expect(sourceKey(source)).not.toBe(sourceKey({ kind: 'video', path: at('packed') }));
  });

  test('a stream without a length (Motion JPEG) is read through to count its frames', async () => {
    writeFileSync(at('n.mjpeg'), await motionJpeg(at('n.mp4')));
    const source = sourceOf(at('n.mjpeg'));
    expect(await probeSource(source)).toMatchObject({ frames: 30 });
    expect(await numbersIn(source, wanted)).toEqual(wanted);
  });
});
