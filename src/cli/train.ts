import os from 'node:os';
import type { Command } from 'commander';
import pc from 'picocolors';
import { instructionSet, memory, requireDevice, setThreads, threads } from '../runtime';
import { Run, type RunOptions } from '../train/run';
import type { EpochRecord, TrainerEvents } from '../train/trainer';
import type { Device } from '../native';
import { numberIn, percent, wholeNumber } from './options';
import { Progress } from './progress';
import { afterQuickstart } from './quickstart';
import { writeRunReport } from './run_report';

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

type Given = Partial<RunOptions> & { preset?: string; threads?: number; device?: Device };

/** Shows a run: one bar an epoch, then a line with its figures. */
class TrainingView implements TrainerEvents {
  private bar: Progress | null = null;
  private run: Run | null = null;

  attach(run: Run): void {
    this.run = run;
  }

  step(epoch: number, batch: number, running: { loss: number; top1: number }): void {
    const { train } = this.run!.loaders;
    this.bar ??= this.start(epoch, batch - 1, train.batches);
    const rate = (batch - this.startedAt.batch) / ((performance.now() - this.startedAt.time) / 1000);
    const speed = `${(rate * this.run!.options.batchSize).toFixed(1)} clips/s`;
    this.bar.update(batch, [`loss ${running.loss.toFixed(3)}`, `acc ${percent(running.top1)}`, speed]);
  }

  validating(done: number, total: number): void {
    if (done === 1) {
      this.bar?.finish();
      this.bar = new Progress({ label: 'validating', total });
    }
    this.bar?.update(done);
  }

  epoch(record: EpochRecord): void {
    this.bar?.finish();
    this.bar = null;
    const val =
      record.valTop1 === null
        ? ''
        : `  validation loss ${record.valLoss!.toFixed(3)} acc ${pc.bold(percent(record.valTop1))}`;
    const train = `loss ${record.trainLoss.toFixed(3)} acc ${percent(record.trainTop1)}`;
    console.log(`epoch ${record.epoch}/${this.run!.options.epochs}  ${train}${val}  ${record.seconds.toFixed(1)} s`);
  }

  warning(text: string): void {
    this.bar?.finish();
    console.error(pc.yellow(`note: ${text}`));
  }

  private startedAt = { time: 0, batch: 0 };

  private start(epoch: number, batch: number, total: number): Progress {
    this.startedAt = { time: performance.now(), batch };
    const bar = new Progress({ label: `epoch ${epoch + 1}/${this.run!.options.epochs}`, total });
    bar.startAt(batch);
    return bar;
  }
}

function describeRun(run: Run): string {
  const { options, loaders } = run;
  const val = loaders.val ? `, ${loaders.val.dataset.length} for validation` : '';
  return [
    `${options.model}: ${(run.parameters / 1e6).toFixed(2)}M parameters, ${options.frames} frames of ${options.crop}x${options.crop}, ${run.info.classNames.length} classes`,
    `data: ${loaders.train.dataset.length} clips${val}  ·  cpu (${instructionSet()}, ${threads()} threads)  ·  seed ${options.seed}`,
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
  const skipped = [run.loaders.train, run.loaders.val].flatMap((l) => (l ? [...l.skipped.values()] : []));
  if (skipped.length === 0) return;
  console.error(pc.yellow(`${skipped.length} files could not be read and were skipped:`));
  for (const { reason } of skipped) console.error(`  ${reason}`);
}

function resolveOptions(given: Given): RunOptions {
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

async function train(given: Given): Promise<void> {
  const view = new TrainingView();
  const options = resolveOptions(given);
  const run = new Run(options, view);
  view.attach(run);
  console.log(describeRun(run));
  const release = stopOnInterrupt(run);
  await run.train();
  release();
  showSkipped(run);
  if (!run.trainer.finished) {
    console.log(`saved ${run.files.last}; go on with the same command and --resume`);
    process.exitCode = 130;
    return;
  }
  await writeRunReport(run);
  const { best } = run.trainer.state;
  console.log(
    `best accuracy ${pc.bold(percent(best))}  ·  peak tensor memory ${(memory().peak / 2 ** 20).toFixed(0)} MiB`,
  );
  console.log(`checkpoint  ${run.files.best}\nreport      ${run.files.report}`);
  if (given.preset === 'quickstart') await afterQuickstart(run);
  run.dispose();
}

const EXAMPLES = `
Examples:
  morphmlp train --preset quickstart
  morphmlp train --data train.csv --val val.csv --model video-s --frames 16 --crop 224 --out runs/mine
  morphmlp train --data videos/train --val videos/val --epochs 30 --batch-size 4 --lr 1e-4
  morphmlp train --data train.csv --out runs/mine --resume

A csv has lines of path,label: paths relative to the csv, labels as indices or names. A folder has one folder of videos for
each class. Ctrl-C saves; --resume goes on bit for bit as if the run had never stopped.`;

/** Adds `morphmlp train`. */
export function registerTrain(program: Command): void {
  program
    .command('train')
    .description('train a video model on your own clips, or on the embedded motion dataset')
    .option('--preset <name>', 'a complete recipe: quickstart (single options still count)')
    .option('--data <path>', 'training clips: a csv, a folder of class folders, or `motion`')
    .option('--val <path>', 'validation clips, in the same forms')
    .option('--separator <text>', 'between path and label in a csv')
    .option('--model <name>', 'quickstart, video-s, video-b (default: video-s)')
    .option('--frames <n>', 'frames of a clip (default: 16)', wholeNumber(1))
    .option('--rate <n>', 'distance between frames (default: 4)', wholeNumber(1))
    .option('--crop <pixels>', 'side of the square crop (default: 224)', wholeNumber(32))
    .option('--no-flip', 'do not mirror training clips: for classes that tell left from right')
    .option('--epochs <n>', 'passes over the training clips (default: 60)', wholeNumber(1))
    .option('--batch-size <n>', 'clips a step (default: 8)', wholeNumber(1))
    .option('--lr <rate>', 'learning rate after the warm-up (default: 2e-4)', numberIn(0))
    .option('--end-lr <rate>', 'learning rate at the end of the cosine (default: 1e-6)', numberIn(0))
    .option('--warmup-epochs <n>', 'epochs of linear warm-up (default: 10, at most a sixth of the epochs)', numberIn(0))
    .option('--weight-decay <x>', 'on weights of two or more dimensions (default: 0.05)', numberIn(0))
    .option('--label-smoothing <x>', 'share of the target spread over all classes (default: 0)', numberIn(0, 1))
    .option('--drop-path <p>', "stochastic depth of the last block (default: the model's)", numberIn(0, 0.99))
    .option('--clip-norm <x>', 'largest gradient norm; 0 for no clipping (default: 0)', numberIn(0))
    .option('--eval-every <n>', 'epochs between validations (default: 1)', wholeNumber(1))
    .option('--seed <n>', 'of every random choice (default: 0)', wholeNumber(0))
    .option('--workers <n>', 'threads that decode videos', wholeNumber(1))
    .option('--threads <n>', 'threads that compute (default: physical cores)', wholeNumber(1))
    .option('--device <name>', 'cpu or cuda (default: cpu)')
    .option('--out <folder>', 'where checkpoints and the report go (default: runs/train)')
    .option('--resume', 'continue the run in --out')
    .addHelpText('after', EXAMPLES)
    .action(train);
}
