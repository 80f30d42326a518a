import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { crc32 } from 'node:zlib';
import sharp from 'sharp';
import { Philox } from '../../../src/core/philox';
import { checkPairs } from '../../../src/data/masks/check';
import { randomCrop, resizeMask } from '../../../src/data/masks/augment';
import { PairDataset, readMask } from '../../../src/data/masks/pair_dataset';
import { listPairs } from '../../../src/data/masks/pairs';
import { classColours, decodeMask, encodeMask } from '../../../src/data/masks/png';

let folder = '';
beforeEach(() => (folder = mkdtempSync(path.join(os.tmpdir(), 'morphmlp-masks-'))));
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** Writes a file below the folder. */
function write(name: string, data: Uint8Array | string): string {
  const file = path.join(folder, name);
  mkdirSync(path.dirname(file), { recursive: true });
  writeFileSync(file, data);
  return file;
}

const gradient = (width: number, height: number): Uint8Array =>
  Uint8Array.from({ length: width * height }, (_, i) => ((i % width) + 3 * Math.floor(i / width)) % 21);

const mask = (width: number, height: number) => ({ pixels: gradient(width, height), height, width });
const grey = (width: number, height: number) =>
  sharp(gradient(width, height), { raw: { width, height, channels: 1 } }).toColourspace('b-w');

describe('PNG masks', () => {
  test('what is written is read back, and has the colours of its classes elsewhere', async () => {
    const file = encodeMask(mask(33, 20), classColours(21));
    expect(decodeMask(file)).toEqual(mask(33, 20));
    const { data, info } = await sharp(file).removeAlpha().raw().toBuffer({ resolveWithObject: true });
    expect([info.width, info.height, info.channels]).toEqual([33, 20, 3]);
    const colours = classColours(21);
    expect([...data]).toEqual([...gradient(33, 20)].flatMap((label) => colours[label]!));
  });

  test('the colours are those of Pascal VOC', () => {
    expect(classColours(256).slice(0, 4)).toEqual([
      [0, 0, 0],
      [128, 0, 0],
      [0, 128, 0],
      [128, 128, 0],
    ]);
    expect(classColours(21)[20]).toEqual([0, 64, 128]);
  });

  test.each([false, true])("grey of another program's encoder, adaptive filters %s", async (adaptiveFiltering) => {
    expect(decodeMask(await grey(40, 31).png({ adaptiveFiltering }).toBuffer())).toEqual(mask(40, 31));
  });

  test.each([1, 2, 4])('samples of %i bits are class numbers, not shades', (depth) => {
    const most = (1 << depth) - 1;
    const [width, height] = [13, 3];
    const labels = gradient(width, height).map((v) => v & most);
    const stride = Math.ceil((width * depth) / 8);
    const plain = encodeMask({ pixels: new Uint8Array(stride * height), height, width: stride }, []);
    expect(decodeMask(plain).width).toBe(stride);
    const file = packed(labels, width, height, depth);
    expect([...decodeMask(file).pixels]).toEqual([...labels]);
  });

  test.each([
    [
      'colours',
      async () =>
        sharp(await grey(8, 8).png().toBuffer())
          .toColourspace('srgb')
          .png()
          .toBuffer(),
      /got colours/,
    ],
    ['16 bits', async () => grey(8, 8).toColourspace('grey16').png().toBuffer(), /at most 8 bits a pixel, got 16/],
    ['interlaced', () => grey(8, 8).png({ progressive: true }).toBuffer(), /an interlaced mask cannot be read/],
    ['JPEG', () => grey(8, 8).jpeg().toBuffer(), /not a PNG file/],
    ['cut off', async () => (await grey(64, 64).png().toBuffer()).subarray(0, 90), /not a PNG file that can be read/],
    ['a damaged byte', async () => damaged(await grey(64, 64).png().toBuffer()), /it is damaged/],
  ])('%s is refused with what was expected', async (_, make, message) => {
    const file = await make();
    expect(() => decodeMask(file)).toThrow(message);
  });
});

function damaged(file: Buffer): Buffer {
  file[60]! ^= 0x55;
  return file;
}

/** A grey PNG of fewer bits, by the encoder for 8 with its header changed. */
function packed(labels: Uint8Array, width: number, height: number, depth: number): Buffer {
  const stride = Math.ceil((width * depth) / 8);
  const rows = new Uint8Array(stride * height);
  labels.forEach((label, i) => {
    const bit = (i % width) * depth;
    rows[Math.floor(i / width) * stride + (bit >> 3)]! |= label << (8 - depth - (bit & 7));
  });
  const file = encodeMask({ pixels: rows, height, width: stride }, []);
  file.writeUInt32BE(width, 16);
  file.set([depth, 0], 24);
  file.writeUInt32BE(crc32(file.subarray(12, 29)), 29);
  return file;
}

