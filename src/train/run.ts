import { existsSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { DecodePool } from '../data/video/decode_pool';
import { inputSpec, type InputSpec } from '../data/input_spec';
import type { Listing } from '../data/lists/types';
import { describeListing, imbalance, sharedFiles } from '../data/lists/listing';
import { Loader, type Skipped } from '../data/loader';
import { openDataset, type DataSpec } from '../data/open';
import type { Dataset } from '../data/types';
import { VideoDataset } from '../data/video/video_dataset';
import { makeFolder } from '../formats/folder';
import type { MorphMlpConfig } from '../models/config';
import { initialise, type Initialised } from '../models/initialise';
import { readWeights, type ModelInfo, type Weights } from '../models/load';
import { MorphMLP } from '../models/morphmlp';
import { expectSizes } from '../models/recognise';
import { seedInit } from '../nn/init';
import { AdamW, MovingAverage, parameterGroups, SGD, type Optimizer } from '../optim';
import { manualSeed } from '../core/generator';
import { planMemory, type MemoryPlan } from './memory_plan';
import type { RunOptions } from './options';
import { loadRun, readRunState, saveRun, saveWeights, type RunState } from './state';
import { Trainer, type EpochEnd, type TrainerEvents, type TrainerState } from './trainer';

/** Files in a run's folder. */
export const runFiles = (out: string) => ({
  best: path.join(out, 'best.safetensors'),
  last: path.join(out, 'last.safetensors'),
  config: path.join(out, 'config.yaml'),
  report: path.join(out, 'report.html'),
});

/** Input specification for validation and inference, which a checkpoint stores with the weights. */
export function runInput({ clips, testCrop, normalisation }: RunOptions): InputSpec {
  const { frames, rate, sampling, targetFps, offset, testScale, ignoreSar } = clips;
  const settings = { frames, rate, crop: testCrop, sampling, targetFps, offset, testScale, ignoreSar };
  return inputSpec({ ...settings, normalisation });
}

function checkBatches({ batchSize, microBatch }: RunOptions): number {
  if (batchSize % microBatch === 0) return batchSize / microBatch;
  throw new Error(`a batch of ${batchSize} cannot be summed of parts of ${microBatch}: give a divisor`);
}

function makeOptimizer(model: MorphMLP, { optimizer, schedule }: RunOptions): Optimizer {
  const { method, momentum, nesterov, weightDecay, decayAll } = optimizer;
  const parameters = model.parameters();
  const groups = decayAll ? [{ params: parameters, weightDecay }] : parameterGroups(parameters, weightDecay);
  if (method === 'adamw') return new AdamW(groups, { lr: schedule.baseLr });
  return new SGD(groups, { lr: schedule.baseLr, momentum, nesterov: nesterov && momentum > 0 });
}

/** Settings that a resumed run must share with the original, so that its cursor refers to the same clips. */
function settingsOf(options: RunOptions, train: Dataset): Record<string, string | number> {
  const { batchSize, microBatch, seed, emaDecay, clips } = options;
  const facts = train.describe();
  const list = String(facts['sha-256'] ?? facts['source']);
  return { batchSize, microBatch, seed, emaDecay, samples: clips.samples ?? 1, clips: train.length, list };
}

/** Prefixes errors of `body` with the file's path. */
function naming<T>(file: string, body: () => T): T {
  try {
    return body();
  } catch (error) {
    const { message } = error as Error;
    throw message.startsWith(file) ? error : new Error(`${file}: ${message}`, { cause: error });
  }
}

/** A quarter of the memory available to this process (`availableMemory` needs Node 20.13). */
function defaultCacheMemory(): number {
  const { availableMemory } = process as Partial<Pick<typeof process, 'availableMemory'>>;
  return Math.floor((availableMemory?.() ?? os.freemem()) / 4);
}

/** A prepared run: its data, model and trainer. */
export class Run {
  readonly info: ModelInfo;
  /** Recomputation that meets the memory budget, if there is one. */
  readonly plan: MemoryPlan | null;
  /** Result of loading `options.init`; null without it or for a resumed run. */
  readonly started: Initialised | null = null;
  /** Whether this run resumes an earlier one. */
  readonly resumed: boolean;
  readonly trainer: Trainer;
  readonly files;
  /** Limit of the cache of decoded frames, in bytes; 0 without cache. */
  readonly cacheMemory: number;
  readonly loaders: { train: Loader; val: Loader | null };
  private readonly average: MovingAverage | null;
  private readonly optimizer: Optimizer;
  private readonly pool: DecodePool;

  constructor(
    readonly options: RunOptions,
    events: TrainerEvents,
  ) {
    this.files = runFiles(options.out);
    this.resumed = this.goesOn();
    const accumulate = checkBatches(options);
    const weights = this.resumed || !options.init ? null : this.readStart(options.init.file);
    this.cacheMemory = options.cacheMemory ?? defaultCacheMemory();
    this.pool = new DecodePool(options.workers, this.cacheMemory);
    const train = this.dataset(options.train, true);
    this.loaders = this.makeLoaders(train, accumulate);
    manualSeed(options.seed);
    seedInit(options.seed);
    const config: MorphMlpConfig = { ...options.architecture, numClasses: options.classes ?? train.classNames.length };
    this.plan = this.planFor(config);
    const model = new MorphMLP(config);
    model.recompute = this.plan?.recompute ?? 0;
    model.precision = options.precision;
    this.info = { model: model.config, classNames: [...train.classNames], input: runInput(options) };
    this.optimizer = makeOptimizer(model, options);
    this.average = options.emaDecay > 0 ? new MovingAverage(model.namedParameters(), options.emaDecay) : null;
    this.trainer = this.makeTrainer(model, accumulate, events);
    try {
      makeFolder(options.out);
      if (this.resumed) this.resume();
      else if (weights) this.started = this.startFrom(weights);
    } catch (error) {
      this.dispose(); // frees all tensors if the run cannot begin
      throw error;
    }
  }

  /** Number of parameters of the network. */
  get parameters(): number {
    return this.trainer.options.model.parameters().reduce((sum, p) => sum + p.size, 0);
  }

  /** Problems of the lists of files. */
  get remarks(): string[] {
    const sets = [this.loaders.train.dataset, this.loaders.val?.dataset];
    const listings = sets.flatMap((set) => (set instanceof VideoDataset ? [set.listing] : []));
    const [train, val] = listings;
    const about = (listing: Listing): string[] =>
      describeListing(listing)
        .slice(1)
        .map((line) => `${listing.source}: ${line}`);
    return [
      ...listings.flatMap(about),
      ...(train ? imbalance(train) : []),
      ...(train && val ? sharedFiles(train, val) : []),
    ];
  }

  /** Use of the cache of decoded frames so far; null without a cache. */
  get cacheUse(): { held: number; reads: number; decoded: number } | null {
    const { cacheMemory, counts } = this.pool;
    return cacheMemory && { held: cacheMemory.held, ...counts };
  }

  /** Unreadable files so far, of training and validation. */
  get skipped(): Skipped[] {
    return [this.loaders.train, this.loaders.val].flatMap((l) => (l ? [...l.skipped.values()] : []));
  }

  /**
   * Trains. Writes `last` after every epoch, every few minutes and when stopped; `best` after the best epoch so far; and a
   * separate checkpoint every `keepEvery` epochs.
   */
  async train(): Promise<void> {
    try {
      await this.trainer.run((end) => this.keep(end));
      if (!this.trainer.finished) this.save(this.files.last);
    } finally {
      this.trainer.dispose();
      await this.close();
    }
  }

  /** Ends the decoding threads. Only needed if `train` was not called. */
  close(): Promise<void> {
    return this.pool.close();
  }

  /** Frees weights, moments and averages. */
  dispose(): void {
    this.trainer.dispose();
    this.optimizer.zeroGrad();
    this.trainer.options.model.dispose();
    this.optimizer.dispose();
    this.average?.dispose();
  }

  /** Whether there is a run to resume. */
  private goesOn(): boolean {
    const { resume } = this.options;
    const there = existsSync(this.files.last);
    if (resume === 'must' && !there)
      throw new Error(`--resume: ${this.files.last} does not exist; start without --resume`);
    return resume !== 'never' && there;
  }

  /** Opens the dataset of a split; validation uses the classes of training. */
  private dataset(spec: DataSpec, train: boolean, known?: readonly string[]): Dataset {
    const { clips, classes, seed, testCrop } = this.options;
    const crop = train ? clips.crop : testCrop;
    const knownFrom = known && this.options.train.path;
    const opening = { clips: { ...clips, crop, train }, known, knownFrom, classes: classes ?? undefined, seed };
    return openDataset(spec, opening, this.pool);
  }

  private makeLoaders(train: Dataset, group: number): { train: Loader; val: Loader | null } {
    const { seed, microBatch, normalisation, mix, val } = this.options;
    const loading = { batchSize: microBatch, seed, normalisation };
    const mixing = mix ? { mix } : {};
    return {
      train: new Loader(train, { ...loading, ...mixing, group, shuffle: true, dropLast: true }),
      val: val && new Loader(this.dataset(val, false, train.classNames), { ...loading, shuffle: false }),
    };
  }

  private planFor(config: MorphMlpConfig): MemoryPlan | null {
    const { memoryBudget, microBatch, clips, precision } = this.options;
    const size = { batch: microBatch * (clips.samples ?? 1), crop: clips.crop, precision };
    return memoryBudget === null ? null : planMemory(config, size, memoryBudget);
  }

  private makeTrainer(model: MorphMLP, accumulate: number, events: TrainerEvents): Trainer {
    const { labelSmoothing, clipNorm, cudaGraph, schedule } = this.options;
    const { evalEvery, saveMinutes, microBatch, clips } = this.options;
    const steps = { labelSmoothing, clipNorm, cudaGraph, evalEvery, schedule, accumulate };
    const saving = { saveEvery: saveMinutes * 60_000, clipsPerBatch: microBatch * (clips.samples ?? 1) };
    const parts = { model, optimizer: this.optimizer, average: this.average, ...this.loaders };
    return new Trainer({ ...parts, ...steps, ...saving }, events);
  }

  private keep(end: EpochEnd | null): void {
    this.save(this.files.last);
    if (!end) return;
    if (end.best) this.saveBest();
    const { keepEvery, out } = this.options;
    if (keepEvery > 0 && end.epoch % keepEvery === 0)
      this.save(path.join(out, `epoch_${String(end.epoch).padStart(4, '0')}.safetensors`));
  }

  private save(file: string): void {
    const settings = settingsOf(this.options, this.loaders.train.dataset);
    const run = { ...this.trainer.state, settings } as unknown as RunState;
    const { model } = this.trainer.options;
    saveRun(file, { model, optimizer: this.optimizer, average: this.average }, this.info, run);
  }

  /** The validated weights: the moving average if there is one. */
  private saveBest(): void {
    this.average?.swap();
    try {
      saveWeights(this.files.best, this.trainer.options.model, this.info);
    } finally {
      this.average?.swap();
    }
  }

  /** Reads weights and checks their sizes before any data is read. */
  private readStart(file: string): Weights {
    const { architecture } = this.options;
    return naming(file, () => {
      const weights = readWeights(file, { segmentDim: architecture.segmentDim });
      expectSizes(weights.info.model, architecture);
      return weights;
    });
  }

  private startFrom({ tensors, info }: Weights): Initialised {
    const { file, resetHead, inflate } = this.options.init!;
    const { model } = this.trainer.options;
    const options = { resetHead, inflate, frames: info.model.frames };
    const started = naming(file, () => initialise(model, tensors, options));
    this.average?.reset();
    return started;
  }

  private resume(): void {
    const { last } = this.files;
    const { settings: before, ...state } = readRunState(last);
    const now = settingsOf(this.options, this.loaders.train.dataset);
    for (const [name, value] of Object.entries((before ?? {}) as typeof now))
      if (now[name] !== value)
        throw new Error(
          `${last}: the run was started with ${name} ${value}, now it is ${now[name]}; start anew in another folder`,
        );
    const { model } = this.trainer.options;
    loadRun(last, { model, optimizer: this.optimizer, average: this.average });
    this.trainer.state = state as unknown as TrainerState;
  }
}
