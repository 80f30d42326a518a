import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { readClassNames } from '../../../src/data/lists/class_names';
import type { Listing } from '../../../src/data/lists/types';
import { describeListing, imbalance, readListing, sharedFiles } from '../../../src/data/lists/listing';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'labels-'));
  for (const name of ['a.mp4', 'b.mp4', 'c.mp4', 'c, d.mp4', 'my clip.mp4'])
    writeFileSync(path.join(folder, name), 'x');
});
afterEach(() => rmSync(folder, { recursive: true }));

const at = (name: string): string => path.join(folder, name);

function file(name: string, text: string | Buffer): string {
  mkdirSync(path.dirname(at(name)), { recursive: true });
  writeFileSync(at(name), text);
  return at(name);
}

const labels = (listing: Listing): Record<string, string> =>
  Object.fromEntries(listing.items.map((i) => [path.relative(folder, i.path), listing.classNames[i.label]!]));

describe('a label is a name if the class list has it, else an index', () => {
  test('class folders 0 to 10 and a csv of the same numbers mean the same classes', () => {
    for (let i = 0; i <= 10; i++) file(`train/${i}/c.mp4`, 'x');
    const train = readListing(at('train'));
    const csv = file('val.csv', Array.from({ length: 11 }, (_, i) => `train/${i}/c.mp4,${i}\n`).join(''));
    const val = readListing(csv, { known: train.classNames });
    expect(train.classNames[2]).toBe('10');
    expect(labels(val)).toEqual(labels(train));
  });

  test('indices count in the order of named classes, and never among classes named by numbers', () => {
    const csv = file('val.csv', 'a.mp4,2\nb.mp4,0\n');
    expect(labels(readListing(csv, { known: ['ant', 'bee', 'cat'] }))).toEqual({ 'a.mp4': 'cat', 'b.mp4': 'ant' });
    expect(() => readListing(csv, { known: ['1', '2', '3'], knownFrom: 'train' })).toThrow(
      'val.csv:2: unknown label "0": expected one of 3 classes of train (1, 2, 3)',
    );
  });

  test('years are names if classes.txt has them; without it the message gives advice', () => {
    const csv = file('t.csv', 'a.mp4,2020\nb.mp4,2019\n');
    expect(() => readListing(csv)).toThrow('labels run from 2019 to 2020, and indices count from 0: subtract 2019, or');
    file('classes.txt', '2019\n2020\n');
    expect(labels(readListing(csv))).toEqual({ 'a.mp4': '2020', 'b.mp4': '2019' });
  });

  test.each([
    ['a.mp4,1\nb.mp4,2\n', /class without a file: 0; labels run from 1 to 2.*subtract 1/],
    ['a.mp4,0\nb.mp4,1\nc.mp4,3\n', /class without a file: 2; 3 of the labels 0\.\.3 are in the list/],
    ['a.mp4,0\nb.mp4,nan\nc.mp4,1\n', /t.csv:2: label "nan" is no whole number, and 2 other labels are indices/],
    ['a.mp4,run\nb.mp4,3\nc.mp4,jump\n', /t.csv:2: label "3" is a number, and 2 other labels are names/],
    ['a.mp4,0.5\nb.mp4,1.5\n', /t.csv:1: label 0.5 is a number, but no whole one/],
    ['a.mp4,0\nb.mp4,1\ngone.mp4,2\n', /class without a file: 2; .*gone.mp4 of line 3 does not exist/],
    ['emotion_file,emotion\na.mp4,0\nb.mp4,1\n', /t.csv:1: label "emotion" .*if line 1 is a heading/],
  ])('%j is refused', (text, message) => {
    expect(() => readListing(file('t.csv', text))).toThrow(message);
  });

  test("whole numbers as pandas writes them are indices, and '03' is 3", () => {
    expect(labels(readListing(file('t.csv', 'a.mp4,0.0\nb.mp4,1.0\n')))).toEqual({ 'a.mp4': '0', 'b.mp4': '1' });
    expect(labels(readListing(file('u.csv', 'a.mp4,01\nb.mp4,00\n')))).toEqual({ 'a.mp4': '1', 'b.mp4': '0' });
  });

  test('a name that may be a missing value, and names that differ in case, are noted', () => {
    const notes = readListing(file('t.csv', 'a.mp4,None\nb.mp4,Run\nc.mp4,run\n')).notes.join('\n');
    expect(notes).toMatch(/class "None" may be a missing value: 1 lines, the first is 1/);
    expect(notes).toMatch(/classes "Run" and "run" differ only in case/);
  });
});

