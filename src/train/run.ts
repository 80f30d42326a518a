import { existsSync, mkdirSync } from 'node:fs';
import path from 'node:path';
import { DecodePool } from '../data/decode_pool';
import { describeListing, readListing } from '../data/listing';
import { Loader, type Skipped } from '../data/loader';
import { MotionDataset } from '../data/motion';
import type { Dataset } from '../data/types';
import { VideoDataset } from '../data/video_dataset';
import { QUICKSTART, VARIANTS, type MorphMlpConfig } from '../models/config';
import { MorphMLP } from '../models/morphmlp';
import { seedInit } from '../nn/init';
import { AdamW, parameterGroups, type CosineSchedule } from '../optim';
import { manualSeed } from '../rng';
import { initialise, type Initialised } from '../models/initialise';
import { readWeights, type InputSpec, type ModelInfo } from '../models/load';
import { planMemory, type MemoryPlan } from './memory_plan';
import { loadRun, saveRun, saveWeights, type RunState } from './state';
import { Trainer, type TrainerEvents, type TrainerState } from './trainer';

/** Everything a training run is told. */
export interface RunOptions {
  /** A csv, a folder of class folders, or `motion` (`motion:N` for N clips). */
  data: string;
  val: string | null;
  separator: string;
  model: string;
  frames: number;
  rate: number;
  crop: number;
  flip: boolean;
  epochs: number;
  batchSize: number;
  lr: number;
  endLr: number;
  warmupStartLr: number;
  warmupEpochs: number;
  weightDecay: number;
  labelSmoothing: number;
  dropPath: number | null;
  clipNorm: number;
  evalEvery: number;
  seed: number;
  workers: number;
  /** Most bytes that tensors may hold in a step, or null for no limit; the first blocks are recomputed as it needs. */
  memoryBudget: number | null;
  /** A file with the weights to start from, or null for a new model. */
  init: string | null;
  resetHead: boolean;
  inflate: 'centre' | 'mean';
  out: string;
  /** Continue the run in `out`. */
  resume: boolean;
}

/** Clips of the embedded dataset: training and validation. */
export const MOTION_SIZES = { train: 768, val: 256 } as const;

/** What a run writes into its folder. */
export const runFiles = (out: string) => ({
  best: path.join(out, 'best.safetensors'),
  last: path.join(out, 'last.safetensors'),
  report: path.join(out, 'report.html'),
});

/** A dataset by name: `motion` (or `motion:N` for N clips), a csv, or a folder of class folders. */
export function openDataset(
  source: string,
  input: InputSpec,
  pool: DecodePool,
  {
    train,
    known,
    flip = false,
    separator = ',',
    seed = 0,
  }: { train: boolean; known?: readonly string[]; flip?: boolean; separator?: string; seed?: number },
): Dataset {
  const motion = /^motion(?::(\d+))?$/.exec(source);
  if (motion) {
    const length = Number(motion[1] ?? (train ? MOTION_SIZES.train : MOTION_SIZES.val));
    return new MotionDataset({ seed, stream: train ? 0 : 1, length, size: input.crop, frames: input.frames });
  }
  const listing = readListing(source, known ? { separator, known } : { separator });
  return new VideoDataset(listing, { ...input, train, flip }, pool);
}

function configFor(options: RunOptions, classes: number): MorphMlpConfig {
  const base = options.model === 'quickstart' ? QUICKSTART : VARIANTS[options.model]?.config;
  const names = ['quickstart', ...Object.keys(VARIANTS)].join(', ');
  if (!base) throw new Error(`model '${options.model}' is not one of ${names}`);
  if (base.kind === 'image')
    throw new Error(`model '${options.model}' takes images; training on clips needs a video model`);
  return { ...base, frames: options.frames, numClasses: classes, dropPath: options.dropPath ?? base.dropPath };
}

function scheduleOf(options: RunOptions): CosineSchedule {
  const { lr, endLr, warmupStartLr, warmupEpochs, epochs } = options;
  if (!(warmupEpochs < epochs)) throw new Error(`--warmup-epochs ${warmupEpochs} must be less than --epochs ${epochs}`);
  return { baseLr: lr, endLr, warmupStartLr, warmupEpochs, maxEpoch: epochs, cosineAfterWarmup: true };
}

function planFor(config: MorphMlpConfig, { memoryBudget, batchSize, crop }: RunOptions): MemoryPlan | null {
  return memoryBudget === null ? null : planMemory(config, { batch: batchSize, crop }, memoryBudget);
}

