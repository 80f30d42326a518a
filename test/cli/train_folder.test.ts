/** The folder of a training: resuming it, sharing it, interrupting it, and its report. */
import { spawn, type ChildProcess } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { writeVideo } from '../../src/data/video/encode';
import { MotionDataset } from '../../src/data/synthetic/motion';
import { readCheckpointMeta } from '../../src/formats/checkpoint';
import { readMetrics } from '../../src/report/jsonl';
import { CLI, runCli } from '../support/run_cli';

const folder = mkdtempSync(path.join(os.tmpdir(), 'morphmlp-'));
const at = (...names: string[]) => path.join(folder, ...names);
afterAll(() => rmSync(folder, { recursive: true }));

const SMALL = ['--model', 'quickstart', '--crop', '32', '--rate', '1', '--batch-size', '4', '--workers', '1'];
const NO_CACHE = ['--cache-memory', '0'];

beforeAll(async () => {
  const clips = new MotionDataset({ seed: 1, length: 12, size: 48 });
  for (let i = 0; i < 12; i++) {
    const split = i < 8 ? 'train' : 'val';
    const of = at(split, i % 2 === 0 ? 'even' : 'odd');
    mkdirSync(of, { recursive: true });
    await writeVideo(clips.render(i), path.join(of, `${i}.mp4`));
  }
});

const command = (out: string, epochs: number, ...more: string[]): string[] => [
  ...['train', '--data', at('train'), '--val', at('val'), ...SMALL, '--epochs', String(epochs), '--out', at(out)],
  ...more,
];

const text = (file: string): string =>
  readFileSync(file, 'utf8')
    .replace(/<[^>]*>/g, ' ')
    .replace(/\s+/g, ' ');

interface Saved {
  epoch: number;
  history: { epoch: number; valTop1: number; valMissed?: number }[];
}
const savedRun = (out: string): Saved =>
  (readCheckpointMeta(at(out, 'last.safetensors'))['training'] as unknown as { run: Saved }).run;

/** Starts a training as a terminal does: in a process group of its own. */
function start(args: string[]): { child: ChildProcess; said: () => string; ended: Promise<number | null> } {
  const env = { ...process.env, NO_COLOR: '1' };
  const child = spawn(process.execPath, [CLI, ...args], { detached: true, stdio: ['ignore', 'pipe', 'pipe'], env });
  let said = '';
  for (const stream of [child.stdout!, child.stderr!]) stream.on('data', (part) => (said += String(part)));
  return { child, said: () => said, ended: new Promise((resolve) => child.once('close', resolve)) };
}

async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise((resolve) => setTimeout(resolve, 20));
}

const stepsIn = (out: string): number =>
  existsSync(at(out, 'metrics.jsonl'))
    ? readMetrics(at(out, 'metrics.jsonl')).records.filter(({ kind }) => kind === 'step').length
    : 0;

test('Ctrl-C reaches no decoder: every clip is read, the report is written, and the resumed run has its whole history', async () => {
  const { child, said, ended } = start(
    command('stopped', 40, ...NO_CACHE, '--warmup-epochs', '0', 'RUN.SAVE_MINUTES', '0'),
  );
  await until(() => stepsIn('stopped') >= 5);
  expect(existsSync(at('stopped', 'report.html'))).toBe(true); // from the first epoch on
  expect(text(at('stopped', 'report.html'))).toContain('running');
  process.kill(-child.pid!, 'SIGINT');
  expect(await ended).toBe(130);
  expect(said()).toMatch(/stopping after this step/);
  expect(said()).toMatch(/go on with: .*train --out .*stopped --resume/);
  expect(said()).not.toMatch(/could not be read|decoder|decoding/);
  const before = savedRun('stopped');
  expect(before.history.filter(({ valMissed }) => valMissed !== undefined)).toEqual([]);
  const report = text(at('stopped', 'report.html'));
  expect(report).toContain('interrupted');
  const best = readCheckpointMeta(at('stopped', 'best.safetensors'))['epoch'] as number;
  expect(report).toContain(`validation, best.safetensors, epoch ${best} of ${before.epoch}`);

  const epochs = before.epoch + 1;
  const resumed = runCli(['train', '--out', at('stopped'), '--resume', '--epochs', String(epochs), '--accept-changes']);
  expect(resumed.err).toMatch(new RegExp(`resumed with other settings: schedule.maxEpoch ${epochs} \\(was 40\\)`));
  expect(resumed.status).toBe(0);
  const { records } = readMetrics(at('stopped', 'metrics.jsonl'));
  expect(records.filter(({ kind }) => kind === 'step').map(({ step }) => step)).toEqual(
    Array.from({ length: 2 * epochs }, (_, i) => i + 1),
  );
  const spent = records.filter(({ kind }) => kind === 'time') as unknown as { startedAt: string; seconds: number }[];
  expect(new Set(spent.map(({ startedAt }) => startedAt)).size).toBe(1);
  spent.slice(1).forEach(({ seconds }, i) => expect(seconds).toBeGreaterThan(spent[i]!.seconds));
  const whole = text(at('stopped', 'report.html'));
  expect(whole).toContain('finished');
  const last = readCheckpointMeta(at('stopped', 'best.safetensors'))['epoch'] as number;
  expect(whole).toContain(`validation, best.safetensors, epoch ${last} of ${epochs}`);
  expect(whole).toContain(`best.safetensors, epoch ${last} of ${epochs}, 4 clips`); // the tables, validated again
  expect(whole).toContain('Every file could be read.');
});

