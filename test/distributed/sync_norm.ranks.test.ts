/** With --sync-bn, ranks with a slice each learn what one process learns from the whole batch, within rounding. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import sharp from 'sharp';
import { loadCheckpoint } from '../../src/formats/checkpoint';
import { findLaunchers, resultOf, runRanks, type Launcher } from '../support/run_ranks';

const folder = mkdtempSync(path.join(os.tmpdir(), 'morphmlp-sync-'));
afterAll(() => rmSync(folder, { recursive: true }));

const launchers = findLaunchers();
if (launchers.length === 0) test('NOT RUN: no mpirun of Open MPI or MPICH is installed', () => undefined);

const COMMON = [
  '--crop',
  '32',
  '--epochs',
  '2',
  '--threads',
  '1',
  '--workers',
  '1',
  '--cache-memory',
  '0',
  '--seed',
  '3',
];
const VIDEOS = [
  ...['--preset', 'quickstart', '--data', 'motion:24', '--val', 'motion:8', '--drop-path', '0', '--batch-size', '8'],
  ...['--lr', '0.05', '--warmup-epochs', '0', 'SOLVER.OPTIMIZING_METHOD', 'sgd'],
];

async function train(launcher: Launcher | null, ranks: number, args: readonly string[]) {
  const out = mkdtempSync(path.join(folder, 'run-'));
  const job = await runRanks(launcher, ranks, ['train', ...COMMON, '--overwrite', '--out', out, ...args]);
  return { ...job, folder: out };
}

/** Losses of the steps, then all weights and running statistics. */
function numbersOf(run: string): number[] {
  const steps = readFileSync(path.join(run, 'metrics.jsonl'), 'utf8').match(/"kind":"step".*?"loss":[\d.]+/g)!;
  const { tensors } = loadCheckpoint(path.join(run, 'last.safetensors'));
  return [
    ...steps.map((line) => Number(/"loss":([\d.]+)/.exec(line)![1])),
    ...[...tensors.values()].flatMap(({ data }) => Array.from(data as Float32Array)),
  ];
}

/** The largest difference, relative to 1 for small numbers. NaN if a number is not finite. */
function distance(a: readonly number[], b: readonly number[]): number {
  expect(a.length).toBe(b.length);
  return a.reduce((most, x, i) => {
    const off = Math.abs(x - b[i]!) / Math.max(1, Math.abs(b[i]!));
    return Number.isFinite(off) && off <= most ? most : off;
  }, 0);
}

if (launchers.length > 0) {
  const [first] = launchers as [Launcher];

  describe('a run with --sync-bn', () => {
    let whole: number[];

    beforeAll(async () => {
      const job = await train(null, 1, [...VIDEOS, '--micro-batch', '8']);
      expect(job).toMatchObject({ status: 0 });
      whole = numbersOf(job.folder);
      expect(whole.length).toBeGreaterThan(10_000);
    });

    const synced = async (launcher: Launcher | null, n: number, more: readonly string[] = ['--sync-bn']) => {
      const job = await train(launcher, n, [...VIDEOS, '--micro-batch', String(8 / n), ...more]);
      expect(job).toMatchObject({ status: 0 });
      return distance(numbersOf(job.folder), whole);
    };

    test('of one process is the run without it', async () => expect(await synced(null, 1)).toBe(0));

    test.each(launchers.flatMap((launcher) => [2, 4].map((n) => [n, launcher.name, launcher] as const)))(
      'on %i ranks of %s is the run of one process with the whole batch',
      async (n, _, launcher) => expect(await synced(launcher, n)).toBeLessThan(1e-4),
    );

    test('differs from one without it', async () => expect(await synced(first, 2, [])).toBeGreaterThan(1e-2));

    test('in bf16 is near to that in f32', async () => {
      expect(await synced(first, 2, ['--sync-bn', '--precision', 'bf16'])).toBeLessThan(0.2);
    });
  });

  test('--sync-bn refuses more micro-batches than ranks, in one sentence', async () => {
    const job = await train(first, 2, [...VIDEOS, '--micro-batch', '2', '--sync-bn']);
    expect(job.status).toBe(1);
    expect(job.out.match(/^morphmlp: .*$/gm)).toEqual([
      expect.stringContaining('as many as ranks (2), got 4 micro-batches'),
    ]);
  });

  test('ranks without clips take part with --sync-bn, also while the norms are frozen', async () => {
    const data = path.join(folder, 'pictures');
    for (const name of ['dark', 'light'])
      for (let i = 0; i < 12; i++) {
        mkdirSync(path.join(data, name), { recursive: true });
        const file = path.join(data, name, `${i}.png`);
        const background = { r: i * 9, g: name === 'dark' ? 20 : 220, b: 90 };
        await sharp({ create: { width: 40, height: 36, channels: 3, background } })
          .png()
          .toFile(file);
        if (i % 5 === 1) writeFileSync(file, 'not a picture');
      }
    const args = [
      ...[
        '--data',
        data,
        '--no-plan',
        '--model',
        'image-t',
        '--batch-size',
        '4',
        '--micro-batch',
        '1',
        '--freeze',
        '1',
      ],
      ...[
        '--sync-bn',
        'MORPH.LAYERS',
        '[1,1,1,1]',
        'MORPH.EMBED_DIMS',
        '[16,32,32,64]',
        'MORPH.SEGMENT_DIM',
        '[8,8,16,4]',
      ],
    ];
    const jobs = [];
    for (const launcher of launchers) jobs.push(await train(launcher, 4, args));
    for (const job of jobs) {
      expect(job).toMatchObject({ status: 0 });
      expect(resultOf(job.folder)).toEqual(resultOf(jobs[0]!.folder));
    }
  });
}