describe('two class lists', () => {
  const known = { known: ['ant', 'mouse', 'zebra'], knownFrom: 'last.safetensors' };

  test('indices of a list whose classes.txt is in another order are refused, names are not', () => {
    file('classes.txt', 'zebra\nmouse\nant\n');
    expect(() => readListing(file('val.csv', 'a.mp4,0\n'), known)).toThrow(
      /val.csv:1: label 0 is an index, and .*classes.txt names zebra as class 0, last.safetensors ant;/,
    );
    expect(labels(readListing(file('n.csv', 'a.mp4,zebra\nb.mp4,ant\n'), known))).toEqual({
      'a.mp4': 'zebra',
      'b.mp4': 'ant',
    });
    file('set/classes.txt', 'zebra\nmouse\nant\n');
    file('set/zebra/1.mp4', 'x');
    expect(readListing(at('set'), known).items[0]!.label).toBe(2);
  });

  test('weights without class names take those of classes.txt, and refuse names without it', () => {
    const foreign = { known: ['class 0', 'class 1'], knownFrom: 'x.pth' };
    const csv = file('val.csv', 'a.mp4,mouse\n');
    expect(() => readListing(csv, foreign)).toThrow(
      /unknown label "mouse": expected one of .* it has no class names: put classes.txt/,
    );
    file('classes.txt', 'ant\nmouse\n');
    expect(readListing(csv, foreign).items[0]!.label).toBe(1);
    expect(readListing(file('w.csv', 'a.mp4,1\n'), foreign).items[0]!.label).toBe(1);
  });

  test('the error for an unknown class names both lists', () => {
    file('classes.txt', 'ant\nfish\n');
    expect(() => readListing(file('val.csv', 'a.mp4,fish\n'), known)).toThrow(
      /unknown class "fish" of .*classes.txt: expected one of 3 classes of last.safetensors \(ant, mouse, zebra\)/,
    );
    expect(() => readListing(file('v.csv', 'a.mp4,7\n'), { ...known, known: ['0', '1'] })).toThrow(
      /label "?7"? is outside/,
    );
  });

  test('class files: byte order mark, duplicates, empty lines, JSON', () => {
    expect(readClassNames(file('n.txt', '\uFEFFant\r\nbee\r\n'))).toEqual(['ant', 'bee']);
    expect(() => readClassNames(file('n.txt', 'ant\nbee\nant\n'))).toThrow('n.txt:3: class ant is on line 1 already');
    expect(() => readClassNames(file('n.txt', 'ant\n\nbee\n'))).toThrow('n.txt:2: the line is empty');
    expect(() => readClassNames(file('n.txt', '["ant", "bee"]'))).toThrow('got JSON');
  });
});

