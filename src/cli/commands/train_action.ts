import { existsSync } from 'node:fs';
import path from 'node:path';
import pc from 'picocolors';
import { isKey, printConfig } from '../../train/config/config';
import type { Config } from '../../train/config/keys';
import { runOptions, testingOf } from '../../train/config/recipe';
import { writeFileAtomic } from '../../formats/atomic';
import { listingCsv } from '../../data/lists/split';
import { VideoDataset } from '../../data/video/video_dataset';
import { isFasterInBf16, multipliesBf16 } from '../../core/instruction_sets';
import { instructionSet, memory, threads } from '../../core/runtime';
import { getDefaultDevice } from '../../core/tensor';
import { connectGpus } from '../../distributed/connect';
import { detectLaunch, type Mode } from '../../distributed/launch';
import { ALONE, type Ranks } from '../../distributed/ranks';
import type { RunOptions } from '../../train/options';
import { Run, runFiles } from '../../train/run';
import { deviceText } from './device_text';
import { findLearningRate } from './find_lr';
import { amount, percent } from '../../terminal/format';
import { afterQuickstart, thisCommand } from './quickstart';
import { joinRanks, shareThreads, useDevice } from './join_ranks';
import type { RunLog } from './run_log';
import { openOnce } from '../open_file';
import { writeRunFacts, writeRunReport } from './run_report';
import { testRun } from './multi_view_test';
import { learningHints } from '../../train/hints';
import { isPlanned, planned, splitFolders } from './train_plan';
import { resolveConfig, type Resolved, type TrainFlags } from './train_settings';
import { printable } from '../../terminal/text_width';
import { TrainingView } from './training_view';
import { isWatched, trainWatched, usePlugins } from './watched_run';

/** Arguments of `morphmlp train`; options that were not given are absent. */
export type TrainArguments = TrainFlags & {
  acceptChanges?: boolean;
  overwrite?: boolean;
  printConfig?: boolean;
  plan?: boolean;
  findLr?: boolean;
  /** Most seconds of training that a plan chooses. */
  time?: number;
  open?: boolean;
  distributed?: Mode;
  rankTimeout?: number;
};

/** Seconds of training that a plan may take unless `--time` says otherwise. */
const DEFAULT_TIME = 1800;

const mib = (bytes: number): string => `${(bytes / 2 ** 20).toFixed(0)} MiB`;

function describeBatches({ batchSize, microBatch, clips, mix }: RunOptions): string[] {
  const parts = [
    ...(microBatch < batchSize ? [`${batchSize} a step, ${microBatch} at a time`] : []),
    ...((clips.samples ?? 1) > 1 ? [`${clips.samples} augmented clips of each`] : []),
    ...(clips.augmentation?.randAugment ? [clips.augmentation.randAugment] : []),
    ...(mix ? ['mixup and cutmix'] : []),
  ];
  return parts.length > 0 ? [`batches: ${parts.join('  ·  ')}`] : [];
}

function describeRanks({ ranks, options }: Run): string[] {
  if (ranks.size === 1) return [];
  const hosts = new Set(ranks.seats.map(({ host }) => host)).size;
  const exact = options.fastReduction
    ? 'gradients summed as the library likes: bits depend on the number of ranks'
    : 'exact sums';
  return [
    `ranks: ${ranks.size} on ${amount(hosts, 'host')}  ·  ${amount(threads(), 'thread')} each  ·  ${ranks.connection}  ·  ${exact}`,
  ];
}

function describeCache({ cacheMemory, options }: Run): string {
  if (cacheMemory === 0) return 'cache: off, every clip is decoded anew';
  const why = options.cacheMemory === null ? ', a quarter of the free memory (--cache-memory)' : '';
  return `cache: decoded frames up to ${mib(cacheMemory)}${why}`;
}

function describePrecision({ precision }: RunOptions, recomputed: number): string[] {
  const again = recomputed > 0 ? `, ${recomputed} blocks recomputed` : '';
  if (precision === 'bf16') return [`precision: bf16 activations, f32 weights${again}`];
  if (getDefaultDevice() === 'cuda' || !multipliesBf16(instructionSet())) return [];
  const faster = isFasterInBf16(instructionSet()) ? 'trains' : 'should train';
  return [`precision: f32; this processor ${faster} faster with --precision bf16`];
}

