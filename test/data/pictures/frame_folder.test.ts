import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import sharp from 'sharp';
import { readFrameList } from '../../../src/data/lists/frame_list';
import { numberedFrames, surveyFrames } from '../../../src/data/pictures/frame_folder';
import { decodeSource, probeSource, type Source } from '../../../src/data/source';

const folder = mkdtempSync(path.join(tmpdir(), 'frames-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** Writes pictures of one colour each: the grey level is 10 times the position. */
async function frames(name: string, files: readonly string[]): Promise<string> {
  const full = path.join(folder, name);
  mkdirSync(full, { recursive: true });
  for (const [i, file] of files.entries())
    await sharp({ create: { width: 8, height: 8, channels: 3, background: { r: 10 * i, g: 10 * i, b: 10 * i } } })
      .toFormat(path.extname(file) === '.png' ? 'png' : path.extname(file) === '.webp' ? 'webp' : 'jpeg', {
        quality: 100,
      })
      .toFile(path.join(full, file));
  return full;
}

async function levels(source: Source, numbers: number[]): Promise<number[]> {
  const info = await probeSource(source);
  const { pixels } = await decodeSource(source, numbers, [8, 8], info);
  return numbers.map((_, i) => Math.round(pixels[i * 192]! / 10));
}

const range = (from: number, to: number): number[] => Array.from({ length: to - from }, (_, i) => from + i);

test.each([
  ['from 0, padded', range(0, 6).map((n) => `${String(n).padStart(5, '0')}.jpg`)],
  ['from 1, unpadded, past 9', range(1, 13).map((n) => `${n}.jpg`)],
  ['from 7, png with a prefix', range(7, 12).map((n) => `img_${String(n).padStart(3, '0')}.png`)],
  ['webp with a gap', ['f-1.webp', 'f-2.webp', 'f-4.webp', 'f-5.webp']],
])('frames %s are read in their order, each the right one', async (name, files) => {
  const full = await frames(name, files);
  const source: Source = { kind: 'frames', path: full, count: files.length, template: '{:05d}.jpg' };
  expect((await probeSource(source)).frames).toBe(files.length);
  expect(await levels(source, range(0, files.length))).toEqual(range(0, files.length));
});

test('the numbering is found and said, gaps and missing frames are named', async () => {
  const zero = await frames('zero', ['00000.jpg', '00001.jpg', '00003.jpg']);
  const one = await frames('one', ['00001.jpg', '00002.jpg', '00003.jpg']);
  const lines = surveyFrames(
    [
      { path: zero, count: 5 },
      { path: one, count: 3 },
      { path: path.join(folder, 'no'), count: 1 },
    ],
    '{:05d}.jpg',
  );
  expect(lines).toEqual([
    `frames are numbered from 0, {:05d}.jpg: 1 of 3 folders, such as ${zero}`,
    `1 of 3 folders lack numbers within, the first is ${zero} (2)`,
    `1 of 3 folders have fewer frames than listed, the first is ${zero} (3 of 5)`,
    expect.stringMatching(/^1 of 3 folders cannot be read, the first is ENOENT/),
  ]);
});

test('several kinds of numbered pictures are taken by the template, or refused', () => {
  const names = ['flow_x_00001.jpg', 'img_00001.jpg', 'img_00002.jpg', 'notes.txt', '.img_00003.jpg'];
  expect(numberedFrames('f', names, 'img_{:05d}.jpg').files).toEqual(['img_00001.jpg', 'img_00002.jpg']);
  expect(() => numberedFrames('f', names, '{:05d}.jpg')).toThrow(
    'f: numbered pictures of 2 kinds (flow_x_{:05d}.jpg, img_{:05d}.jpg), none as {:05d}.jpg; name one of them (DATA.IMAGE_TEMPLATE)',
  );
  expect(() => numberedFrames('f', ['a.txt'], '{:05d}.jpg')).toThrow('f: no numbered pictures');
  expect(() => numberedFrames('f', ['1.jpg', '01.jpg'], '{:d}.jpg')).toThrow('f: number 1 has two frames');
});

test('a list of folders has labels as any list', async () => {
  await frames('v1', ['0.jpg']);
  await frames('v2', ['0.jpg']);
  const list = path.join(folder, 'l.txt');
  writeFileSync(list, '\uFEFFv1 1 1\r\nv2 1 0\r\nv1 1 1\r\n');
  const listing = readFrameList(list, '{:05d}.jpg', { known: ['ant', 'bee'] });
  expect(listing.items.map(({ label }) => label)).toEqual([1, 0]);
  expect(listing.duplicates).toBe(1);
  expect(listing.notes).toEqual([`frames are numbered from 0, {:d}.jpg: such as ${path.join(folder, 'v1')}`]);
});