/** A run that is ready to go: its data, model and trainer. */
export class Run {
  readonly info: ModelInfo;
  /** How the run keeps to its memory budget, where it has one. */
  readonly plan: MemoryPlan | null;
  /** What `options.init` gave the model; null where there is none, or the run was resumed. */
  readonly started: Initialised | null = null;
  readonly trainer: Trainer;
  readonly files;
  private readonly optimizer: AdamW;
  private readonly pool: DecodePool;
  readonly loaders: { train: Loader; val: Loader | null };

  constructor(
    readonly options: RunOptions,
    events: TrainerEvents,
  ) {
    const input = { frames: options.frames, rate: options.rate, crop: options.crop };
    this.pool = new DecodePool(options.workers);
    this.files = runFiles(options.out);
    const train = this.dataset(options.data, input, true);
    const val = options.val === null ? null : this.dataset(options.val, input, false, train.classNames);
    const loading = { batchSize: options.batchSize, seed: options.seed };
    this.loaders = {
      train: new Loader(train, { ...loading, shuffle: true, dropLast: true }),
      val: val && new Loader(val, { ...loading, shuffle: false }),
    };
    manualSeed(options.seed);
    seedInit(options.seed);
    const config = configFor(options, train.classNames.length);
    this.plan = planFor(config, options);
    const model = new MorphMLP(config);
    model.recompute = this.plan?.recompute ?? 0;
    this.info = { model: model.config, classNames: [...train.classNames], input };
    this.optimizer = new AdamW(parameterGroups(model.parameters(), options.weightDecay), { lr: options.lr });
    const { labelSmoothing, clipNorm, evalEvery } = options;
    const steps = { labelSmoothing, clipNorm, evalEvery, schedule: scheduleOf(options) };
    this.trainer = new Trainer({ model, optimizer: this.optimizer, ...this.loaders, ...steps }, events);
    mkdirSync(options.out, { recursive: true });
    if (options.resume) this.resume();
    else if (options.init) this.started = this.startFrom(options.init);
  }

  /** Parameters of the network. */
  get parameters(): number {
    return this.trainer.options.model.parameters().reduce((sum, p) => sum + p.size, 0);
  }

  /** What was found wrong with the lists of files. */
  get remarks(): string[] {
    const sets = [this.loaders.train.dataset, this.loaders.val?.dataset];
    return sets.flatMap((set) => (set instanceof VideoDataset ? describeListing(set.listing).slice(1) : []));
  }

  /** Files that could not be read so far, of both sets. */
  get skipped(): Skipped[] {
    return [this.loaders.train, this.loaders.val].flatMap((l) => (l ? [...l.skipped.values()] : []));
  }

  /** Trains; writes `last` after every epoch and when stopped, and `best` when an epoch is the best so far. */
  async train(): Promise<void> {
    try {
      await this.trainer.run((best) => {
        this.save();
        if (best) saveWeights(this.files.best, this.trainer.options.model, this.info);
      });
      if (!this.trainer.finished) this.save();
    } finally {
      await this.pool.close();
    }
  }

  /** Frees weights and moments. */
  dispose(): void {
    this.trainer.options.model.dispose();
    this.optimizer.dispose();
  }

  private dataset(source: string, input: InputSpec, train: boolean, known?: readonly string[]): Dataset {
    const { flip, separator, seed } = this.options;
    return openDataset(source, input, this.pool, { train, flip, separator, seed, ...(known ? { known } : {}) });
  }

  private save(): void {
    const run = this.trainer.state as unknown as RunState;
    saveRun(this.files.last, this.trainer.options.model, this.optimizer, this.info, run);
  }

  private startFrom(file: string): Initialised {
    const { resetHead, inflate } = this.options;
    const { tensors, info } = readWeights(file, { segmentDim: this.info.model.segmentDim });
    try {
      return initialise(this.trainer.options.model, tensors, { resetHead, inflate, frames: info.model.frames });
    } catch (error) {
      throw new Error(`${file}: ${(error as Error).message}`, { cause: error });
    }
  }

  private resume(): void {
    if (!existsSync(this.files.last))
      throw new Error(`--resume: ${this.files.last} does not exist; start without --resume`);
    this.trainer.state = loadRun(
      this.files.last,
      this.trainer.options.model,
      this.optimizer,
    ) as unknown as TrainerState;
  }
}