function describeRun(run: Run): string {
  const { options, loaders, plan, started } = run;
  const { clips } = options;
  const val = loaders.val ? `, ${loaders.val.dataset.length} for validation` : '';
  const input = `${clips.frames > 1 ? `${clips.frames} frames of ` : ''}${clips.crop}x${clips.crop}`;
  return [
    `${options.name}: ${(run.parameters / 1e6).toFixed(2)}M parameters, ${input}, ${run.info.classNames.length} classes`,
    `data: ${loaders.train.dataset.length} ${run.info.model.task === 'segment' ? 'pictures' : 'clips'}${val}  ·  ${deviceText()}  ·  seed ${options.seed}`,
    ...describeBatches(options),
    ...describeRanks(run),
    describeCache(run),
    ...describePrecision(options, plan ? 0 : run.recomputed),
    ...(options.cudaGraph ? ['steps: recorded once, replayed as CUDA graphs'] : []),
    ...(plan
      ? [
          `memory: tensors up to ${mib(plan.peak)} (${mib(plan.full)} without a budget), ${plan.recompute} blocks recomputed`,
        ]
      : []),
    ...(started ? [`started from ${started.from}: ${started.copied} tensors`] : []),
    ...(started?.fresh ?? []).map((why) => `started anew: ${why}`),
    ...(run.resumed ? [`goes on with ${run.files.last} at epoch ${run.trainer.state.epoch + 1}`] : []),
  ].join('\n');
}

/** The first Ctrl-C ends the run after its step and saves; the second ends the program at once. */
function stopOnInterrupt(run: Run): () => void {
  const handler = () => {
    process.once('SIGINT', () => process.exit(130));
    if (run.ranks.isMain) console.error('\nstopping after this step; Ctrl-C again to leave at once');
    run.trainer.stop();
  };
  const signals = ['SIGINT', 'SIGTERM', 'SIGUSR1'] as const; // mpirun passes SIGUSR1 on and waits; SIGTERM leaves a second
  for (const signal of signals) process.once(signal, handler);
  return () => {
    for (const signal of signals) process.removeListener(signal, handler);
  };
}

function showSkipped(log: RunLog): void {
  const { skipped } = log.found;
  if (skipped.length === 0) return;
  console.error(pc.yellow(`${amount(skipped.length, 'file')} could not be read:`));
  for (const { reason } of skipped) console.error(`  ${printable(reason)}`);
}

function checkDevice(config: Config, mode: Mode | undefined, ranks: Ranks): void {
  useDevice(ranks, config['RUN.DEVICE'], mode);
  shareThreads(ranks, config['RUN.THREADS']);
  if (ranks.size === 1) return;
  if (config['RUN.CUDA_GRAPH'])
    throw new Error(`--cuda-graph replays the steps of one process: leave it out, got ${ranks.size} ranks`);
  if (config['RUN.PLUGINS'].length > 0)
    throw new Error(`--plugin: kernels of your own are watched in one process, got ${ranks.size} ranks`);
}

function optionsFor(config: Config, { resume = false, acceptChanges = false }: TrainArguments): RunOptions {
  const nothing = config['RUN.TRAIN_DATA'] === '' && config['DATA.PATH_TO_DATA_DIR'] === '';
  if (nothing && config['TRAIN.DATASET'] === 'folders')
    throw new Error(
      '--data is missing: a csv of path,label, or a folder with a folder of videos for each class (or --preset quickstart)',
    );
  const options = { ...runOptions(config), acceptChanges };
  return resume ? { ...options, resume: 'must' } : options;
}

/** Throws if the folder contains a run, which may be days of work, unless it is to be resumed or overwritten. */
function checkFree({ out, resume }: RunOptions, overwrite = false): void {
  const { last, best } = runFiles(out);
  const there = [last, best].find((file) => existsSync(file));
  if (!there || resume !== 'never' || overwrite) return;
  throw new Error(`${out} has a run already (${path.basename(there)}): give --resume, --overwrite or another --out`);
}

