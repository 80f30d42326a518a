import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { crc32, deflateSync } from 'node:zlib';
import sharp from 'sharp';
import { inputSpec } from '../../../src/data/input_spec';
import { encodePicture, readPicture } from '../../../src/data/pictures/pictures';
import { NORMALISATION } from '../../../src/data/normalisation';
import { isUnreadable } from '../../../src/data/types';
import { Philox } from '../../../src/core/philox';
import { readClips, readViews } from '../../../src/data/video/video_clips';

const folder = mkdtempSync(path.join(os.tmpdir(), 'morphmlp-'));
afterAll(() => rmSync(folder, { recursive: true }));
const at = (name: string) => path.join(folder, name);

const [WIDTH, HEIGHT] = [48, 32];

/** Smooth colours, and an alpha channel whose zeros would take half of them away. */
const RGB = new Uint8Array(WIDTH * HEIGHT * 3);
const RGBA = new Uint8Array(WIDTH * HEIGHT * 4);
for (let y = 0; y < HEIGHT; y++)
  for (let x = 0; x < WIDTH; x++) {
    const i = y * WIDTH + x;
    RGB.set([40 + 3 * x, 60 + 4 * y, 200 - 2 * x], i * 3);
    RGBA.set([...RGB.subarray(i * 3, i * 3 + 3), (x >> 2) % 2 === 0 ? 0 : 128], i * 4);
  }
const GREY = Uint8Array.from({ length: WIDTH * HEIGHT }, (_, i) => 30 + 4 * (i % WIDTH));

const rgb = () => sharp(RGB, { raw: { width: WIDTH, height: HEIGHT, channels: 3 } });
const rgba = () => sharp(RGBA, { raw: { width: WIDTH, height: HEIGHT, channels: 4 } });
const grey = () => sharp(GREY, { raw: { width: WIDTH, height: HEIGHT, channels: 1 } });
const greyAsRgb = Uint8Array.from({ length: RGB.length }, (_, i) => GREY[Math.floor(i / 3)]!);

/** The pixels of `RGB` after a quarter turn clockwise, as orientation 6 shows them. */
const TURNED = new Uint8Array(RGB.length);
for (let y = 0; y < HEIGHT; y++)
  for (let x = 0; x < WIDTH; x++)
    TURNED.set(RGB.subarray((y * WIDTH + x) * 3, (y * WIDTH + x) * 3 + 3), (x * HEIGHT + HEIGHT - 1 - y) * 3);

const worst = (a: Uint8Array, b: Uint8Array): number => {
  expect(a).toHaveLength(b.length);
  return a.reduce((most, value, i) => Math.max(most, Math.abs(value - b[i]!)), 0);
};
const mean = (a: Uint8Array, b: Uint8Array): number => {
  expect(a).toHaveLength(b.length);
  return a.reduce((sum, value, i) => sum + Math.abs(value - b[i]!), 0) / a.length;
};

/** `GREY` by a palette of which every other colour is transparent (tRNS). */
function palettePng(): Buffer {
  const chunk = (type: string, data: Uint8Array) => {
    const body = Buffer.concat([Buffer.from(type), data]);
    const [length, check] = [Buffer.alloc(4), Buffer.alloc(4)];
    length.writeUInt32BE(data.length);
    check.writeUInt32BE(crc32(body));
    return Buffer.concat([length, body, check]);
  };
  const header = Buffer.alloc(13);
  header.writeUInt32BE(WIDTH, 0);
  header.writeUInt32BE(HEIGHT, 4);
  header.set([8, 3, 0, 0, 0], 8);
  const palette = Uint8Array.from({ length: 768 }, (_, i) => Math.floor(i / 3));
  const opacity = Uint8Array.from({ length: 256 }, (_, i) => 255 * ((i >> 2) % 2));
  const rows = Array.from({ length: HEIGHT }, (_, y) => Buffer.from([0, ...GREY.subarray(y * WIDTH, (y + 1) * WIDTH)]));
  const parts = {
    IHDR: header,
    PLTE: palette,
    tRNS: opacity,
    IDAT: deflateSync(Buffer.concat(rows)),
    IEND: Buffer.alloc(0),
  };
  const chunks = Object.entries(parts).map(([type, data]) => chunk(type, data));
  return Buffer.concat([Buffer.from([137, 80, 78, 71, 13, 10, 26, 10]), ...chunks]);
}

interface Kind {
  write: (file: string) => Promise<unknown>;
  pixels?: Uint8Array;
  size?: readonly [number, number];
  /** Levels that a pixel may be off by: 0 but for formats that lose something. */
  off?: number;
}

