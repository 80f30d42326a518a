import { LoopTimer, type TrainBench, type TrainBenchOptions } from '../../bench/models/loop';
import { runOptions } from '../../train/config/recipe';
import { writeFileAtomic } from '../../formats/atomic';
import { setThreads, threads } from '../../core/runtime';
import type { RunOptions } from '../../train/options';
import { Run } from '../../train/run';
import type { StepEvent } from '../../train/trainer';
import { percent, significant, table } from '../../terminal/format';
import { checkOutputs } from './outputs';
import { Progress, withProgress } from '../../terminal/progress';
import { RunLog } from './run_log';
import { resolveConfig, type TrainFlags } from './train_settings';
import { temporaryFolder } from '../temporary';

/** Arguments of `morphmlp bench train`. */
export type BenchTrainArguments = TrainFlags & { steps: number; rounds: number; json?: string };

/** Logging as in `morphmlp train`, without terminal output. */
function bookkeeping(run: Run): (event: StepEvent) => void {
  const log = new RunLog(run);
  const { batches } = run.loaders.train;
  const stream = { isTTY: true, columns: 100, write: () => true };
  const bar = new Progress({ label: 'epoch', total: batches, stream });
  return (event) => {
    log.step(event);
    bar.update(event.batch, { loss: event.running.loss, accuracy: event.running.top1 });
  };
}

async function measured(options: RunOptions, sizes: TrainBenchOptions): Promise<TrainBench> {
  const folder = temporaryFolder();
  const out = folder.path;
  const schedule = { ...options.schedule, maxEpoch: Number.MAX_SAFE_INTEGER };
  const timer = new LoopTimer(sizes, bookkeeping);
  const run = new Run({ ...options, schedule, val: null, init: null, out, resume: 'never' }, timer);
  try {
    return await timer.measure(run);
  } finally {
    await run.close();
    run.dispose();
    folder.dispose();
  }
}

function rowsOf({ alone, loop, parts, ratio, first }: TrainBench, clips: number): string[][] {
  const rate = (ms: number): string => significant((1000 * clips) / ms, 3);
  const part = (name: string, ms: number): string[] => [`  ${name}`, significant(ms, 3), '', percent(ms / loop)];
  return [
    ['the step alone', significant(alone, 3), rate(alone), ''],
    ['the loop', significant(loop, 3), rate(loop), `${percent(ratio)} of the step alone`],
    part('the step in it', parts.step),
    part('waiting for data', parts.data),
    part('logs and progress bar', parts.log),
    part('making batches, event loop', parts.rest),
    ...(first === null ? [] : [['the loop in the first epoch', significant(first, 3), rate(first), '']]),
  ];
}

/** Runs `morphmlp bench train`. */
export async function benchTrain(pairs: string[], given: BenchTrainArguments): Promise<void> {
  const { steps, rounds, json, ...flags } = given;
  checkOutputs({ json });
  const { config } = resolveConfig(flags, pairs);
  if (config['RUN.THREADS'] > 0) setThreads(config['RUN.THREADS']);
  const options = runOptions(config);
  const result = await withProgress({ label: 'training', total: rounds }, (bar) =>
    measured(options, { steps, rounds, onRound: (done) => bar.update(done) }),
  );
  const clips = options.batchSize * (options.clips.samples ?? 1);
  console.log(
    `${options.name}: ${clips} clips a step, ${threads()} threads, medians of ${rounds} rounds of ${steps} steps`,
  );
  const head = ['', 'ms a step', 'clips/s', 'of the loop'];
  console.log(table(rowsOf(result, clips), { head, align: ['left', 'right', 'right', 'left'] }));
  if (json) writeFileAtomic(json, (write) => write(Buffer.from(JSON.stringify({ clips, steps, rounds, ...result }))));
}
