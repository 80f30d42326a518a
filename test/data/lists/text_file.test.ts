import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { readLines, TextFile } from '../../../src/data/lists/text_file';

const folder = mkdtempSync(path.join(tmpdir(), 'morphmlp-'));
afterAll(() => rmSync(folder, { recursive: true }));

// About 900 KB, which are decoded in several blocks; every seventh line is empty.
const LINES = Array.from({ length: 30_000 }, (_, i) => (i % 7 === 3 ? '' : `clips/été_${i}_好.mp4,${i % 9}`));
const EXPECTED = LINES.flatMap((text, i) => (text === '' ? [] : [{ text, number: i + 1 }]));

describe.each([
  ['\\n', '\n'],
  ['\\r\\n', '\r\n'],
  ['\\r', '\r'],
])('a list of several blocks whose lines end in %s', (_, end) => {
  test.each([
    ['utf8', ''],
    ['utf8', '\uFEFF'],
    ['utf16le', '\uFEFF'],
  ] as const)('in %s is read whole, with its numbers of lines %#', (encoding, mark) => {
    const file = path.join(folder, 'list.csv');
    writeFileSync(file, mark + LINES.join(end), encoding);
    expect(readLines(file)).toEqual(EXPECTED);
    expect(new TextFile(file).mostLines).toBeGreaterThanOrEqual(LINES.length);
  });
});

test('reading ends where the caller says so', () => {
  const file = path.join(folder, 'short.csv');
  writeFileSync(file, 'a\n\nb\nc\n');
  const seen: string[] = [];
  new TextFile(file).eachLine((text) => seen.push(text) < 2);
  expect(seen).toEqual(['a', 'b']);
});
