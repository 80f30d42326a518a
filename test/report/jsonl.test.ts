import { appendFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { MetricLog, readMetrics, type MetricRecord } from '../../src/report/jsonl';

let folder = '';
let file = '';
beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'metrics-'));
  file = path.join(folder, 'metrics.jsonl');
});
afterEach(() => rmSync(folder, { recursive: true }));

const step = (n: number): MetricRecord => ({ kind: 'step', step: n, loss: 1 / n, note: 'ü\n<' });

function write(...records: MetricRecord[]): void {
  const log = MetricLog.create(file);
  records.forEach((r) => log.append(r));
  log.close();
}

test('records round-trip, one per line', () => {
  const records: MetricRecord[] = [
    step(1),
    { kind: 'epoch', step: 1, loss: NaN, best: -Infinity, top: Infinity, none: null },
  ];
  write(...records);
  expect(readMetrics(file)).toEqual({ records, torn: false });
  expect(readFileSync(file, 'utf8').split('\n')).toHaveLength(3);
});

test('a torn last line is skipped, even if torn inside a character', () => {
  write(step(1), step(2));
  appendFileSync(file, Buffer.from('{"kind":"step","step":3,"note":"ü').subarray(0, -1));
  expect(readMetrics(file)).toEqual({ records: [step(1), step(2)], torn: true });
});

test('a broken line in the middle is an error with its number', () => {
  writeFileSync(file, '{"kind":"step","step":1}\nnonsense\n{"kind":"step","step":2}\n');
  expect(() => readMetrics(file)).toThrow(`${file}: line 2 is not JSON: nonsense`);
  writeFileSync(file, '{"kind":"step"}\n');
  expect(() => readMetrics(file)).toThrow('line 1: expected an object with a number "step", got {"kind":"step"}');
  writeFileSync(file, 'null\n');
  expect(() => readMetrics(file)).toThrow('line 1: expected an object');
});

test('a resumed log equals an uninterrupted one', () => {
  const epoch: MetricRecord = { kind: 'epoch', step: 2, loss: 0.1 };
  write(step(1), step(2), epoch, step(3), step(4));
  const whole = readFileSync(file);
  appendFileSync(file, '{"kind":"st');
  const log = MetricLog.resume(file, 2);
  expect(readMetrics(file)).toEqual({ records: [step(1), step(2), epoch], torn: false });
  [3, 4].forEach((n) => log.append(step(n)));
  log.close();
  expect(readFileSync(file).equals(whole)).toBe(true);
});

test('resuming removes a torn line, everything at step 0, and creates a missing log', () => {
  write(step(1));
  appendFileSync(file, '{"torn');
  MetricLog.resume(file, 9).close();
  expect(readMetrics(file)).toEqual({ records: [step(1)], torn: false });
  MetricLog.resume(file, 0).close();
  expect(readFileSync(file, 'utf8')).toBe('');
  rmSync(file);
  MetricLog.resume(file, 5).close();
  expect(readMetrics(file).records).toEqual([]);
});

test('a new log truncates an old one, and a closed log refuses records', () => {
  write(step(1), step(2));
  const log = MetricLog.create(file);
  expect(readFileSync(file, 'utf8')).toBe('');
  log.close();
  log.close();
  expect(() => log.append(step(1))).toThrow(`${file}: the log is closed`);
});