describe('how lists are written', () => {
  test.each([
    ['commas with a heading of other names', 'Video_Path,Label\na.mp4,0\nb.mp4,1\n'],
    ['other order, further columns', 'class_id;split;file name\n0;train;a.mp4\n1;train;b.mp4\n'],
    ['an index column', ',path,label\n0,a.mp4,0\n1,b.mp4,1\n'],
    ['tabs', 'a.mp4\t0\nb.mp4\t1\n'],
    ['semicolons and quotes', '"a.mp4";"0"\n"b.mp4";"1"\n'],
    ['spaces', 'a.mp4 0\nb.mp4 1'],
    ['old line breaks', 'a.mp4,0\rb.mp4,1\r'],
  ])('%s', (_, text) => {
    expect(labels(readListing(file('t.csv', text)))).toEqual({ 'a.mp4': '0', 'b.mp4': '1' });
  });

  test('a separator inside paths does not split them', () => {
    expect(labels(readListing(file('t.csv', 'my clip.mp4,0\n')))).toEqual({ 'my clip.mp4': '0' });
    expect(labels(readListing(file('t.csv', 'c, d.mp4 0\n')))).toEqual({ 'c, d.mp4': '0' });
    expect(labels(readListing(file('t.csv', 'path,label\n"c, d.mp4",0\n')))).toEqual({ 'c, d.mp4': '0' });
  });

  test.each([
    ['id,label\n1,0\n', undefined],
    ['split,label,id\ntrain,0,a\n', /t.csv:1: line 1 looks like a heading .* without a column of paths/],
    ['path,file,label\na.mp4,a.mp4,0\n', /columns path and file of the heading mean the same/],
    ['path,x,label\na.mp4,1\n', /t.csv:2: expected 3 columns \(path, x, label\), got 2/],
    ['0,a.mp4\n1,b.mp4\n', /the second column holds paths: put paths first/],
    ['a.mp4,x,0\nb.mp4,x,1\n', /line 1 has 3 columns: write a heading/],
  ])('%j is refused', (text, message) => {
    expect(() => readListing(file('t.csv', text))).toThrow(message);
  });

  test('UTF-16 of both orders, with and without mark, is read', () => {
    const text = 'a.mp4,0\r\nb.mp4,1\r\n';
    const little = Buffer.from(text, 'utf16le');
    const big = Buffer.from(little).swap16();
    const marked = [
      Buffer.concat([Buffer.from([0xff, 0xfe]), little]),
      Buffer.concat([Buffer.from([0xfe, 0xff]), big]),
    ];
    for (const data of [...marked, little, big])
      expect(labels(readListing(file('t.csv', data)))).toEqual({ 'a.mp4': '0', 'b.mp4': '1' });
  });

  test.each([
    [
      Buffer.from('a.mp4,0\nb\xe9b\xe9.mp4,1\n', 'latin1'),
      /t.csv:2: expected UTF-8, got the invalid byte 0xe9.* Latin-1/,
    ],
    [Buffer.from([0x50, 0x4b, 3, 4, 0]), /a zip file or a spreadsheet/],
    [Buffer.from([0x1f, 0x8b, 8, 0]), /compressed by gzip/],
    [Buffer.from([0xff, 0xfe, 0, 0, 0x61, 0, 0, 0]), /UTF-32/],
    [Buffer.from('a.mp4,0\nb.mp4\0,1\n'), /byte 13 is 0/],
  ])('%j is no text that can be read', (data, message) => {
    expect(() => readListing(file('t.csv', data))).toThrow(message);
  });

  test('many files of one folder: missing ones, repeats and dead links', () => {
    const lines: string[] = [];
    for (let i = 0; i < 40; i++) {
      if (i % 4 !== 3) file(`many/${i}.mp4`, 'x');
      lines.push(`many/${i}.mp4,${i % 2}`);
    }
    rmSync(at('many/0.mp4'));
    symlinkSync(at('nowhere'), at('many/0.mp4'));
    rmSync(at('many/1.mp4'));
    symlinkSync(at('a.mp4'), at('many/1.mp4'));
    const listing = readListing(file('t.csv', [...lines, 'many/./5.mp4,1', 'many/3.mp4,1'].join('\n')));
    expect(listing.missing.map((name) => path.basename(name))).toEqual([
      '0.mp4',
      ...[3, 7, 11, 15, 19, 23, 27, 31, 35, 39].map((i) => `${i}.mp4`),
    ]);
    expect(listing.items).toHaveLength(29);
    expect(listing.duplicates).toBe(2);
  });
});

