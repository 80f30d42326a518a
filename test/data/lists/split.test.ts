import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { readCsv } from '../../../src/data/lists/listing';
import { listingCsv, splitListing } from '../../../src/data/lists/split';
import type { Listing } from '../../../src/data/lists/types';

/** Files of classes a, b and "c, d" with their number as content, and copies of some. */
let folder: string;
let listing: Listing;

beforeAll(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'split-'));
  const rows: string[] = [];
  const write = (name: string, label: string, content: string): void => {
    writeFileSync(path.join(folder, name), content);
    rows.push(`${name},"${label}"`);
  };
  for (let i = 0; i < 20; i++) write(`a${i}.mp4`, 'a', `video ${String(i).padStart(3, '0')}`);
  for (let i = 0; i < 5; i++) write(`b${i}.mp4`, 'b', `other ${i}`);
  for (let i = 0; i < 2; i++) write(`c${i}.mp4`, 'c, d', `third ${i}`);
  for (let i = 0; i < 10; i++) write(`a-copy${i}.mp4`, 'a', `video ${String(i).padStart(3, '0')}`);
  writeFileSync(path.join(folder, 'list.csv'), `path,label\n${rows.join('\n')}\n`);
  listing = readCsv(path.join(folder, 'list.csv'));
});

afterAll(() => rmSync(folder, { recursive: true }));

const names = ({ items }: Listing): string[] => items.map((item) => path.basename(item.path));

test('each class gives its share, and copies of a file are on one side', () => {
  const [train, val] = (['train', 'val'] as const).map((part) => splitListing(listing, { share: 0.2, part }, 7));
  expect([...names(train!), ...names(val!)].sort()).toEqual(names(listing).sort());
  const ofClass = (label: number): string[] =>
    names({ ...val!, items: val!.items.filter((item) => item.label === label) });
  expect(ofClass(0).filter((name) => !name.includes('copy'))).toHaveLength(4);
  expect([ofClass(1).length, ofClass(2).length]).toEqual([1, 1]);
  for (let i = 0; i < 10; i++) expect(names(val!).includes(`a${i}.mp4`)).toBe(names(val!).includes(`a-copy${i}.mp4`));
  expect(val!.emptyClasses).toEqual([]);
});

test('the same seed gives the same files, another one others, and the digests tell parts apart', () => {
  const split = (seed: number, part: 'train' | 'val' = 'val', share = 0.2) =>
    splitListing(listing, { share, part }, seed);
  expect(split(7)).toEqual(split(7));
  expect(names(split(7))).not.toEqual(names(split(8)));
  const digests = [split(7), split(8), split(7, 'train'), split(7, 'val', 0.3), listing].map(({ digest }) => digest);
  expect(new Set(digests).size).toBe(5);
});

test('a part is written as a list that reads as itself', () => {
  const val = splitListing(listing, { share: 0.3, part: 'val' }, 1);
  writeFileSync(path.join(folder, 'val.csv'), listingCsv(val));
  const again = readCsv(path.join(folder, 'val.csv'), { known: listing.classNames });
  expect(again.items).toEqual(val.items);
});

test.each([
  [0, /expected a share for validation between 0 and 1, got 0/],
  [1, /got 1/],
  [NaN, /got NaN/],
])('a share of %p is refused', (share, message) => {
  expect(() => splitListing(listing, { share, part: 'val' }, 0)).toThrow(message);
});

test('a class of one file stays in training; a list of such classes and prepared clips cannot be split', () => {
  const alone = { ...listing, items: listing.items.slice(0, 20).concat(listing.items.slice(20, 21)) };
  expect(splitListing(alone, { share: 0.5, part: 'val' }, 0).items.every(({ label }) => label === 0)).toBe(true);
  expect(() => splitListing({ ...listing, items: listing.items.slice(0, 1) }, { share: 0.5, part: 'val' }, 0)).toThrow(
    /no class has two different files/,
  );
  expect(() => splitListing({ ...listing, blocks: [0] }, { share: 0.5, part: 'val' }, 0)).toThrow(
    /prepared clips cannot be split/,
  );
});