const KINDS: Record<string, Kind> = {
  'rgb.png': { write: (f) => rgb().png().toFile(f) },
  'transparent.png': { write: (f) => rgba().png().toFile(f) },
  'palette.png': { write: (f) => rgb().png({ palette: true, colours: 256 }).toFile(f), off: 255 },
  'palette-transparent.png': { write: (f) => Promise.resolve(writeFileSync(f, palettePng())), pixels: greyAsRgb },
  'grey-alpha.png': {
    write: async (f) => {
      const alpha = Uint8Array.from({ length: WIDTH * HEIGHT }, (_, i) => 100 * (i % 2));
      await grey()
        .toColourspace('b-w')
        .joinChannel(Buffer.from(alpha), { raw: { width: WIDTH, height: HEIGHT, channels: 1 } })
        .png()
        .toFile(f);
    },
    pixels: greyAsRgb,
  },
  'grey.png': { write: (f) => grey().toColourspace('b-w').png().toFile(f), pixels: greyAsRgb },
  'grey16.png': { write: (f) => grey().toColourspace('grey16').png().toFile(f), pixels: greyAsRgb },
  'rgb16.png': { write: (f) => rgb().toColourspace('rgb16').png().toFile(f) },
  'grey.jpg': { write: (f) => grey().toColourspace('b-w').jpeg({ quality: 100 }).toFile(f), pixels: greyAsRgb, off: 2 },
  'cmyk.jpg': {
    write: (f) => rgb().toColourspace('cmyk').jpeg({ quality: 100, chromaSubsampling: '4:4:4' }).toFile(f),
    off: 60, // colours outside the gamut of CMYK
  },
  'turned.png': {
    write: (f) => rgb().withMetadata({ orientation: 6 }).png().toFile(f),
    pixels: TURNED,
    size: [HEIGHT, WIDTH],
  },
  'lossless.webp': { write: (f) => rgb().webp({ lossless: true }).toFile(f) },
  'rgb.tif': { write: (f) => rgb().tiff({ compression: 'lzw' }).toFile(f) },
  'first-frame.gif': {
    write: (f) => {
      const frames = Buffer.concat([RGB, new Uint8Array(RGB.length)]);
      const raw = { width: WIDTH, height: 2 * HEIGHT, channels: 3, pageHeight: HEIGHT } as const;
      return sharp(frames, { raw }).gif({ dither: 0, effort: 10 }).toFile(f);
    },
    off: 255,
  },
  'first-frame.webp': {
    write: (f) => {
      const frames = Buffer.concat([RGB, new Uint8Array(RGB.length)]);
      const raw = { width: WIDTH, height: 2 * HEIGHT, channels: 3, pageHeight: HEIGHT } as const;
      return sharp(frames, { raw }).webp({ lossless: true }).toFile(f);
    },
  },
};

describe.each(Object.entries(KINDS))('%s', (name, { write, pixels = RGB, size = [WIDTH, HEIGHT], off = 0 }) => {
  const file = at(name);
  beforeAll(async () => void (await write(file)));

  test('its pixels are red, green, blue, without transparency and upright', async () => {
    const read = await readPicture({ path: file }, size);
    expect(worst(read, pixels)).toBeLessThanOrEqual(off);
    if (off === 255) expect(mean(read, pixels)).toBeLessThan(8); // a palette of 256 colours
  });

  test('a resized and a prepared one are the same picture', async () => {
    const half = [size[0] / 2, size[1] / 2] as const;
    const read = await readPicture({ path: file }, half);
    const reference = await sharp(await readPicture({ path: file }, size), {
      raw: { width: size[0], height: size[1], channels: 3 },
    })
      .resize(half[0], half[1], { fit: 'fill', kernel: 'cubic' })
      .raw()
      .toBuffer();
    expect(worst(read, reference)).toBeLessThanOrEqual(1);
    const prepared = await sharp(await encodePicture({ path: file }, half, 100))
      .raw()
      .toBuffer();
    const colours = prepared.length === read.length / 3 ? read.filter((_, i) => i % 3 === 0) : read;
    expect(mean(prepared, colours)).toBeLessThan(1);
  });
});

const SPEC = inputSpec({ frames: 1, rate: 1, crop: 224, normalisation: NORMALISATION });

test('a picture of 1 x 100000 is unreadable, in training too, and not the end of a run', async () => {
  const file = at('thin.png');
  await sharp(Buffer.alloc(300_000, 100), { raw: { width: 1, height: 100_000, channels: 3 } })
    .png()
    .toFile(file);
  const error = await readViews(file, SPEC).catch((e: unknown) => e);
  expect(isUnreadable(error)).toBe(true);
  expect((error as Error).message).toBe(
    `${file}: its frames of 1x100000 would be scaled to 224x22400000, more than 67108864 pixels`,
  );
  const options = { frames: 1, rate: 1, crop: 224, train: true, flip: true };
  const choices = [{ random: new Philox(1).state() }];
  const training = readClips({ source: { kind: 'image', path: file }, options, choices });
  expect(isUnreadable(await training.catch((e: unknown) => e))).toBe(true);
});

test('a small file that claims more pixels than a machine has memory for is unreadable', async () => {
  const file = at('bomb.png');
  await sharp({ create: { width: 20_000, height: 14_000, channels: 3, background: 'red' }, limitInputPixels: false })
    .png({ compressionLevel: 1 })
    .toFile(file);
  const error = await readViews(file, SPEC).catch((e: unknown) => e);
  expect([isUnreadable(error), (error as Error).message]).toEqual([
    true,
    `${file}: it is not a picture that can be read: Input image exceeds pixel limit`,
  ]);
});
