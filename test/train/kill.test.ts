import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { loadCheckpoint, readCheckpointMeta } from '../../src/formats/checkpoint';
import { CLI, runCli } from '../support/run_cli';

const folder = mkdtempSync(path.join(os.tmpdir(), 'morphmlp-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** Two epochs of ten steps, saved after every step. */
const command = (name: string): string[] => [
  ...['train', '--preset', 'quickstart', '--data', 'motion:80', '--val', 'motion:8', '--crop', '32', '--epochs', '2'],
  ...[
    '--out',
    path.join(folder, name),
    'RUN.SAVE_MINUTES',
    '0',
    'MORPH.DROP_DEPTH_RATE',
    '0.3',
    'RUN.EMA_DECAY',
    '0.9',
  ],
];

/** Starts a run and kills it without warning in the middle of an epoch. Returns the batch that was saved last. */
async function killedRun(name: string): Promise<number> {
  const child = spawn(process.execPath, [CLI, ...command(name)], { stdio: 'ignore' });
  const gone = new Promise((resolve) => child.once('exit', resolve));
  const log = path.join(folder, name, 'metrics.jsonl');
  while (!existsSync(log) || readFileSync(log, 'utf8').split('\n').length < 5)
    await new Promise((resolve) => setTimeout(resolve, 10));
  child.kill('SIGKILL');
  await gone;
  const { run } = readCheckpointMeta(path.join(folder, name, 'last.safetensors'))['training'] as unknown as {
    run: { epoch: number; batch: number };
  };
  return run.epoch * 10 + run.batch;
}

const weights = (name: string): [string, string][] =>
  [...loadCheckpoint(path.join(folder, name, 'best.safetensors')).tensors].map(([tensor, { data }]) => [
    tensor,
    Buffer.from(data.buffer, data.byteOffset, data.byteLength).toString('base64'),
  ]);

test('a run that is killed in the middle of an epoch and resumed ends with the weights of an uninterrupted one, bit for bit', async () => {
  expect(runCli(command('whole'))).toMatchObject({ status: 0 });
  const saved = await killedRun('killed');
  expect(saved).toBeGreaterThan(0);
  expect(saved).toBeLessThan(20);
  const resumed = runCli([...command('killed'), '--resume']);
  expect(resumed).toMatchObject({ status: 0 });
  expect(resumed.out).toMatch(/goes on with .*last.safetensors at epoch \d/);
  expect(weights('killed')).toEqual(weights('whole'));
}, 120_000);

test('where the disk takes no more, the checkpoint before is intact and the message says why', () => {
  const short = [
    'train',
    '--preset',
    'quickstart',
    '--data',
    'motion:16',
    '--val',
    'motion:8',
    '--crop',
    '32',
    'TENSORBOARD.ENABLE',
    'False',
  ];
  const out = path.join(folder, 'full');
  expect(runCli([...short, '--out', out, '--epochs', '1'])).toMatchObject({ status: 0 });
  const before = readFileSync(path.join(out, 'last.safetensors'));
  const again = [process.execPath, CLI, ...short, '--out', out, '--epochs', '2', '--resume', '--accept-changes'];
  const limited = `trap '' XFSZ; ulimit -f 1024; exec "$@"`; // files of at most 1 MiB (blocks of 1 KiB)
  const { status, stderr } = spawnSync('bash', ['-c', limited, 'bash', ...again], { encoding: 'utf8' });
  expect(status).toBe(1);
  expect(stderr).toMatch(/morphmlp: .*full\/(best|last).safetensors: not saved, the file would be larger than allowed/);
  expect(readFileSync(path.join(out, 'last.safetensors')).equals(before)).toBe(true);
});

test('an output folder that cannot be created is reported', () => {
  const out = path.join(folder, 'whole', 'config.yaml', 'run');
  const { status, err } = runCli(['train', '--preset', 'quickstart', '--data', 'motion:16', '--out', out]);
  expect(status).toBe(1);
  expect(err).toMatch(/config.yaml/);
  expect(err).not.toMatch(/\n\s+at /);
});
