import sharp from 'sharp';
import { contactSheet, contactStrip, spread } from '../../src/report/contact_sheet';

/** Frame t is one colour: [t, 100, 255 - t]. */
function flat(frames: number, height = 8, width = 8) {
  const pixels = new Uint8Array(frames * height * width * 3);
  for (let i = 0; i < pixels.length; i += 3) {
    const t = Math.floor(i / (height * width * 3)) * 10;
    pixels.set([t, 100, 255 - t], i);
  }
  return { pixels, frames, height, width };
}

async function pixelsOf(png: Buffer) {
  const { data, info } = await sharp(png).ensureAlpha().raw().toBuffer({ resolveWithObject: true });
  const at = (x: number, y: number) => [...data.subarray(4 * (y * info.width + x), 4 * (y * info.width + x) + 4)];
  return { at, data, ...info };
}

test('frames are spread over the clip including both ends', () => {
  expect(spread(16, 16)).toEqual(Array.from({ length: 16 }, (_, i) => i));
  expect(spread(16, 4)).toEqual([0, 5, 10, 15]);
  expect(spread(3, 8)).toEqual([0, 1, 2]);
  expect(spread(5, 1)).toEqual([0]);
});

test('a strip lays frames out row by row with gaps between', async () => {
  const { png, width, height } = await contactStrip(flat(6, 8, 16), { columns: 4, tile: 10 });
  expect([width, height]).toEqual([4 * 22 - 2, 2 * 12 - 2]);
  const { at, ...size } = await pixelsOf(png);
  expect([size.width, size.height]).toEqual([width, height]);
  const near = (got: number[], want: number[]) =>
    got.forEach((v, i) => expect(Math.abs(v - (want[i] as number))).toBeLessThanOrEqual(2));
  near(at(5, 5), [0, 100, 255, 255]);
  near(at(22 + 5, 5), [10, 100, 245, 255]);
  near(at(22 + 5, 12 + 5), [50, 100, 205, 255]);
  expect(at(21, 5)[3]).toBe(0);
  expect(at(2 * 22 + 5, 12 + 5)[3]).toBe(0);
});

test('a sheet has a caption and the frames of each clip', async () => {
  const rows = [flat(4), flat(2)].map((clip, i) => ({ clip, caption: `clip ${i}` }));
  const { at, width, height, data } = await pixelsOf(await contactSheet(rows, { tile: 20 }));
  expect([width, height]).toEqual([240 + 32, 16 + 2 * (22 + 20 + 16)]);
  expect(at(16 + 22 + 3, 16 + 22 + 3)).toEqual([10, 100, 245, 255]);
  const bright = (from: number, to: number) =>
    data.subarray(4 * width * from, 4 * width * to).filter((v, i) => i % 4 === 0 && v > 150).length;
  expect(bright(16, 38)).toBeGreaterThan(20);
  expect(bright(0, 16)).toBe(0);
});

test.each([
  ['markup', '<image href="file:///etc/passwd"/></text></svg><script>&"\''],
  ['control characters', 'a\u0000b\u001b[31mc\uffff\ud800d\n'],
  ['a long name', 'x'.repeat(5000)],
  ['wide characters', '学习'.repeat(200)],
  ['nothing', ''],
])('a caption of %s is text and nothing else', async (_, caption) => {
  const png = await contactSheet([{ clip: flat(2), caption }], { tile: 20 });
  expect((await sharp(png).metadata()).width).toBe(272);
});

test('markup in a caption is not rendered', async () => {
  const caption = '</text><rect width="240" height="22" fill="#fff"/><text>';
  const { data, width } = await pixelsOf(await contactSheet([{ clip: flat(2), caption }], { tile: 20 }));
  const white = data.subarray(4 * width * 16, 4 * width * 38).filter((v, i) => i % 4 === 0 && v > 235).length;
  expect(white).toBe(0);
});

test('a wrong size is refused', async () => {
  const clip = { ...flat(2), frames: 3 };
  await expect(contactStrip(clip)).rejects.toThrow('contact sheet: expected 3 × 8 × 8 × 3 bytes, got 384');
  await expect(contactSheet([])).rejects.toThrow('expected at least one clip, got none');
});
