/** `morphmlp runs` and `morphmlp report` on folders of runs. */
import { chmodSync, cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { readMetrics } from '../../src/report/jsonl';
import { runCli } from '../support/run_cli';

const folder = mkdtempSync(path.join(os.tmpdir(), 'morphmlp-'));
const at = (...names: string[]) => path.join(folder, ...names);
afterAll(() => rmSync(folder, { recursive: true }));

const SMALL = ['--preset', 'quickstart', '--data', 'motion:16', '--crop', '32', '--batch-size', '8', '--workers', '1'];
const train = (out: string, ...more: string[]) => runCli(['train', ...SMALL, '--out', at('runs', out), ...more]);

interface Result {
  name: string;
  status: string;
  epochs: number;
  bestAccuracy: number | null;
  bestEpoch: number | null;
  lastAccuracy: number | null;
  bestLoss: number | null;
  lastLoss: number | null;
  trainAccuracy: number;
  parameters: number;
}

/** The page without scripts, styles and markup. */
const text = (file: string): string =>
  readFileSync(file, 'utf8')
    .replace(/<(script|style)\b.*?<\/\1>/gs, '')
    .replace(/<[^>]*>/g, ' ')
    .replace(/\s+/g, ' ');

/** The page without the times that differ between two writings. */
const timeless = (page: string): string => page.replace(/took [^·]*? Model/, '').replace(/Time [\d.]+ m?s/g, '');

beforeAll(() => {
  expect(train('a', '--val', 'motion:24', '--epochs', '3', '--lr', '1e-3')).toMatchObject({ status: 0 });
  expect(train('deeper/b', '--val', 'motion:24', '--epochs', '2', '--lr', '1e-2')).toMatchObject({ status: 0 });
  expect(train('c', '--epochs', '2')).toMatchObject({ status: 0 });
});

interface Epoch {
  valTop1: number;
  valLoss: number;
  trainTop1: number;
}
const epochsOf = (run: string): Epoch[] =>
  readMetrics(at('runs', run, 'metrics.jsonl')).records.filter(({ kind }) => kind === 'epoch') as unknown as Epoch[];

test('compare shows the results of the logs, and the settings that differ', () => {
  const folders = ['a', 'deeper/b', 'c'].map((name) => at('runs', name));
  const { out, status, err } = runCli(['runs', 'compare', ...folders, '--json', '--html', at('compare.html')]);
  expect({ status, err }).toEqual({ status: 0, err: '' });
  const { runs, settings } = JSON.parse(out) as { runs: Result[]; settings: { key: string; values: unknown[] }[] };
  for (const [i, name] of ['a', 'deeper/b'].entries()) {
    const epochs = epochsOf(name);
    const best = Math.max(...epochs.map(({ valTop1 }) => valTop1));
    expect(runs[i]).toMatchObject({
      ...{ name: path.basename(name), status: 'finished', epochs: epochs.length, bestAccuracy: best },
      bestEpoch: epochs.findIndex(({ valTop1 }) => valTop1 === best) + 1,
      ...{ lastAccuracy: epochs.at(-1)!.valTop1, lastLoss: epochs.at(-1)!.valLoss },
      ...{ bestLoss: Math.min(...epochs.map(({ valLoss }) => valLoss)), trainAccuracy: epochs.at(-1)!.trainTop1 },
    });
  }
  expect(runs[2]).toMatchObject({ name: 'c', bestAccuracy: null, bestEpoch: null, lastLoss: null });
  const said = /(\d+\.\d\d)M parameters/.exec(train('d', '--epochs', '1').out)![1];
  expect((runs[0]!.parameters / 1e6).toFixed(2)).toBe(said);
  const differ = Object.fromEntries(settings.map(({ key, values }) => [key, values]));
  expect(differ).toMatchObject({ 'SOLVER.MAX_EPOCH': [3, 2, 2], 'RUN.VAL_DATA': ['motion:24', 'motion:24', ''] });
  expect(differ['SOLVER.BASE_LR']).toEqual([0.001, 0.01, expect.any(Number)]);
  expect(Object.keys(differ)).not.toContain('OUTPUT_DIR');
  expect(Object.keys(differ)).not.toContain('TRAIN.BATCH_SIZE');

  const plain = runCli(['runs', 'compare', ...folders]).out;
  expect(plain).toMatch(/^a +finished +3 +\d+\.\d% +\d +\d+\.\d%/m);
  expect(plain).toMatch(/^c +finished +2 +– +– +–/m);
  expect(plain).toMatch(/^SOLVER\.MAX_EPOCH +3 +2 +2$/m);
  const page = text(at('compare.html'));
  for (const part of ['Validation accuracy', 'Training loss', 'SOLVER.BASE_LR', 'finished'])
    expect(page).toContain(part);
  expect(page).not.toMatch(/NaN|undefined/);
});

test('list finds runs at any depth, newest first', () => {
  const { out, status } = runCli(['runs', 'list', at('runs'), '--json']);
  expect(status).toBe(0);
  const found = (JSON.parse(out) as Result[]).map(({ name }) => path.relative(at('runs'), name));
  expect(found.filter((name) => name !== 'd')).toEqual(['c', 'deeper/b', 'a']);
  expect(runCli(['runs', 'list', at('runs')]).out).toMatch(/deeper\/b +finished +2/);
});

test('report writes the page anew, with all that training put on it', () => {
  const before = text(at('runs/a/report.html'));
  rmSync(at('runs/a/report.html'));
  const { out, status, err } = runCli(['report', at('runs/a')]);
  expect({ status, err }).toEqual({ status: 0, err: '' });
  expect(out).toMatch(/runs\/a: finished, 3 epochs\nreport {6}.*runs\/a\/report\.html$/m);
  const after = text(at('runs/a/report.html'));
  expect(timeless(after)).toBe(timeless(before));
  const drawn = (page: string) => [...page.matchAll(/data:image\/png;base64,[^"]{100}/g)].length;
  expect(drawn(readFileSync(at('runs/a/report.html'), 'utf8'))).toBeGreaterThan(0);
});

test('a run that was killed is reported as interrupted; one of an earlier version without what it did not store', () => {
  cpSync(at('runs/a'), at('killed'), { recursive: true });
  const lines = readFileSync(at('killed/metrics.jsonl'), 'utf8').split('\n');
  const second = lines.findIndex((line) => /"kind":"epoch".*"epoch":2,/.test(line));
  writeFileSync(at('killed/metrics.jsonl'), `${lines.slice(0, second + 1).join('\n')}\n{"kind":"st`);
  expect(runCli(['report', at('killed')]).out).toMatch(/killed: interrupted, 2 epochs/);
  rmSync(at('killed/report.json'));
  const { out, err, status } = runCli(['report', at('killed')]);
  expect(status).toBe(0);
  expect(out).toMatch(/interrupted, 2 epochs/);
  expect(err).toMatch(
    /^note: .*killed: an earlier version wrote this run: the page lacks command, device and confusion/m,
  );
  const page = text(at('killed/report.html'));
  expect(page).toMatch(/Loss/);
  expect(page).not.toMatch(/NaN|undefined/);
});

describe('--open', () => {
  const bin = () => ({ PATH: `${at('bin')}:${process.env['PATH']}` });
  const wrote = () => (existsSync(at('opened')) ? readFileSync(at('opened'), 'utf8').trim() : '');
  const fake = (status: number) => {
    mkdirSync(at('bin'), { recursive: true });
    writeFileSync(at('bin/xdg-open'), `#!/bin/sh\necho "$1" >> '${at('opened')}'\nexit ${status}\n`);
    chmodSync(at('bin/xdg-open'), 0o755);
    rmSync(at('opened'), { force: true });
  };

  test('hands the page to the browser', () => {
    fake(0);
    expect(runCli(['report', at('runs/a'), '--open'], undefined, bin())).toMatchObject({ status: 0, err: '' });
    expect(wrote()).toBe(at('runs/a/report.html'));
  });

  test('of training opens the page once', () => {
    fake(0);
    const args = ['train', ...SMALL, '--val', 'motion:8', '--epochs', '3', '--out', at('opened_run'), '--open'];
    expect(runCli(args, undefined, bin())).toMatchObject({ status: 0, err: '' });
    expect(wrote()).toBe(at('opened_run/report.html'));
  });

  test('says what to open by hand where no program does it', () => {
    fake(3);
    const failed = runCli(['report', at('runs/a'), '--open'], undefined, bin());
    expect(failed.status).toBe(1);
    expect(failed.err).toMatch(
      /the page was not opened: xdg-open ended with status 3; open .*report\.html in a browser$/m,
    );
    const none = runCli(['report', at('runs/a'), '--open'], undefined, { PATH: '/nowhere' });
    expect(none.err).toMatch(
      /the page was not opened: xdg-open is not on the PATH; open .*report\.html in a browser$/m,
    );
    expect(none.out).toMatch(/report {6}.*report\.html/);
  });
});

test.each([
  [['runs', 'compare', '@runs/a'], /expected 2 to 8 folders of runs, got 1$/m],
  [['runs', 'compare', '@runs/a', '@none'], /none: no such folder; expected the folder of a run$/m],
  [['runs', 'compare', '@runs/a', '@runs'], /runs: expected the folder of a run, found no metrics\.jsonl in it$/m],
  [
    ['runs', 'compare', '@runs/a', '@runs/c', '--html', 'no/such.html'],
    /--html no\/such\.html: the folder .* does not/,
  ],
  [['runs', 'list', '@bare'], /bare: no run in this folder/],
  [['report', '@runs'], /runs: expected the folder of a run, found no metrics\.jsonl in it$/m],
  [['report', '@odd'], /report\.json: expected "format": "morphmlp-report", "version": 1, got "\{"a":1\}"$/m],
])('%j is refused in one sentence', (args, message) => {
  mkdirSync(at('bare'), { recursive: true });
  mkdirSync(at('odd'), { recursive: true });
  writeFileSync(at('odd/metrics.jsonl'), '');
  writeFileSync(at('odd/report.json'), '{"a":1}');
  const { status, err } = runCli(args.map((word) => word.replace('@', `${folder}/`)));
  expect(err).toMatch(message);
  expect(err.trim().split('\n')).toHaveLength(1);
  expect(status).toBe(1);
});
