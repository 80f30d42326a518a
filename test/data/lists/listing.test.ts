import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { describeListing, readListing } from '../../../src/data/lists/listing';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'listing-'));
  for (const name of ['a.mp4', 'b.mp4', 'c, d.mp4']) writeFileSync(path.join(folder, name), 'x');
});
afterEach(() => rmSync(folder, { recursive: true }));

function file(name: string, text: string): string {
  const full = path.join(folder, name);
  mkdirSync(path.dirname(full), { recursive: true });
  writeFileSync(full, text);
  return full;
}

const pairs = (listing: { items: { path: string; label: number }[] }): [string, number][] =>
  listing.items.map((item) => [path.relative(folder, item.path), item.label]);

describe('csv', () => {
  test('numbers, with byte order mark, CRLF, empty lines, heading, and a separator inside a path', () => {
    const listing = readListing(file('t.csv', '\uFEFFpath,label\r\na.mp4,1\r\n\r\n"c, d.mp4",0\r\nb.mp4 , 1\r\n'));
    expect(pairs(listing)).toEqual([
      ['a.mp4', 1],
      ['c, d.mp4', 0],
      ['b.mp4', 1],
    ]);
    expect(listing.classNames).toEqual(['0', '1']);
    expect(describeListing(listing)).toEqual([`${listing.source}: 3 files in 2 classes`]);
  });

  test('class names are sorted, or in the order of classes.txt', () => {
    const csv = file('t.csv', 'a.mp4,run\nb.mp4,jump\n');
    expect(readListing(csv).classNames).toEqual(['jump', 'run']);
    file('classes.txt', 'run\njump\n');
    expect(pairs(readListing(csv))).toEqual([
      ['a.mp4', 0],
      ['b.mp4', 1],
    ]);
  });

  test('other separators and another root', () => {
    const csv = file('lists/t.csv', 'c, d.mp4 1\na.mp4 0\n');
    expect(pairs(readListing(csv, { separator: ' ', root: folder }))).toEqual([
      ['c, d.mp4', 1],
      ['a.mp4', 0],
    ]);
    const tabs = file('tabs.csv', 'a.mp4\t0\n');
    expect(pairs(readListing(tabs, { separator: '\t' }))).toEqual([['a.mp4', 0]]);
  });

  test('missing files and repeated lines are counted and left out', () => {
    const listing = readListing(file('t.csv', 'a.mp4,0\ngone.mp4,0\na.mp4,0\nb.mp4,1\n'));
    expect(pairs(listing)).toEqual([
      ['a.mp4', 0],
      ['b.mp4', 1],
    ]);
    expect(describeListing(listing).slice(1)).toEqual([
      `1 listed files do not exist, the first is ${path.join(folder, 'gone.mp4')}`,
      '1 repeated lines were left out',
    ]);
  });

  test('a validation list keeps the classes of the training list and may lack some', () => {
    const listing = readListing(file('v.csv', 'a.mp4,jump\n'), { known: ['climb', 'jump'] });
    expect(pairs(listing)).toEqual([['a.mp4', 1]]);
    expect(listing.emptyClasses).toEqual(['climb']);
    expect(describeListing(listing)[1]).toBe('class without a file: climb');
  });

  test.each([
    ['a.mp4,0\nb.mp4\n', 't.csv:2: expected path,label, got "b.mp4"'],
    ['a.mp4,0\n\nb.mp4,\n', 't.csv:3: expected path,label'],
    ['a.mp4,0\nb.mp4,-1\n', 't.csv:2: label -1 is outside 0..0'],
    ['a.mp4,0\nb.mp4,2\n', 't.csv: class without a file: 1'],
    ['a.mp4,0\nb.mp4,1\na.mp4,1\n', 't.csv:3: '],
    ['a.mp4,0\nb.mp4,20231124\n', 't.csv:2: labels beyond 1000000 are not supported'],
    ['', 't.csv: the list is empty'],
    ['x.mp4,0\ny.mp4,0\n', 't.csv: none of the 2 listed files exists, the first is '],
  ])('%j is refused', (text, message) => {
    expect(() => readListing(file('t.csv', text))).toThrow(message);
  });

  test('labels beyond classes.txt or the known classes name the line', () => {
    file('classes.txt', Array.from({ length: 10 }, (_, i) => `class ${i}`).join('\n'));
    expect(() => readListing(file('t.csv', 'a.mp4,9\nb.mp4,12\n'))).toThrow('t.csv:2: label 12 is outside 0..9');
    const known = { known: ['jump', 'run'] };
    expect(() => readListing(file('v.csv', 'a.mp4,fly\n'), known)).toThrow(
      'v.csv:1: unknown label "fly": expected one of 2 classes (jump, run)',
    );
    file('classes.txt', 'run\njump\nrun\n');
    expect(() => readListing(file('t.csv', 'a.mp4,run\n'))).toThrow('classes.txt:3: class run is on line 1 already');
  });
});

describe('folder of class folders', () => {
  test('classes are the sorted folders, files the videos in them', () => {
    for (const name of ['run/2.MP4', 'run/1.webm', 'jump/x.mp4', 'jump/notes.txt', 'jump/.hidden.mp4'])
      file(`set/${name}`, 'x');
    const listing = readListing(path.join(folder, 'set'));
    expect(listing.classNames).toEqual(['jump', 'run']);
    expect(pairs(listing)).toEqual([
      [path.join('set', 'jump', 'x.mp4'), 0],
      [path.join('set', 'run', '1.webm'), 1],
      [path.join('set', 'run', '2.MP4'), 1],
    ]);
  });

  test('an empty class, no class, no video and an unknown class are errors', () => {
    expect(() => readListing(folder)).toThrow('expected one folder per class, found no folder');
    file('set/jump/notes.txt', 'x');
    expect(() => readListing(path.join(folder, 'set'))).toThrow('the class folders hold no file that ends in .mp4');
    file('set/run/1.mp4', 'x');
    expect(() => readListing(path.join(folder, 'set'))).toThrow('class without a file: jump');
    expect(() => readListing(path.join(folder, 'set'), { known: ['run'] })).toThrow(
      'unknown label "jump": expected one of 1 classes (run)',
    );
  });

  test('a missing source is an error', () => {
    expect(() => readListing(path.join(folder, 'nothing'))).toThrow('no such file or folder; expected a csv');
  });
});