describe('lists of pairs', () => {
  const layouts: [string, string[], string][] = [
    ['plain', ['images/a.jpg', 'masks/a.png'], ''],
    ['split folders', ['train/images/a.jpg', 'train/masks/a.png'], ''],
    [
      'ADE20K',
      [
        'images/training/a.jpg',
        'annotations/training/a.png',
        'images/validation/b.jpg',
        'annotations/validation/b.png',
      ],
      '',
    ],
    [
      'Cityscapes',
      [
        'leftImg8bit/train/ulm/a_leftImg8bit.png',
        'gtFine/train/ulm/a_gtFine_labelTrainIds.png',
        'gtFine/train/ulm/a_gtFine_color.png',
      ],
      '',
    ],
    [
      'Pascal VOC',
      ['JPEGImages/a.jpg', 'JPEGImages/b.jpg', 'SegmentationClass/a.png', 'SegmentationClass/b.png'],
      'a\n',
    ],
  ];

  test.each(layouts)('%s', (_, files, split) => {
    for (const file of files) write(file, '');
    if (split) write('ImageSets/Segmentation/train.txt', split);
    const { pairs, alone } = listPairs(folder, 'train');
    expect(pairs).toEqual([
      {
        picture: path.join(folder, files[0]!),
        mask: path.join(
          folder,
          files.find((f, i) => i > 0 && f.endsWith('.png'))!,
        ),
      },
    ]);
    expect(alone).toEqual([]);
  });

  test('files without a partner are named, on both sides', () => {
    for (const file of ['images/a.jpg', 'masks/a.png', 'images/b.jpg', 'masks/c.png']) write(file, '');
    expect(listPairs(folder, 'train').alone.map(({ reason }) => reason.replaceAll(`${folder}${path.sep}`, ''))).toEqual(
      ['images/b.jpg: its mask masks/b.png does not exist', 'masks/c.png: its picture in images does not exist'],
    );
  });

  test.each([
    ['another folder', ['things/a.jpg'], /expected a folder of images\/ and masks\/.*, got one with things/],
    ['no pair', ['images/a.jpg', 'masks/b.png'], /none of 1 pictures has a mask/],
  ])('%s is refused', (_, files, message) => {
    for (const file of files) write(file, '');
    expect(() => listPairs(folder, 'train')).toThrow(message);
  });
});

describe('masks of a dataset', () => {
  const png = (values: number[]) =>
    encodeMask({ pixels: Uint8Array.from(values), height: 1, width: values.length }, []);

  test('classes that count from 1: 0 and 255 are ignored', async () => {
    const file = write('m.png', png([0, 1, 3, 255]));
    expect([...(await readMask(file, 3, true)).pixels]).toEqual([255, 0, 2, 255]);
    expect([...(await readMask(file, 4, false)).pixels]).toEqual([0, 1, 3, 255]);
  });

  test.each([
    [false, 'index 3 at pixel 2, 0 is beyond the 3 classes, 0 to 2'],
    [true, 'index 4 at pixel 3, 0 is beyond the 3 classes, 1 to 3'],
  ])('an index beyond the classes is named with its place (from 1: %s)', async (reduce, message) => {
    const file = write('m.png', png([0, 1, 3, 4]));
    await expect(readMask(file, 3, reduce)).rejects.toThrow(`${file}: ${message}`);
  });

  const options = { classNames: ['a', 'b'], reduceZeroLabel: false, flip: true, colour: 0.4 };
  const picture = (width: number, height: number) =>
    sharp({ create: { width, height, channels: 3, background: '#406080' } })
      .png()
      .toBuffer();

  test('a mask of another size than its picture is refused with both sizes', async () => {
    write('images/a.png', await picture(40, 30));
    write('masks/a.png', encodeMask({ pixels: new Uint8Array(1200), height: 40, width: 30 }, []));
    const dataset = new PairDataset(listPairs(folder, 'train'), { ...options, size: 32, train: true });
    await expect(dataset.clip(0, new Philox(0))).rejects.toThrow(/the mask is 30 x 40, its picture .*a\.png 40 x 30/);
  });

  test('training crops depend on their generator alone; validation is the whole picture with its own mask', async () => {
    write('images/a.png', await picture(80, 60));
    write('masks/a.png', encodeMask({ pixels: gradient(80, 60).map((v) => v % 2), height: 60, width: 80 }, []));
    const list = listPairs(folder, 'train');
    const train = new PairDataset(list, { ...options, size: 48, train: true });
    const [one, again, other] = [
      await train.clip(0, new Philox(3)),
      await train.clip(0, new Philox(3)),
      await train.clip(0, new Philox(4)),
    ];
    expect(again).toEqual(one);
    expect(other).not.toEqual(one);
    expect([one.height, one.width, one.mask!.pixels.length]).toEqual([48, 48, 48 * 48]);
    const val = await new PairDataset(list, { ...options, size: 48, train: false }).clip(0, new Philox(0));
    expect([val.height, val.width, val.mask!.height, val.mask!.width]).toEqual([48, 64, 60, 80]);
  });
});