/** Writes the report of a run that goes on. The training does not end for it: the next epoch writes it again. */
async function writeReportSoFar(run: Run, view: TrainingView, config: Config): Promise<void> {
  try {
    await writeRunReport(run, view.log, config, 'running', run.trainer.bestEvaluation);
  } catch (error) {
    view.warning(`the report was not written: ${(error as Error).message}`);
  }
}

/** Trains, and writes the report after every epoch. @throws if the training fails */
async function trainLogged(run: Run, view: TrainingView, config: Config, open = false): Promise<void> {
  const release = stopOnInterrupt(run);
  const openPage = open
    ? openOnce(run.files.report, (problem) => console.error(pc.yellow(`note: ${problem}`)))
    : () => undefined;
  try {
    await run.train(async () => {
      await writeReportSoFar(run, view, config);
      openPage();
    });
  } catch (error) {
    const { failed, bestEvaluation } = run.trainer;
    if (failed === null) throw error;
    view.warning(failed);
    await writeRunReport(run, view.log, config, 'failed', bestEvaluation);
    throw new Error(`${(error as Error).message}; ${run.files.last} is kept, marked as not finite`, { cause: error });
  } finally {
    release();
    view.log.close();
  }
}

/** Writes the lists of a split set into the folder of the run, so that other commands can use the same files. */
function writeSplit({ options, loaders }: Run): void {
  if (!options.val?.split) return;
  for (const [name, loader] of Object.entries(loaders))
    if (loader?.dataset instanceof VideoDataset) {
      const csv = listingCsv(loader.dataset.listing);
      writeFileAtomic(path.join(options.out, `${name}.csv`), (write) => write(Buffer.from(csv)));
    }
}

/** Trains to the end or until stopped, and writes the report. Returns whether the run is complete. */
async function trainRun(run: Run, view: TrainingView, config: Config, open?: boolean): Promise<boolean> {
  writeFileAtomic(run.files.config, (write) => write(Buffer.from(printConfig(config))));
  writeSplit(run);
  await writeRunFacts(run, config);
  await trainLogged(run, view, config, open);
  showSkipped(view.log);
  const { files, trainer, options } = run;
  if (!trainer.finished) {
    await writeRunReport(run, view.log, config, 'interrupted', trainer.bestEvaluation);
    console.log(`saved ${files.last}; go on with: ${thisCommand()} train --out ${options.out} --resume`);
    console.log(`report      ${files.report}`);
    process.exitCode = 130;
    return false;
  }
  await writeRunReport(run, view.log, config, 'finished', await run.evaluateBest());
  const { best } = trainer.state;
  if (trainer.stalled) console.log(`ended early: no epoch was better for ${options.patience} epochs (--patience)`);
  const hints = run.info.model.task === 'segment' ? [] : learningHints(trainer.state.history);
  for (const hint of hints) console.error(pc.yellow(`note: ${hint}`));
  const epoch = trainer.bestEpoch === null ? '' : ` in epoch ${trainer.bestEpoch}`;
  const measure = run.info.model.task === 'segment' ? 'mIoU' : 'accuracy';
  console.log(`best ${measure} ${pc.bold(percent(best))}${epoch}  ·  peak tensor memory ${mib(memory().peak)}`);
  console.log(`checkpoint  ${files.best}\nreport      ${files.report}`);
  return true;
}

/** Trains as the main rank, or as the only process: shows, logs and reports the run. */
async function trainMain(run: Run, view: TrainingView, config: Config, given: TrainArguments): Promise<boolean> {
  view.attach(run);
  console.log(describeRun(run));
  for (const remark of run.remarks) console.error(pc.yellow(`note: ${printable(remark)}`));
  if (run.changes.length > 0) view.warning(`resumed with other settings: ${run.changes.join(', ')}`);
  if (given.findLr) {
    await findLearningRate(run, describeRun(run).split('\n')[0]!);
    return false;
  }
  const finished = await trainRun(run, view, config, given.open);
  if (finished && given.preset === 'quickstart') await afterQuickstart(run);
  return finished;
}

