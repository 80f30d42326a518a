import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { gzipSync } from 'node:zlib';
import { readListing } from '../../../src/data/lists/listing';
import { readIdxPicture } from '../../../src/data/pictures/idx';
import { decodeSource, probeSource } from '../../../src/data/source';
import { idxImages, idxLabels, writeIdxSet } from '../../support/idx';

let folder: string;
beforeEach(() => (folder = mkdtempSync(path.join(tmpdir(), 'idx-'))));
afterEach(() => rmSync(folder, { recursive: true }));
const at = (name: string) => path.join(folder, name);
const PICTURES = { pictures: true };

describe.each(['', '.gz'])('files that end in "%s"', (ending) => {
  beforeEach(() => {
    writeIdxSet(folder, 'train', [2, 0, 1, 2, 0], ending);
    writeIdxSet(folder, 't10k', [1, 1], ending);
  });

  test('a folder has its training set, or its test set, with labels as numbers', () => {
    const train = readListing(folder, PICTURES);
    expect(train.items.map(({ path: name, label }) => [path.relative(folder, name), label])).toEqual(
      [2, 0, 1, 2, 0].map((label, i) => [`train-images-idx3-ubyte${ending}#${i}`, label]),
    );
    expect(train.classNames).toEqual(['0', '1', '2']);
    const test = readListing(folder, { ...PICTURES, split: 'test', known: train.classNames, knownFrom: 'run' });
    expect(test.items.map(({ label }) => label)).toEqual([1, 1]);
    expect(test.classNames).toEqual(train.classNames);
    expect(test.emptyClasses).toEqual(['0', '2']);
    expect(test.source).not.toBe(train.source);
    expect(test.digest).not.toBe(train.digest);
  });

  test('its pictures are the bytes of the file, in three equal channels', async () => {
    const { items } = readListing(folder, PICTURES);
    for (const [i, { source }] of items.entries()) {
      if (source?.kind !== 'idx') throw new Error('expected an IDX source');
      const grey = idxImages(5).subarray(16 + i * 30, 16 + (i + 1) * 30);
      expect([...(await readIdxPicture(source))]).toEqual([...grey]);
      const info = await probeSource(source);
      expect([info.width, info.height, info.frames]).toEqual([6, 5, 1]);
      const { pixels } = await decodeSource(source, [0, 0], [6, 5], info);
      expect([...pixels]).toEqual([...grey, ...grey].flatMap((v) => [v, v, v]));
    }
  });

  test('classes.txt names the classes, and a known list of classes orders them', () => {
    writeFileSync(at('classes.txt'), 'zero\none\ntwo\n');
    expect(readListing(folder, PICTURES).classNames).toEqual(['zero', 'one', 'two']);
    const known = ['two', 'one', 'zero'];
    expect(readListing(folder, { ...PICTURES, known, knownFrom: 'run' }).items.map(({ label }) => label)).toEqual([
      0, 2, 1, 0, 2,
    ]);
    writeFileSync(at('classes.txt'), 'zero\none\n');
    expect(() => readListing(folder, PICTURES)).toThrow(
      /train-labels-idx1-ubyte.*: label 2 of picture 0 is outside 0\.\.1, the classes of .*classes\.txt$/,
    );
  });
});

test('a file of a set can be given by its name, also with a dot in place of a dash, and gzipped labels beside plain pictures', () => {
  writeFileSync(at('digits-images.idx3-ubyte'), idxImages(2));
  writeFileSync(at('digits-labels.idx1-ubyte.gz'), gzipSync(idxLabels([1, 0])));
  expect(readListing(at('digits-images.idx3-ubyte'), PICTURES).items).toHaveLength(2);
  expect(() => readListing(folder, PICTURES)).toThrow(
    /expected pictures for training \(train-images-idx3-ubyte\), found digits-images\.idx3-ubyte; give one of these/,
  );
});

test('a model of videos is refused', () => {
  writeIdxSet(folder, 'train', [0, 1], '');
  expect(() => readListing(folder)).toThrow(/these are pictures, and the model takes videos; give a model of images/);
});