describe('class folders', () => {
  const ts = (): Buffer => {
    const data = Buffer.alloc(188 * 6, 1);
    for (let i = 0; i < 6; i++) data[i * 188] = 0x47;
    return data;
  };
  const ftyp = (brand: string): Buffer =>
    Buffer.concat([Buffer.from([0, 0, 0, 24]), Buffer.from(`ftyp${brand}`), Buffer.alloc(40)]);

  test('videos with any extension are used, also in nested folders; other files are counted by kind', () => {
    file('set/dog/1.ts', ts());
    file('set/dog/2.MTS', Buffer.concat([Buffer.alloc(4), ts()]));
    file('set/dog/3', ftyp('isom'));
    file('set/dog/4.xyz', Buffer.from('OggS and more'));
    file('set/dog/deep/er/5.webm', 'x');
    file('set/dog/app.ts', 'export const GOLD = 1;\n'.repeat(40));
    file('set/cat/1.mp4', 'x');
    for (const i of [1, 2, 3]) file(`set/cat/${i}.heic`, ftyp('heic'));
    file('set/cat/poster.jpg', 'x');
    file('set/cat/._1.mp4', 'x');
    file('set/__MACOSX/x.mp4', 'x');
    file('set/.git/x.mp4', 'x');
    file('set/.DS_Store', 'x');
    mkdirSync(at('set/new'));
    symlinkSync(at('set/dog'), at('set/dog/loop'));
    const listing = readListing(at('set'));
    expect(listing.classNames).toEqual(['cat', 'dog']);
    const names = listing.items.map((item) => path.relative(at('set/dog'), item.path));
    expect(names).toEqual(['../cat/1.mp4', '1.ts', '2.MTS', '3', '4.xyz', 'deep/er/5.webm']);
    const notes = describeListing(listing).join('\n');
    expect(notes).toMatch(/left out: .heic: 3 files, cannot be decoded/);
    expect(notes).toMatch(/left out: .ts: 1 file, neither picture nor video \(dog\/app.ts\)/);
    expect(notes).toMatch(/left out: .jpg: 1 file, a picture, and the model takes videos/);
    expect(notes).toMatch(/1 empty folder is no class: new/);
  });

  test('pictures and videos with unknown extensions are distinguished by content', () => {
    file('set/cat/1', Buffer.from([0xff, 0xd8, 0xff, 0xe0, 0, 16]));
    file('set/cat/2.bin', ftyp('avif'));
    file('set/cat/3.dat', ftyp('qt  '));
    const sources = readListing(at('set'), { pictures: true }).items.map(({ source }) => source!.kind);
    expect(sources).toEqual(['image', 'image', 'video']);
  });

  test('splits of a dataset are not classes, and a class with only undecodable files is reported', () => {
    for (const part of ['train', 'val']) file(`set/${part}/cat/1.mp4`, 'x');
    expect(() => readListing(at('set'))).toThrow(
      /its folders are train, val, parts of a dataset and no classes; give .*set\/train/,
    );
    file('other/cat/1.mp4', 'x');
    file('other/dog/1.heic', ftyp('heic'));
    expect(() => readListing(at('other'))).toThrow(/class without a file: dog .*\.heic: 1 file, cannot be decoded/);
  });
});

test('files of both lists, and classes of very different sizes, are noted', () => {
  const train = readListing(file('t.csv', ['a', 'b', 'c'].map((name) => `${name}.mp4,0\n`).join('')));
  const val = readListing(file('v.csv', 'b.mp4,0\n'), { known: train.classNames });
  expect(sharedFiles(train, val)).toEqual([
    `1 file is in both ${train.source} and ${val.source}, the first is ${at('b.mp4')}`,
  ]);
  expect(sharedFiles(train, { ...val, items: [] })).toEqual([]);
  for (const [name, content] of Object.entries({
    x: 'same',
    y: 'same',
    z: 'else',
    long: 'longer',
    none: '',
    empty: '',
  }))
    file(`${name}.mp4`, content);
  const copied = readListing(file('w.csv', ['y', 'z', 'empty'].map((name) => `${name}.mp4,0\n`).join('')));
  const first = readListing(file('u.csv', ['x', 'long', 'none'].map((name) => `${name}.mp4,0\n`).join('')));
  expect(sharedFiles(first, copied)).toEqual([
    `1 file of ${copied.source} has the content of one of ${first.source}, the first is ${at('y.mp4')}, equal to ${at('x.mp4')}`,
  ]);
  const many = Array.from({ length: 11 }, (_, i) => ({ path: String(i), label: 0 }));
  const listing = { ...train, classNames: ['x', 'y'], items: [...many, { path: 'z', label: 1 }] };
  expect(imbalance(listing)).toEqual(['class x has 11 files (91.7% of all), class y 1']);
  expect(imbalance({ ...listing, items: listing.items.slice(1) })).toEqual([]);
});
