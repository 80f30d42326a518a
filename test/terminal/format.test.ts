import {
  bytes,
  clock,
  count,
  didYouMean,
  duration,
  editDistance,
  macs,
  nearest,
  percent,
  ratio,
  significant,
  table,
} from '../../src/terminal/format';
import { displayWidth, fitWidth, oneLine, padWidth } from '../../src/terminal/text_width';

test.each([
  [0, '0:00'],
  [5.4, '0:05'],
  [75, '1:15'],
  [3599.6, '1:00:00'],
  [3700, '1:01:40'],
  [-3, '0:00'],
  [Infinity, '--:--'],
  [NaN, '--:--'],
])('clock(%p)', (seconds, text) => expect(clock(seconds)).toBe(text));

test.each([
  [0, '0 s'],
  [3.2e-9, '3.2 ns'],
  [4.56e-6, '4.56 µs'],
  [0.045, '45 ms'],
  [0.9999, '1 s'],
  [2.345, '2.35 s'],
  [59.96, '1 min 00 s'],
  [75, '1 min 15 s'],
  [3599.7, '1 h 00 min'],
  [7500, '2 h 05 min'],
  [86399, '1 d 0 h'],
  [273600, '3 d 4 h'],
  [-75, '-1 min 15 s'],
  [NaN, 'unknown'],
])('duration(%p)', (seconds, text) => expect(duration(seconds)).toBe(text));

test.each([
  [count(812), '812'],
  [count(0), '0'],
  [count(23_390_000), '23.39M'],
  [count(999_999), '1.00M'],
  [count(1.2e9, 1), '1.2G'],
  [macs(66e9), '66.0 GMACs'],
  [macs(812), '812 MACs'],
  [bytes(512), '512 B'],
  [bytes(1536), '1.5 KiB'],
  [bytes(1023.99 * 1024), '1.0 MiB'],
  [ratio(1.5249), '1.52×'],
  [ratio(140), '140×'],
  [ratio(NaN), '–'],
  [significant(1234.5, 2), '1235'],
  [significant(0.000123456, 3), '0.000123'],
  [significant(-0.5, 3), '-0.5'],
  [significant(Infinity, 3), 'Infinity'],
])('%s is %s', (got, want) => expect(got).toBe(want));

test('a percentage shows 100 and 0 only for exact values', () => {
  expect([0.953, 1, 0.9999, 0, 0.00001, NaN].map((s) => percent(s))).toEqual([
    '95.3%',
    '100.0%',
    '99.9%',
    '0.0%',
    '0.1%',
    '–',
  ]);
});

test('widths of wide, combining and coloured text', () => {
  expect(['abc', '学习', 'e\u0301', '👩‍👩‍👧', '\x1b[31mred\x1b[0m', '', 'Ⅷ'].map(displayWidth)).toEqual([
    3, 4, 1, 2, 3, 0, 1,
  ]);
  expect(fitWidth('学习率', 5)).toBe('学习…');
  expect(fitWidth('学习率', 4)).toBe('学…');
  expect(displayWidth(fitWidth('学习率', 4))).toBeLessThanOrEqual(4);
  expect(fitWidth('abc', 3)).toBe('abc');
  expect(fitWidth('abc', 0)).toBe('');
  expect(padWidth('学', 4)).toBe('学  ');
  expect(padWidth('7', 3, 'left')).toBe('  7');
});

test('a file name cannot move the cursor', () => {
  expect(oneLine('a\x1b[2Jb\r\nc\x07\x9b')).toBe('ab  c  ');
});

const rows = [
  ['video-s', '47.04M', '学'],
  ['b', 5, 'two\nlines'],
] as const;

test('a table without a terminal is plain with aligned columns', () => {
  const text = table(rows, { head: ['model', 'params', 'note'], align: ['left', 'right', 'left'], stream: {} });
  expect(text).toBe('model    params  note\nvideo-s  47.04M  学\nb             5  two lines');
});

test('a table is framed on a terminal', () => {
  process.env['NO_COLOR'] = '1';
  const text = table(rows, { head: ['model', 'params', 'note'], stream: { isTTY: true } });
  delete process.env['NO_COLOR'];
  const lines = text.split('\n');
  expect(lines[0]).toMatch(/^╭─+┬─+┬─+╮$/);
  expect(lines).toContain('│ video-s │ 47.04M │        学 │');
  expect(new Set(lines.map(displayWidth)).size).toBe(1);
});

test('edit distance counts a transposition once', () => {
  expect(editDistance('kitten', 'sitting')).toBe(3);
  expect(editDistance('trian', 'train')).toBe(1);
  expect(editDistance('', 'abc')).toBe(3);
});

test('finds the nearest known word', () => {
  const known = ['train', 'evaluate', 'predict', 'video-s', 'video-b'];
  expect(nearest('trian', known)).toBe('train');
  expect(nearest('Video_S', known)).toBe('video-s');
  expect(nearest('quantum', known)).toBeNull();
  expect(nearest('', known)).toBeNull();
  expect(nearest('x', [])).toBeNull();
  expect(didYouMean('pretict', known)).toBe('; did you mean predict?');
  expect(didYouMean('zzz', ['a1', 'b2'])).toBe('; known are a1, b2');
  expect(didYouMean('zzz', known, 2)).toBe('');
});
