import { benchData, type DataBench } from '../../bench/data/measure';
import { runOptions } from '../../train/config/recipe';
import { writeFileAtomic } from '../../formats/atomic';
import { threads } from '../../core/runtime';
import type { RunOptions } from '../../train/options';
import { Run } from '../../train/run';
import type { Shares } from '../../train/trainer';
import { percent, significant, table } from '../../terminal/format';
import { checkOutputs } from './outputs';
import { withProgress, type Progress } from '../../terminal/progress';
import { resolveConfig, type TrainFlags } from './train_settings';
import { temporaryFolder } from '../temporary';

/** Arguments of `morphmlp bench data`. */
export type BenchDataArguments = Pick<
  TrainFlags,
  'cfg' | 'preset' | 'data' | 'separator' | 'model' | 'frames' | 'crop' | 'augment' | 'workers' | 'batchSize'
> & { count: number; rounds: number; steps: number; json?: string };

/** Milliseconds spent in the parts of `steps` training steps, without the first, for which nothing has been read ahead. */
async function timeSteps(options: RunOptions, steps: number, bar: Progress): Promise<Shares | null> {
  const folder = temporaryFolder();
  const out = folder.path;
  let [taken, first] = [0, null as Shares | null];
  const step = (): void => {
    if (taken++ === 0) first = { ...run.trainer.shares };
    bar.update(taken);
    if (taken > steps) run.trainer.stop();
  };
  const run: Run = new Run({ ...options, val: null, init: null, out, resume: 'never' }, { step });
  try {
    await run.trainer.run(() => undefined);
    const { shares } = run.trainer;
    if (first === null || taken < 2) return null;
    const before: Shares = first;
    const since = (name: keyof Shares): number => shares[name] - before[name];
    return {
      data: since('data'),
      forward: since('forward'),
      backward: since('backward'),
      optimizer: since('optimizer'),
      ranks: since('ranks'),
    };
  } finally {
    await run.close();
    run.dispose();
    folder.dispose();
  }
}

const sum = ({ data, forward, backward, optimizer }: Shares): number => data + forward + backward + optimizer;

function rowsOf({ ffmpeg, nodeAv, first, worker, workers }: DataBench, count: number): (string | number)[][] {
  const row = (name: string, rate: number): string[] => [
    name,
    significant(rate, 3),
    significant(1000 / rate, 3),
    ffmpeg === null ? '–' : percent(rate / ffmpeg, 0),
  ];
  return [
    ...(ffmpeg === null ? [] : [row('ffmpeg program alone, 1 core', ffmpeg)]),
    ...(nodeAv === null ? [] : [row('node-av alone, 1 core', nodeAv)]),
    row('1 worker, files not read before', first),
    row('1 worker', worker),
    ...(count > 1 ? [row(`${count} workers`, workers)] : []),
  ];
}

/** Runs `morphmlp bench data`. */
export async function benchDataset(pairs: string[], given: BenchDataArguments): Promise<void> {
  const { count, rounds, steps, json, ...flags } = given;
  checkOutputs({ json });
  const options = runOptions(resolveConfig(flags, pairs).config);
  const { train: spec, clips, classes, seed, workers } = options;
  const sizes = { count, rounds, workers };
  const rates = await withProgress({ label: 'reading', total: rounds }, (bar) =>
    benchData({ spec, clips, classes: classes ?? undefined, seed, ...sizes, onRound: (done) => bar.update(done) }),
  );
  const side = `${clips.frames > 1 ? `${clips.frames} frames of ` : ''}${clips.crop}x${clips.crop}`;
  console.log(`${spec.path}: ${side}, ${count} files a round, median of ${rounds}`);
  const head = ['', 'files/s', 'ms each', 'of ffmpeg'];
  console.log(table(rowsOf(rates, workers), { head, align: ['left', 'right', 'right', 'right'] }));
  const label = { label: 'training', total: steps + 1 };
  const shares = steps > 0 ? await withProgress(label, (bar) => timeSteps(options, steps, bar)) : null;
  if (shares)
    console.log(
      `training ${options.name}, ${options.batchSize} files a step, ${threads()} threads: ${percent(shares.data / sum(shares))} of a step waits for data (${significant(sum(shares) / steps, 3)} ms a step)`,
    );
  if (json) writeFileAtomic(json, (write) => write(Buffer.from(JSON.stringify({ ...sizes, ...rates, steps: shares }))));
}
