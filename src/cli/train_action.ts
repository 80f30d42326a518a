import os from 'node:os';
import pc from 'picocolors';
import { instructionSet, memory, requireDevice, setThreads, threads } from '../runtime';
import { Run, type RunOptions } from '../train/run';
import type { Device } from '../native';
import { percent } from './options';
import { afterQuickstart } from './quickstart';
import { writeRunReport } from './run_report';
import { TrainingView } from './training_view';

/** The values of options that are not given; `--preset quickstart` has its own. */
const DEFAULTS: RunOptions = {
  data: '',
  val: null,
  separator: ',',
  model: 'video-s',
  frames: 16,
  rate: 4,
  crop: 224,
  flip: true,
  epochs: 60,
  batchSize: 8,
  lr: 2e-4,
  endLr: 1e-6,
  warmupStartLr: 1e-6,
  warmupEpochs: 10,
  weightDecay: 0.05,
  labelSmoothing: 0,
  dropPath: null,
  clipNorm: 0,
  evalEvery: 1,
  seed: 0,
  workers: Math.max(1, os.cpus().length - 1),
  memoryBudget: null,
  init: null,
  resetHead: false,
  inflate: 'centre',
  out: 'runs/train',
  resume: false,
};

const QUICKSTART: Partial<RunOptions> = {
  data: 'motion',
  val: 'motion',
  model: 'quickstart',
  frames: 16,
  rate: 1,
  crop: 64,
  flip: false,
  epochs: 5,
  batchSize: 8,
  lr: 2e-3,
  endLr: 1e-5,
  warmupStartLr: 1e-5,
  warmupEpochs: 0.2,
  out: 'runs/quickstart',
};

/** What the command line gives: only what was named there. */
export type TrainArguments = Partial<RunOptions> & { preset?: string; threads?: number; device?: Device };

function describeRun(run: Run): string {
  const { options, loaders, plan } = run;
  const val = loaders.val ? `, ${loaders.val.dataset.length} for validation` : '';
  const mib = (bytes: number) => `${(bytes / 2 ** 20).toFixed(0)} MiB`;
  const memory = plan
    ? [
        `memory: tensors up to ${mib(plan.peak)} (${mib(plan.full)} without a budget), ${plan.recompute} blocks recomputed`,
      ]
    : [];
  const started = run.started
    ? [
        `started from ${run.started.from}: ${run.started.copied} tensors`,
        ...run.started.fresh.map((why) => `started anew: ${why}`),
      ]
    : [];
  return [
    `${options.model}: ${(run.parameters / 1e6).toFixed(2)}M parameters, ${options.frames} frames of ${options.crop}x${options.crop}, ${run.info.classNames.length} classes`,
    `data: ${loaders.train.dataset.length} clips${val}  ·  cpu (${instructionSet()}, ${threads()} threads)  ·  seed ${options.seed}`,
    ...memory,
    ...started,
  ].join('\n');
}

/** The first Ctrl-C ends the run after its step and saves; the second ends the program at once. */
function stopOnInterrupt(run: Run): () => void {
  const handler = () => {
    process.once('SIGINT', () => process.exit(130));
    console.error('\nstopping after this step; Ctrl-C again to leave at once');
    run.trainer.stop();
  };
  process.once('SIGINT', handler);
  process.once('SIGTERM', handler);
  return () => {
    process.removeListener('SIGINT', handler);
    process.removeListener('SIGTERM', handler);
  };
}

function showSkipped(run: Run): void {
  const { skipped } = run;
  if (skipped.length === 0) return;
  console.error(pc.yellow(`${skipped.length === 1 ? '1 file' : `${skipped.length} files`} could not be read:`));
  for (const { reason } of skipped) console.error(`  ${reason}`);
}

function resolveOptions(given: TrainArguments): RunOptions {
  const { preset, threads: count, device = 'cpu', ...own } = given;
  if (preset !== undefined && preset !== 'quickstart') throw new Error(`--preset ${preset} is not one of: quickstart`);
  requireDevice(device);
  if (device !== 'cpu') throw new Error('--device cuda: training on CUDA is not built yet');
  if (count) setThreads(count);
  const options = { ...DEFAULTS, ...(preset ? QUICKSTART : {}), ...own };
  if (!options.data)
    throw new Error(
      '--data is missing: a csv of path,label, or a folder with a folder of videos for each class (or --preset quickstart)',
    );
  if (!preset && own.warmupEpochs === undefined)
    options.warmupEpochs = Math.min(options.warmupEpochs, options.epochs / 6);
  return options;
}

/** Runs `morphmlp train`. */
export async function train(given: TrainArguments): Promise<void> {
  const view = new TrainingView();
  const options = resolveOptions(given);
  const run = new Run(options, view);
  view.attach(run);
  console.log(describeRun(run));
  for (const remark of run.remarks) console.error(pc.yellow(`note: ${remark}`));
  const release = stopOnInterrupt(run);
  await run.train();
  release();
  view.close();
  showSkipped(run);
  if (!run.trainer.finished) {
    console.log(`saved ${run.files.last}; go on with the same command and --resume`);
    process.exitCode = 130;
    return;
  }
  await writeRunReport(run, view.notes);
  const { best } = run.trainer.state;
  console.log(
    `best accuracy ${pc.bold(percent(best))}  ·  peak tensor memory ${(memory().peak / 2 ** 20).toFixed(0)} MiB`,
  );
  console.log(`checkpoint  ${run.files.best}\nreport      ${run.files.report}`);
  if (given.preset === 'quickstart') await afterQuickstart(run);
  run.dispose();
}