/** Trains as another rank. */
async function trainBeside(run: Run): Promise<boolean> {
  const release = stopOnInterrupt(run);
  try {
    await run.train();
  } finally {
    release();
  }
  const { finished } = run.trainer;
  if (!finished) process.exitCode = 130;
  return finished;
}

async function trainFirst(config: Config, given: TrainArguments, ranks: Ranks): Promise<boolean> {
  const view = ranks.isMain ? new TrainingView() : null;
  const run = ranks.agree(() => new Run(optionsFor(config, given), view ?? {}, ranks));
  run.connect();
  const finished = await (view ? trainMain(run, view, config, given) : trainBeside(run));
  run.dispose();
  return finished;
}

/** Splits the words of a command line into the data, if the first word is a path, and KEY VALUE pairs. */
function withData(words: readonly string[], given: TrainArguments): [pairs: string[], given: TrainArguments] {
  const [first, ...pairs] = words;
  if (first === undefined || isKey(first)) return [[...words], given];
  if (given.data !== undefined) throw new Error(`expected one path to train on, got ${first} and --data ${given.data}`);
  const folders = splitFolders(first);
  return [pairs, { ...folders, ...given, data: folders.data }];
}

/** Shows notes, and checks what needs no data. */
function prepare({ config, notes }: Resolved, given: TrainArguments, ranks: Ranks): void {
  if (ranks.isMain) for (const note of notes) console.error(pc.yellow(`note: ${printable(note)}`));
  checkDevice(config, given.distributed, ranks);
  if (given.findLr && ranks.size > 1) throw new Error(`--find-lr runs in one process, got ${ranks.size} ranks`);
  const fresh = config['TRAIN.ENABLE'] && !isWatched() && given.findLr !== true;
  if (fresh && ranks.isMain) checkFree(optionsFor(config, given), given.overwrite);
}

/** The configuration of a run: the main rank's plan, where a person's own files and no recipe are given. */
async function configFor(resolved: Resolved, given: TrainArguments, ranks: Ranks): Promise<Config> {
  const { plan = true, time = DEFAULT_TIME } = given;
  if (!plan || !ranks.agree(() => isPlanned(resolved))) return resolved.config;
  const shownLater = resolved.config['RUN.PLUGINS'].length > 0 && !isWatched(); // by the process that trains
  let [config, problem] = [resolved.config, ''];
  try {
    const say = shownLater ? () => undefined : given.printConfig ? console.error : console.log;
    if (ranks.isMain) config = await planned(resolved, time, say);
  } catch (error) {
    if (ranks.size === 1) throw error;
    problem = (error as Error).message;
  }
  ranks.throwShared(problem);
  return ranks.broadcastJson(config);
}

/** Runs `morphmlp train`: training, then the test, if the configuration enables them. */
export async function train(words: string[], arguments_: TrainArguments): Promise<void> {
  const [pairs, given] = withData(words, arguments_);
  const launch = given.printConfig ? (detectLaunch()?.rank ?? 0) : null;
  const ranks = launch === null ? joinRanks({ mode: given.distributed, timeout: given.rankTimeout }) : ALONE;
  const resolved = ranks.agree(() => resolveConfig(given, pairs));
  if (launch !== null) {
    if (launch === 0) process.stdout.write(printConfig(await configFor(resolved, given, ranks)));
    return;
  }
  ranks.agree(() => prepare(resolved, given, ranks));
  if (ranks.size > 1 && getDefaultDevice() === 'cuda') connectGpus(ranks);
  const config = await configFor(resolved, given, ranks);
  const plugins = config['RUN.PLUGINS'];
  if (plugins.length > 0) {
    if (!isWatched()) return trainWatched(plugins, optionsFor(config, given));
    for (const note of usePlugins(plugins)) console.error(pc.yellow(`note: ${note}, so blocks run op by op`));
  }
  const testing = testingOf(config);
  if (config['TRAIN.ENABLE'] && !(await trainFirst(config, given, ranks))) return;
  if (testing) await testRun(testing, config, ranks);
}
