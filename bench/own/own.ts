// npm run bench:own [-- --sets camera,order --seeds 5 --epochs 40 --fashion FOLDER --threads N --out FILE]
// Trains on small sets of videos that it makes itself (sets.ts), each as a person would: `morphmlp train FOLDER`, and two small
// convolutional networks in PyTorch on the same files (bench/peers/own.py, if MORPHMLP_TORCH_PYTHON names an interpreter). Prints
// the accuracy on the validation files and the seconds of each, as means over seeds with their standard errors.
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { Philox } from '../../src/core/philox';
import { machine } from '../../src/bench/machine';
import { setThreads, threads } from '../../src/core/runtime';
import { closeDecoders } from '../../src/data/video/choose';
import { decodeSource, probeSource } from '../../src/data/source';
import { writeVideo } from '../../src/data/video/encode';
import { percent, table } from '../../src/terminal/format';
import { Progress } from '../../src/terminal/progress';
import { FPS, ownSets, type OwnSet } from './sets';

const FILES = { train: 20, val: 6 } as const;
const SPLITS = ['train', 'val'] as const;
const PEERS = ['r2plus1d', 'cnn3d'] as const;

interface Result {
  accuracy: number;
  seconds: number;
}

const { values } = parseArgs({
  options: {
    sets: { type: 'string' },
    seeds: { type: 'string', default: '5' },
    epochs: { type: 'string', default: '40' },
    threads: { type: 'string' },
    fashion: { type: 'string' },
    out: { type: 'string' },
  },
});

const numbered = (split: string, name: string, i: number): string =>
  path.join(split, name, `${String(i).padStart(2, '0')}.mp4`);

/** Every file of a set: its split, class and path below the folder of the set. */
const filesOf = ({ classes }: OwnSet) =>
  SPLITS.flatMap((split) =>
    classes.flatMap((name, label) =>
      Array.from({ length: FILES[split] }, (_, i) => ({ split, label, i, file: numbered(split, name, i) })),
    ),
  );

/** Writes the videos of a set. */
async function writeSet(set: OwnSet, folder: string, random: Philox, onFile: (done: number) => void): Promise<void> {
  for (const [done, { split, label, i, file }] of filesOf(set).entries()) {
    const frames = set.draw(label, random.fork(split).fork(label).fork(i));
    const { width, height } = frames[0]!;
    const pixels = Buffer.concat(frames.map((frame) => frame.pixels));
    await writeVideo({ pixels, width, height, frames: frames.length }, path.join(folder, file), FPS);
    onFile(done + 1);
  }
}

/** Writes the frames of all files for the peers, which decode nothing: 96 x 72 pixels, see own.py. */
async function writeFrames(set: OwnSet, folder: string, out: string): Promise<void> {
  const size = [96, 72] as const;
  for (const split of SPLITS) {
    const rows = [];
    const parts = [];
    for (const { label, file } of filesOf(set).filter((one) => one.split === split)) {
      const source = { kind: 'video' as const, path: path.join(folder, file) };
      const info = await probeSource(source);
      const all = Array.from({ length: info.frames }, (_, n) => n);
      parts.push((await decodeSource(source, all, size, info)).pixels);
      rows.push({ frames: info.frames, width: size[0], height: size[1], label });
    }
    writeFileSync(path.join(out, `${split}.json`), JSON.stringify(rows));
    writeFileSync(path.join(out, `${split}.bin`), Buffer.concat(parts));
  }
}

/** `morphmlp train FOLDER` with nothing else but seed and threads; the accuracy is that of the last epoch, as the peers'. */
function ours(folder: string, out: string, seed: number): Result {
  const since = performance.now();
  const program = path.join(__dirname, '../../bin/morphmlp.js');
  const args = ['train', folder, '--out', out, '--seed', String(seed), '--threads', String(threads())];
  execFileSync(process.execPath, [program, ...args], { stdio: 'pipe' });
  const seconds = (performance.now() - since) / 1000;
  const epochs = readFileSync(path.join(out, 'metrics.jsonl'), 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as { valTop1?: number | null });
  return { accuracy: epochs.findLast(({ valTop1 }) => typeof valTop1 === 'number')!.valTop1!, seconds };
}

function peer(python: string, name: string, frames: string, seed: number): Result {
  const script = path.join(__dirname, '../peers/own.py');
  const args = [script, frames, name, values.epochs, String(seed), String(threads())];
  return JSON.parse(execFileSync(python, args, { encoding: 'utf8' })) as Result;
}

const mean = (all: readonly number[]): number => all.reduce((a, b) => a + b, 0) / all.length;
const standardError = (all: readonly number[]): number =>
  all.length < 2
    ? NaN
    : Math.sqrt(all.reduce((sum, x) => sum + (x - mean(all)) ** 2, 0) / (all.length - 1) / all.length);

async function main(): Promise<void> {
  if (values.threads !== undefined) setThreads(Number(values.threads));
  const python = process.env['MORPHMLP_TORCH_PYTHON'];
  const all = ownSets(values.fashion);
  const names = values.sets?.split(',') ?? Object.keys(all);
  const root = mkdtempSync(path.join(os.tmpdir(), 'morphmlp-own-'));
  const results: Record<string, Record<string, Result[]>> = {};
  try {
    for (const name of names) {
      const set = all[name];
      if (set === undefined) throw new Error(`set '${name}' is not one of ${Object.keys(all).join(', ')}`);
      for (let seed = 0; seed < Number(values.seeds); seed++) {
        const folder = path.join(root, name, String(seed));
        const bar = new Progress({ label: `${name}, seed ${seed}: videos`, total: filesOf(set).length });
        await writeSet(set, folder, new Philox(seed).fork(name), (done) => bar.update(done));
        bar.finish();
        const add = (who: string, result: Result): void => {
          ((results[name] ??= {})[who] ??= []).push(result);
          console.error(`${name}, seed ${seed}: ${who} ${percent(result.accuracy)} in ${result.seconds.toFixed(0)} s`);
        };
        add('morphmlp', ours(folder, path.join(folder, 'run'), seed));
        if (python === undefined) continue;
        const frames = path.join(folder, 'frames');
        mkdirSync(frames);
        await writeFrames(set, folder, frames);
        for (const who of PEERS) add(who, peer(python, who, frames, seed));
      }
    }
  } finally {
    await closeDecoders();
    rmSync(root, { recursive: true, force: true });
  }
  const rows = Object.entries(results).flatMap(([name, by]) =>
    Object.entries(by).map(([who, runs]) => {
      const accuracies = runs.map(({ accuracy }) => accuracy);
      const error = standardError(accuracies);
      const spread = Number.isNaN(error) ? '' : `± ${(100 * error).toFixed(1)}`;
      return [name, who, percent(mean(accuracies)), spread, `${mean(runs.map(({ seconds }) => seconds)).toFixed(0)} s`];
    }),
  );
  console.log(table(rows, { head: ['set', 'network', 'accuracy', '', 'seconds'] }));
  if (values.out !== undefined)
    writeFileSync(values.out, `${JSON.stringify({ machine: machine(), results }, null, 1)}\n`);
}

main().catch((error: Error) => {
  console.error(`bench:own: ${error.message}`);
  process.exitCode = 1;
});