describe('augmentation', () => {
  /** A picture whose red and green are the place of the pixel, and a mask with the same red. */
  function place(width: number, height: number) {
    const pixels = Uint8Array.from({ length: width * height * 3 }, (_, i) => {
      const [at, c] = [Math.floor(i / 3), i % 3];
      return c === 0 ? (at % width) + 1 : c === 1 ? Math.floor(at / width) + 1 : 7;
    });
    return { pixels, mask: { pixels: pixels.filter((_, i) => i % 3 === 0), height, width } };
  }

  test.each([0, 1, 2, 3, 4, 5])('picture and mask are cut and mirrored together (seed %i)', (seed) => {
    const { pixels, mask } = randomCrop(place(50, 40), 32, { flip: true, colour: 0 }, new Philox(seed));
    expect([...mask.pixels]).toEqual([...pixels.filter((_, i) => i % 3 === 0)]);
    const step = mask.pixels[1]! - mask.pixels[0]!;
    expect(Math.abs(step)).toBe(1);
  });

  test('beyond a small picture pixels are black and ignored', () => {
    const { pixels, mask } = randomCrop(place(20, 10), 32, { flip: false, colour: 0 }, new Philox(1));
    expect([mask.pixels[19], mask.pixels[20], mask.pixels[10 * 32]]).toEqual([20, 255, 255]);
    expect([...pixels.subarray(20 * 3, 20 * 3 + 3)]).toEqual([0, 0, 0]);
  });

  test('a place with more than three quarters of one class is drawn anew', () => {
    const [width, height, side] = [400, 32, 32];
    const labels = Uint8Array.from({ length: width * height }, (_, i) => (i % width < 320 ? 0 : (i % width) % 2));
    const source = { pixels: new Uint8Array(width * height * 3), mask: { pixels: labels, height, width } };
    const mixed = Array.from({ length: 200 }, (_, seed) => {
      const { mask } = randomCrop(source, side, { flip: false, colour: 0 }, new Philox(seed));
      return mask.pixels.filter((v) => v === 0).length <= 0.75 * side * side;
    });
    // A place is mixed with a probability of 0.175, one of ten with 0.85.
    expect(mixed.filter(Boolean).length).toBeGreaterThan(140);
  });

  test('a mask is resized to the nearest pixel, and never to a class between', () => {
    const resized = resizeMask({ pixels: Uint8Array.of(1, 9, 4, 255), height: 2, width: 2 }, 4, 6);
    expect([...resized.pixels.subarray(0, 6)]).toEqual([1, 1, 1, 9, 9, 9]);
    expect([...resized.pixels.subarray(18)]).toEqual([4, 4, 4, 255, 255, 255]);
    expect([...resizeMask(resized, 2, 2).pixels]).toEqual([1, 9, 4, 255]);
  });
});

test('a check counts the pixels of the classes, and names what cannot be used', async () => {
  const png = (width: number, ...values: number[]) =>
    encodeMask({ pixels: Uint8Array.from(values), height: values.length / width, width }, []);
  const picture = await sharp({ create: { width: 2, height: 2, channels: 3, background: '#123456' } })
    .png()
    .toBuffer();
  for (const name of ['good', 'wide', 'high', 'lost', 'alone']) write(`images/${name}.png`, picture);
  write('masks/good.png', png(2, 0, 1, 1, 255));
  write('masks/wide.png', png(4, 0, 0, 0, 0));
  write('masks/high.png', png(2, 0, 0, 7, 0));
  write('masks/lost.png', 'no picture');
  const list = listPairs(folder, 'train');
  let seen = 0;
  const found = await checkPairs(list, 2, false, () => void seen++);
  expect([seen, found.pairs, found.pixels, found.ignored]).toEqual([4, 4, [1, 2], 1]);
  expect(found.alone).toEqual([expect.stringContaining('its mask')]);
  expect(found.bad).toEqual([
    expect.stringMatching(/high\.png: index 7 at pixel 0, 1 is beyond the 2 classes, 0 to 1$/),
    expect.stringMatching(/lost\.png: not a PNG file$/),
    expect.stringMatching(/wide\.png: the mask is 4 x 1, its picture .* 2 x 2$/),
  ]);
});
