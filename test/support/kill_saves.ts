/** Kills a training at a call to the file system during a save, resumes it, and compares it with an uninterrupted run. */
import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { loadCheckpoint } from '../../src/formats/checkpoint';
import type { RunOptions } from '../../src/train/options';
import { Run } from '../../src/train/run';
import { quickRun } from './run_options';

/** A small run of two epochs of two steps with an average of the weights; every epoch is kept. */
const optionsFor = (out: string): RunOptions =>
  quickRun(out, {
    'RUN.TRAIN_DATA': 'motion:16',
    'RUN.VAL_DATA': 'motion:8',
    'MORPH.LAYERS': [1, 1, 1, 1],
    'MORPH.EMBED_DIMS': [8, 16, 24, 32],
    'MORPH.SEGMENT_DIM': [4, 4, 4, 4],
    'RUN.EMA_DECAY': 0.5,
    'TRAIN.CHECKPOINT_PERIOD': 1,
  });

/** Contents of the checkpoints in a folder, without seconds, which differ from run to run. */
function checkpoints(folder: string): Record<string, unknown> {
  const names = readdirSync(folder).filter((name) => name.endsWith('.safetensors'));
  const bits = (map: ReturnType<typeof loadCheckpoint>['tensors']) =>
    [...map].map(([name, { data }]) => [
      name,
      Buffer.from(data.buffer, data.byteOffset, data.byteLength).toString('base64'),
    ]);
  return Object.fromEntries(
    names.sort().map((name) => {
      const { tensors, optimizer, meta } = loadCheckpoint(path.join(folder, name));
      const text = JSON.stringify(meta).replace(/"seconds":[\d.e-]+/g, '');
      return [name, { text, tensors: bits(tensors), optimizer: bits(optimizer) }];
    }),
  );
}

async function train(options: RunOptions, stopAfter = Infinity): Promise<void> {
  let steps = 0;
  const run = new Run(options, { step: () => (++steps === stopAfter ? run.trainer.stop() : undefined) });
  await run.train();
  run.dispose();
}

/** One killed training. */
export interface Kill {
  /** The call that it was killed at, such as `rename .best.safetensors.tmp`. */
  call: string;
  /** Differences from the uninterrupted run after the resume; empty if there are none. */
  problems: string[];
}

/** Kills of the save at the end of an epoch, in `folder`. */
export class KillCampaign {
  private readonly base: string;
  private whole: Record<string, unknown> = {};
  /** Calls of an uninterrupted continuation, in order. */
  calls: string[] = [];

  constructor(private readonly folder: string) {
    this.base = path.join(folder, 'base');
  }

  /** Trains the uninterrupted run, and stops another one step before the end of its first epoch. */
  async prepare(): Promise<void> {
    const whole = path.join(this.folder, 'whole');
    await train(optionsFor(whole));
    this.whole = checkpoints(whole);
    await train(optionsFor(this.base), 1);
    this.calls = this.resumeInChild(path.join(this.folder, 'counted'), -1);
  }

  /** Resumes the stopped run in a child that is killed at call `at`; then resumes it to its end. */
  async kill(at: number): Promise<Kill> {
    const out = path.join(this.folder, 'killed');
    const calls = this.resumeInChild(out, at);
    const call = calls[at] ?? 'none';
    if (calls.length !== at + 1) return { call, problems: [`it was not killed at call ${at} of ${calls.length}`] };
    await train({ ...optionsFor(out), resume: 'must' });
    const after = checkpoints(out);
    const names = [...new Set([...Object.keys(this.whole), ...Object.keys(after)])];
    const differing = names.filter((name) => JSON.stringify(this.whole[name]) !== JSON.stringify(after[name]));
    const left = readdirSync(out).filter((name) => name.endsWith('.tmp') || name.startsWith('run.lock'));
    return {
      call,
      problems: [...differing.map((name) => `${name} differs`), ...left.map((name) => `${name} is left`)],
    };
  }

  /** Returns the calls that the child made in the folder. */
  private resumeInChild(out: string, at: number): string[] {
    rmSync(out, { recursive: true, force: true });
    cpSync(this.base, out, { recursive: true });
    const [settings, log] = [path.join(this.folder, 'options.json'), path.join(this.folder, 'calls.log')];
    writeFileSync(settings, JSON.stringify({ ...optionsFor(out), resume: 'must' }));
    mkdirSync(this.folder, { recursive: true });
    rmSync(log, { force: true });
    const script = [path.join(__dirname, 'kill_at.cjs'), path.join(__dirname, 'train_options.cjs')] as const;
    const env = { ...process.env, KILL_FOLDER: out, KILL_AT: String(at), KILL_LOG: log };
    const child = spawnSync(process.execPath, ['--require', ...script, settings], { env, encoding: 'utf8' });
    if (at < 0 ? child.status !== 0 : child.signal !== 'SIGKILL')
      throw new Error(`call ${at}: expected a killed training, got ${child.status} ${child.signal}: ${child.stderr}`);
    return existsSync(log) ? readFileSync(log, 'utf8').trim().split('\n').map(plain) : [];
  }
}

/** A call without the number of its temporary file, which differs from run to run. */
const plain = (call: string): string => call.replace(/\.\d+-[0-9a-f]{8}/, '');
