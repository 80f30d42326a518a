/** Trainings of 1, 2, 3 and 4 processes give the same bits, of 1 and 2 under each MPI of this machine. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import sharp from 'sharp';
import { findLaunchers, resultOf, runRanks, type Launcher } from '../support/run_ranks';

const folder = mkdtempSync(path.join(os.tmpdir(), 'morphmlp-ranks-'));
afterAll(() => rmSync(folder, { recursive: true }));

const launchers = findLaunchers();
if (launchers.length === 0) test('NOT RUN: no mpirun of Open MPI or MPICH is installed', () => undefined);

const SMALL = [
  '--preset',
  'quickstart',
  '--data',
  'motion:48',
  '--val',
  'motion:24',
  '--crop',
  '32',
  '--epochs',
  '2',
  '--drop-path',
  '0.3',
];
const COMMON = [
  '--threads',
  '1',
  '--workers',
  '1',
  '--cache-memory',
  '0',
  '--seed',
  '3',
  '--clip-norm',
  '1',
  '--overwrite',
];
const MIXED = ['MIXUP.ENABLE', 'True', 'MODEL.LOSS_FUNC', 'soft_cross_entropy'];

/** Pictures of two classes, of which some cannot be read: with a picture a slice, whole slices are missing. */
async function pictures(): Promise<string> {
  const root = path.join(folder, 'pictures');
  for (const name of ['dark', 'light'])
    for (let i = 0; i < 12; i++) {
      mkdirSync(path.join(root, name), { recursive: true });
      const file = path.join(root, name, `${i}.png`);
      const background = { r: i * 9, g: name === 'dark' ? 20 : 220, b: 90 };
      await sharp({ create: { width: 40, height: 36, channels: 3, background } })
        .png()
        .toFile(file);
      if (i % 5 === 1) writeFileSync(file, 'not a picture');
    }
  return root;
}

const IMAGE = [
  ...['MODEL.MODEL_NAME', 'MorphMLP_image', 'MORPH.LAYERS', '[1,1,1,1]', 'MORPH.EMBED_DIMS', '[16,32,32,64]'],
  ...['MORPH.SEGMENT_DIM', '[8,8,16,4]', 'MORPH.DROP_DEPTH_RATE', '0.3'],
];

/** Arguments of each kind of run, and the numbers of ranks that divide its slices. */
const RUNS: Record<string, { args: () => Promise<string[]>; ranks: number[] }> = {
  'with an average, drop path and clipping, 4 slices a step': {
    args: () => Promise.resolve([...SMALL, '--ema', '0.9', '--batch-size', '8', '--micro-batch', '2']),
    ranks: [2, 4],
  },
  'with mixup, bf16 and label smoothing, 6 slices a step': {
    args: () =>
      Promise.resolve([
        ...[...SMALL, '--precision', 'bf16', '--batch-size', '12', '--micro-batch', '2', '--label-smoothing', '0.1'],
        ...MIXED,
      ]),
    ranks: [2, 3],
  },
  'that trains the head alone first, draws classes evenly and slows lower layers, 4 slices a step': {
    args: () =>
      Promise.resolve([
        ...[...SMALL, '--batch-size', '8', '--micro-batch', '2'],
        ...['--freeze', '1', '--balance', 'sampling', '--layer-decay', '0.8'],
      ]),
    ranks: [2, 4],
  },
  'that recomputes blocks, 2 slices a step': {
    args: () =>
      Promise.resolve([...SMALL, '--crop', '64', '--memory-budget', '36M', '--batch-size', '8', '--micro-batch', '4']),
    ranks: [2],
  },
  'of which pictures and whole slices cannot be read': {
    args: async () => {
      const data = await pictures();
      const sizes = ['--crop', '32', '--epochs', '2', '--batch-size', '4', '--micro-batch', '1'];
      return ['--data', data, '--val', data, '--model', 'image-t', ...sizes, ...IMAGE];
    },
    ranks: [2, 4],
  },
  'that segments pictures, with an average and drop path, 4 slices a step': {
    args: () =>
      Promise.resolve([
        ...['--preset', 'segment-shapes', '--data', 'segment-shapes:16', '--val', 'segment-shapes:10', '--crop', '32'],
        ...['--epochs', '2', '--ema', '0.9', '--batch-size', '8', '--micro-batch', '2', ...IMAGE],
      ]),
    ranks: [2, 4],
  },
};

async function train(launcher: Launcher | null, ranks: number, args: readonly string[], fault?: string) {
  const out = mkdtempSync(path.join(folder, 'run-'));
  const job = await runRanks(launcher, ranks, ['train', ...COMMON, '--out', out, ...args], fault ? { fault } : {});
  return { ...job, folder: out };
}

if (launchers.length > 0)
  describe.each(Object.entries(RUNS))('a run %s', (_, { args, ranks }) => {
    let given: string[];
    let alone: Record<string, string>;

    beforeAll(async () => {
      given = await args();
      const job = await train(null, 1, given);
      expect(job).toMatchObject({ status: 0 });
      alone = resultOf(job.folder);
      expect(Object.keys(alone).length).toBeGreaterThan(50);
    });

    // How the slices fall to the ranks does not depend on the MPI: the first takes every number of ranks, the others two.
    const cases = launchers.flatMap((launcher, i) =>
      (i === 0 ? ranks : [2]).map((n) => [n, launcher.name, launcher] as const),
    );
    test.each(cases)('is the same on %i ranks of %s', async (n, _name, launcher) => {
      const job = await train(launcher, n, given);
      expect(job).toMatchObject({ status: 0 });
      expect(job.out).toContain(`ranks: ${n} on 1 host`);
      expect(job.out.match(/^epoch 2\/2 .* validation loss /gm)).toHaveLength(1);
      expect(resultOf(job.folder)).toEqual(alone);
    });
  });

if (launchers.length > 0)
  test.each(launchers.map((launcher) => [launcher.name, launcher] as const))(
    'a run on 4 ranks of %s that is stopped, goes on with 2, is stopped again and ends alone is the uninterrupted run',
    async (_, launcher) => {
      const args = [...SMALL, '--ema', '0.9', '--batch-size', '8', '--micro-batch', '2'];
      const whole = await train(null, 1, args);
      const first = await train(launcher, 4, args, '1:stop:3');
      expect(first).toMatchObject({ status: 130 });
      expect(first.out).toMatch(/saved .*last\.safetensors; go on with/);
      const resume = ['train', '--resume', '--threads', '1', '--out', first.folder];
      expect(await runRanks(launcher, 2, resume, { fault: '1:stop:5' })).toMatchObject({ status: 130 });
      expect(await runRanks(null, 1, resume)).toMatchObject({ status: 0 });
      expect(resultOf(first.folder)).toEqual(resultOf(whole.folder));
    },
  );

if (launchers.length > 0)
  test('a fast reduction says that its bits depend on the ranks, and trains', async () => {
    const args = [...SMALL, '--batch-size', '8', '--micro-batch', '2', '--reduction', 'fast'];
    const job = await train(launchers[0]!, 2, args);
    expect(job).toMatchObject({ status: 0 });
    expect(job.out).toContain('bits depend on the number of ranks');
    const exact = await train(null, 1, args);
    const lossOf = (folder: string): number =>
      Number(/"kind":"epoch".*"trainLoss":([\d.]+)/.exec(resultOf(folder)['metrics']!)![1]);
    expect(lossOf(job.folder)).toBeCloseTo(lossOf(exact.folder), 3);
  });