describe('a finished run', () => {
  beforeAll(() => {
    expect(runCli(command('done', 1, '--lr', '1e-3'))).toMatchObject({ status: 0 });
  });

  test.each([
    [['--lr', '1e-4'], 'schedule.baseLr 0.0001 (was 0.001)'],
    [['--label-smoothing', '0.1'], 'labelSmoothing 0.1 (was 0)'],
    [['--drop-path', '0.2', '--weight-decay', '0'], 'optimizer.weightDecay 0 (was 0.05), dropPath 0.2 (was 0)'],
    [['--flip'], 'clips.flip true (was false)'], // a plan mirrors no clips
    [['--augment'], /clips\.resizedCrop\.scale \[0\.08,1\] \(was none\).*clips\.augmentation\.randAugment "rand-m7-n4/],
    [['DATA.MEAN', '[0.5, 0.5, 0.5]'], 'normalisation.mean [0.5,0.5,0.5] (was [0.45,0.45,0.45])'],
    [['--val', 'motion:8'], /validation|has the classes|class/],
  ])('is not resumed with %j unless the change is accepted', (flags, message) => {
    const { status, err } = runCli(['train', '--out', at('done'), '--resume', ...flags]);
    expect(err).toMatch(message instanceof RegExp ? message : new RegExp(message.replace(/[[\]().]/g, '\\$&')));
    if (!flags.includes('--val'))
      expect(err).toMatch(/give them as before, or go on with the new ones by --accept-changes/);
    expect(status).toBe(1);
  });

  test('is resumed with settings that change no result, and with its folder alone', () => {
    const args = ['train', '--out', at('done'), '--resume'];
    expect(runCli([...args, '--workers', '2', '--cache-memory', '0', 'RUN.SAVE_MINUTES', '1'])).toMatchObject({
      status: 0,
    });
    expect(runCli(args)).toMatchObject({ status: 0, err: '' });
  });
});

test('a folder that another process trains into is refused, and a lock that a killed process left is not', async () => {
  const first = start(command('shared', 40));
  await until(() => stepsIn('shared') >= 3);
  for (const flag of ['--resume', '--overwrite']) {
    const second = runCli(command('shared', 40, flag));
    expect(second.err).toMatch(
      new RegExp(`shared: process ${first.child.pid} on ${os.hostname()} is training into this folder`),
    );
    expect(second.status).toBe(1);
  }
  first.child.kill('SIGKILL');
  await first.ended;
  expect(existsSync(at('shared', 'run.lock'))).toBe(true);
  writeFileSync(at('shared', `.last.safetensors.${first.child.pid}-0123abcd.tmp`), 'half a checkpoint');
  cpSync(at('shared'), at('other'), { recursive: true });
  const epochs = savedRun('shared').epoch + 1;
  const go = ['--resume', '--accept-changes', '--epochs', String(epochs)];
  expect(runCli(command('shared', epochs, ...go))).toMatchObject({ status: 0 });
  expect(readdirSync(at('shared')).filter((name) => /\.tmp$|lock/.test(name))).toEqual([]);

  const lock = JSON.parse(readFileSync(at('other', 'run.lock'), 'utf8')) as object;
  writeFileSync(at('other', 'run.lock'), JSON.stringify({ ...lock, host: 'elsewhere' }));
  const foreign = runCli(command('other', epochs, ...go));
  expect(foreign.err).toMatch(
    /process \d+ on elsewhere is training into this folder.*delete .*run\.lock if that process/,
  );
  expect(foreign.status).toBe(1);
});

test('files that are cut short are named after the first epoch, in the log and in the report', () => {
  cpSync(at('train'), at('cut'), { recursive: true });
  const whole = readFileSync(path.join(__dirname, '..', 'fixtures', 'video', 'faststart.mp4'));
  const names = Array.from({ length: 7 }, (_, i) => at('cut', 'odd', `cut${i}.mp4`));
  for (const name of names) writeFileSync(name, whole.subarray(0, whole.length - 600));
  const args = ['train', '--data', at('cut'), '--val', at('val'), ...SMALL, '--epochs', '2', '--out', at('cut_run')];
  const { err, status } = runCli([...args, '--batch-size', '5']);
  expect(status).toBe(0);
  const [, listed] = /note: 7 files can be read only in part:\n((?: {2}.*\n)*)/.exec(err) ?? [];
  const lines = listed!.trimEnd().split('\n');
  expect(lines).toHaveLength(6);
  for (const line of lines.slice(0, 5))
    expect(line).toMatch(/cut\d\.mp4: it is cut short: \d+ of \d+ frames are missing$/);
  expect(lines[5]).toBe('  and 2 more, which report.html lists');
  expect(err.match(/only in part/g)).toHaveLength(1);
  const report = text(at('cut_run', 'report.html'));
  expect(report).toContain('7 files were read in part');
  for (const name of names) expect(report).toContain(name);
  const { records } = readMetrics(at('cut_run', 'metrics.jsonl'));
  expect(records.filter(({ kind, part }) => kind === 'file' && part === true)).toHaveLength(7);
});
