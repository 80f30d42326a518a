import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { clearTemporaries } from '../../src/formats/atomic';
import { Run } from '../../src/train/run';
import { RunLock } from '../../src/train/run_lock';
import { bestRecord, type EpochRecord } from '../../src/train/trainer';
import { quickRun } from '../support/run_options';

let folder = '';
beforeEach(() => (folder = mkdtempSync(path.join(os.tmpdir(), 'morphmlp-'))));
afterEach(() => rmSync(folder, { recursive: true }));
const file = () => path.join(folder, 'run.lock');

/** Writes a lock with some fields of the own one replaced. */
function otherLock(changes: object): void {
  const lock = RunLock.take(folder);
  const own = JSON.parse(readFileSync(file(), 'utf8')) as object;
  lock.release();
  writeFileSync(file(), JSON.stringify({ ...own, token: 'other', ...changes }));
}

/** The number of a process that has ended. */
async function endedPid(): Promise<number> {
  const child = spawn(process.execPath, ['-e', '']);
  await new Promise((resolve) => child.once('exit', resolve));
  return child.pid!;
}

test('a lock is exclusive until it is released, and leaves nothing behind', () => {
  const lock = RunLock.take(folder);
  const busy = `${folder}: process ${process.pid} on ${os.hostname()} is training into this folder; wait for it, give another --out, `;
  expect(() => RunLock.take(folder)).toThrow(`${busy}or delete ${file()} if that process no longer runs`);
  lock.release();
  lock.release();
  RunLock.take(folder).release();
  expect(readdirSync(folder)).toEqual([]);
});

test.each([
  ['a process that has ended', async () => ({ pid: await endedPid() })],
  ['a process whose number another one has now', () => ({ started: '1' })],
])('the lock of %s is stale', async (_, changes) => {
  otherLock(await changes());
  RunLock.take(folder).release();
  expect(readdirSync(folder)).toEqual([]);
});

test.each([
  ['a process that runs', {}],
  ['another host', { host: 'elsewhere', pid: 1 }],
  ['another container', { namespace: 'pid:[1]', pid: 2 ** 22 + 1 }],
])('the lock of %s is not', (_, changes) => {
  otherLock(changes);
  expect(() => RunLock.take(folder)).toThrow(/process \d+ on .* is training into this folder/);
  expect(existsSync(file())).toBe(true);
});

test('a lock without content is stale once it is old', () => {
  writeFileSync(file(), '{"pid":');
  expect(() => RunLock.take(folder)).toThrow(/another process is training into this folder/);
  utimesSync(file(), new Date(0), new Date(0));
  RunLock.take(folder).release();
});

test('a lock that another process has taken over is not released', () => {
  const lock = RunLock.take(folder);
  writeFileSync(file(), '{"pid":1,"host":"elsewhere","token":"theirs"}');
  lock.release();
  expect(readFileSync(file(), 'utf8')).toContain('theirs');
});

test('a run holds its folder from its construction to its end', async () => {
  const options = quickRun(folder, { 'SOLVER.MAX_EPOCH': 1, 'RUN.TRAIN_DATA': 'motion:8', 'RUN.VAL_DATA': 'motion:8' });
  const run = new Run(options, {});
  expect(() => new Run(options, {})).toThrow(/is training into this folder/);
  await run.train();
  run.dispose();
  new Run({ ...options, resume: 'must' }, {}).dispose();
  expect(existsSync(file())).toBe(false);
});

test('temporary files of processes that have ended are cleared, others are not', async () => {
  const [gone, kept] = [
    `.last.safetensors.${await endedPid()}-0123abcd.tmp`,
    `.last.safetensors.${process.ppid}-0123abcd.tmp`,
  ];
  const others = ['.hidden.tmp', 'last.safetensors', `last.${await endedPid()}-0123abcd.tmp`];
  for (const name of [gone, kept, ...others]) writeFileSync(path.join(folder, name), '');
  expect(clearTemporaries(folder)).toEqual([gone]);
  expect(readdirSync(folder).sort()).toEqual([kept, ...others].sort());
});

describe('the best epoch', () => {
  const record = (epoch: number, valTop1: number | null, valMissed = 0): EpochRecord => ({
    ...{
      epoch,
      learningRate: 0,
      trainLoss: 1,
      trainTop1: 1 - epoch / 100,
      valLoss: 1,
      valTop1,
      valTop5: 1,
      seconds: 1,
    },
    ...(valMissed > 0 ? { valMissed } : {}),
  });

  test.each([
    ['the first of equals', [record(1, 0.5), record(2, 0.5)], 1],
    ['not one that missed clips which another has read', [record(1, 0.5), record(2, 0.9, 1), record(3, 0.6)], 3],
    ['not one before it either', [record(1, 0.9, 1), record(2, 0.5)], 2],
    [
      'the best of those that missed the fewest, if every one misses some',
      [record(1, 0.5, 2), record(2, 0.4, 2), record(3, 0.9, 3)],
      1,
    ],
    ['none without a finite validation', [record(1, null)], undefined],
  ])('is %s', (_, history, epoch) => {
    expect(bestRecord(history, true)?.epoch).toBe(epoch);
  });

  test('is by the training accuracy without a validation, and after a lost one', () => {
    expect(bestRecord([record(1, null), record(2, null)], false)?.epoch).toBe(1);
    expect(bestRecord([record(1, 0.9), record(2, 0.5)], true, 1)?.epoch).toBe(2);
    expect(bestRecord([record(1, 0.9)], true, 1)).toBeNull();
  });
});
