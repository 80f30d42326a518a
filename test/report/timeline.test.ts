import { TimelineData, timelinePage, timelineSvg } from '../../src/report/timeline';

const NAMES = ['a', 'b', 'c', 'd <x>', ...Array.from({ length: 8 }, (_, i) => `e${i}`)];

/** Probabilities of `NAMES` with one most probable class. */
function scores(best: number, p: number): Float32Array {
  return Float32Array.from(NAMES, (_, c) => (c === best ? p : (1 - p) / (NAMES.length - 1)));
}

function filled(bests: readonly number[], p = 0.75): TimelineData {
  const data = new TimelineData({
    name: 'clip & co.mp4',
    classNames: NAMES,
    windows: bests.length,
    duration: bests.length,
  });
  bests.forEach((best, i) => data.add(i, { start: i, end: i + 2 }, scores(best, p)));
  return data;
}

test('neighbouring windows of one class are a segment, which ends where the next begins', () => {
  const { segments, span } = filled([1, 1, 3, 1]);
  expect(segments).toEqual([
    { label: 'b', start: 0, end: 2, windows: 2, probability: 0.75 },
    { label: 'd <x>', start: 2, end: 3, windows: 1, probability: 0.75 },
    { label: 'b', start: 3, end: 5, windows: 1, probability: 0.75 },
  ]);
  expect(span).toEqual({ from: 0, to: 5 });
});

test('rows are the classes that win somewhere, most first, with the mean probability in each column', () => {
  const rows = filled([1, 1, 3, 1]).rows;
  expect(rows.map(({ label, color }) => [label, color])).toEqual([
    ['b', '--series1'],
    ['d <x>', '--series2'],
  ]);
  const rest = 0.25 / 11;
  [0.75, 0.75, rest, 0.75].forEach((p, i) => expect(rows[0]!.values[i]).toBeCloseTo(p, 6));
  expect(rows[1]!.values[2]).toBeCloseTo(0.75, 6);
});

test('a long video has no more columns than a picture, and its values are means', () => {
  const data = filled(Array.from({ length: 4800 }, (_, i) => i % 2));
  const [a, b] = data.rows;
  expect([a!.values.length, b!.values.length]).toEqual([480, 480]);
  const mean = (0.75 + 0.25 / 11) / 2;
  for (const value of [...a!.values, ...b!.values]) expect(value).toBeCloseTo(mean, 6);
});

test('more than eight classes share the last colour', () => {
  const data = filled(NAMES.map((_, c) => c));
  expect(data.rows).toHaveLength(8);
  expect(data.others).toBe(4);
  const colors = data.best(data.rows);
  expect(colors.slice(0, 8)).toEqual(data.rows.map(({ color }) => color));
  expect(new Set(colors.slice(8))).toEqual(new Set(['--rest']));
  expect(timelinePage(data, 'x')).toContain('4 more classes without a row');
});

test('names are text in the picture and on the page', () => {
  const data = filled([3, 3, 0]);
  const readable = (page: string) => page.replace(/<(script|style)\b.*?<\/\1>/gs, '');
  for (const text of [timelineSvg(data), timelinePage(data, 'best.safetensors')].map(readable)) {
    expect(text).toContain('clip &amp; co.mp4');
    expect(text).toContain('d &lt;x&gt;');
    expect(text).not.toContain('d <x>');
    expect(text).not.toMatch(/NaN|undefined/);
  }
});