const whole = idxImages(3);
const changed = (at_: number, ...bytes: number[]) => {
  const copy = Buffer.from(whole);
  bytes.forEach((byte, i) => (copy[at_ + i] = byte));
  return copy;
};

test.each<[string, Buffer | null, Buffer | null, RegExp]>([
  ['pictures cut short', whole.subarray(0, -1), null, /images.*: it is cut short: 105 bytes, 3 x 5 x 6 need 106$/],
  ['bytes after the pictures', Buffer.concat([whole, Buffer.alloc(2)]), null, /images.*: 2 bytes follow the array/],
  ['a header cut short', whole.subarray(0, 9), null, /not an IDX file of pictures: its 9 bytes end within the header/],
  ['an empty file', Buffer.alloc(0), null, /its 0 bytes end within the header/],
  ['text', Buffer.from('this is no IDX file at all'), null, /it begins with 74686973, expected 00000803$/],
  ['floats', changed(2, 13), null, /its elements are f32, expected u8$/],
  ['labels in place of pictures', idxLabels(new Array<number>(20).fill(0)), null, /it has 1 dimensions, expected 3$/],
  ['no pictures', changed(4, 0, 0, 0, 0), null, /an empty array of 0 x 5 x 6$/],
  ['a huge count', changed(4, 255, 255, 255, 255), null, /it is cut short: 106 bytes, 4294967295 x 5 x 6 need/],
  ['more labels', null, idxLabels([0, 1, 0, 1]), /labels.*: 4 labels for the 3 pictures of .*images/],
  ['labels cut short', null, idxLabels([0, 1, 0]).subarray(0, 10), /labels.*: it is cut short: 10 bytes, 3 need 11$/],
])('%s: one sentence with the file', (_, images, labels, message) => {
  for (const ending of ['', '.gz']) {
    const pack = (data: Buffer) => (ending ? gzipSync(data) : data);
    mkdirSync(at(`x${ending}`));
    writeFileSync(at(`x${ending}/train-images-idx3-ubyte${ending}`), pack(images ?? whole));
    writeFileSync(at(`x${ending}/train-labels-idx1-ubyte${ending}`), pack(labels ?? idxLabels([0, 1, 0])));
    expect(() => readListing(at(`x${ending}`), PICTURES)).toThrow(message);
  }
});

test('refuses missing labels, and files named .gz that are not gzip or are cut short', () => {
  writeIdxSet(folder, 'train', [0, 1], '.gz');
  const [images, labels] = ['images-idx3', 'labels-idx1'].map((what) => at(`train-${what}-ubyte.gz`)) as [
    string,
    string,
  ];
  writeFileSync(images, gzipSync(idxImages(2)).subarray(0, 40));
  expect(() => readListing(folder, PICTURES)).toThrow(
    /images-idx3-ubyte\.gz: it cannot be unpacked: unexpected end of file$/,
  );
  writeFileSync(images, idxImages(2));
  expect(() => readListing(folder, PICTURES)).toThrow(/it cannot be unpacked: incorrect header check$/);
  writeFileSync(images, gzipSync(idxImages(2)));
  rmSync(labels);
  expect(() => readListing(folder, PICTURES)).toThrow(
    /its labels, .*train-labels-idx1-ubyte, do not exist \(nor with \.gz\)$/,
  );
});

test('a picture of a file that was cut short since is skipped by name', async () => {
  writeIdxSet(folder, 'train', [0, 1], '');
  const { items } = readListing(folder, PICTURES);
  writeFileSync(at('train-images-idx3-ubyte'), idxImages(1));
  const source = items[1]!.source as Parameters<typeof readIdxPicture>[0];
  await expect(readIdxPicture(source)).rejects.toMatchObject({
    code: 'UNREADABLE_CLIP',
    message: expect.stringMatching(/train-images-idx3-ubyte: picture 1 is beyond its end$/) as string,
  });
  rmSync(at('train-images-idx3-ubyte'));
  await expect(readIdxPicture(source)).rejects.toMatchObject({ code: 'UNREADABLE_CLIP' });
});
