import { existsSync } from 'node:fs';
import os from 'node:os';
import { DecodePool } from '../data/video/decode_pool';
import { inputSpec, type InputSpec } from '../data/input_spec';
import type { Listing } from '../data/lists/types';
import { describeListing, imbalance, sharedFiles } from '../data/lists/listing';
import { Loader, type Skipped } from '../data/loader';
import { openDataset, type DataSpec } from '../data/open';
import { otherNormalisation } from '../data/normalisation';
import type { Dataset } from '../data/types';
import { PairDataset } from '../data/masks/pair_dataset';
import { VideoDataset } from '../data/video/video_dataset';
import { clearTemporaries } from '../formats/atomic';
import { isUnchecked, UNCHECKED } from '../formats/checkpoint';
import { makeFolder } from '../formats/folder';
import { getDefaultDevice } from '../core/tensor';
import { defaultRecompute, type MorphMlpConfig } from '../models/config';
import { initialise, type Initialised } from '../models/initialise';
import { loadNetwork, readWeights, type ModelInfo, type Weights } from '../models/load';
import type { Backbone } from '../models/morphmlp';
import { buildNetwork } from '../models/network';
import { expectSizes } from '../models/recognise';
import { seedInit } from '../nn/init';
import { AdamW, MovingAverage, parameterGroups, SGD, type Optimizer } from '../optim';
import { manualSeed } from '../core/generator';
import { layerGroups } from './layer_rates';
import { slicesOf } from '../distributed/gradient_sum';
import { checkSyncNorm } from '../distributed/sync_norm';
import { neighbours } from '../distributed/processors';
import { ALONE, type Ranks } from '../distributed/ranks';
import { planMemory, type MemoryPlan } from './memory_plan';
import { evaluate, type Evaluation } from './evaluate';
import type { RunOptions } from './options';
import { Checkpoints, removeRun } from './run_files';
import { checksumOf, shareFacts, type RankFacts } from './rank_facts';
import { RunLock } from './run_lock';
import { changedSettings, fixedSettings, otherSettings, type Settings } from './settings';
import { expectSameSettings, shareRun } from './shared_state';
import { loadRun, readRunState, type Learned, type RunState } from './state';
import { Trainer, type EpochEnd, type TrainerEvents, type TrainerState } from './trainer';

export { runFiles } from './run_files';

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

function makeOptimizer(model: Backbone, { optimizer, schedule }: RunOptions): Optimizer {
  const { method, momentum, nesterov, weightDecay, decayAll, layerDecay } = optimizer;
  const parameters = model.parameters();
  const plain = decayAll ? [{ params: parameters, weightDecay }] : parameterGroups(parameters, weightDecay);
  const layered = { lr: schedule.baseLr, decay: layerDecay, weightDecay, decayAll };
  const groups = layerDecay < 1 ? layerGroups(model, layered) : plain;
  if (method === 'adamw') return new AdamW(groups, { lr: schedule.baseLr });
  return new SGD(groups, { lr: schedule.baseLr, momentum, nesterov: nesterov && momentum > 0 });
}

/** Weight of each class: clips per class over its own clips, so that the mean over all clips is 1; 0 for a class without clips. */
export function weightsOf(dataset: Dataset): Float32Array {
  const counts = new Float64Array(dataset.classNames.length);
  for (let i = 0; i < dataset.length; i++) counts[dataset.label(i)]!++;
  const present = counts.filter((count) => count > 0).length;
  return Float32Array.from(counts, (count) => (count > 0 ? dataset.length / (present * count) : 0));
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
  /** Settings that a resumed run changes: each `name new (was old)`. */
  readonly changes: string[] = [];
  readonly trainer: Trainer;
  readonly files;
  /** Limit of the cache of decoded frames, in bytes; 0 without cache. */
  readonly cacheMemory: number;
  readonly loaders: { train: Loader; val: Loader | null };
  private readonly average: MovingAverage | null;
  private readonly optimizer: Optimizer;
  private readonly pool: DecodePool;
  private readonly checkpoints: Checkpoints;
  private lock: RunLock | null = null;
  /** Whether this run resumes an earlier one; other ranks learn it in `connect`. */
  private continues = false;
  private rankFacts: readonly RankFacts[] = [];

  /**
   * Exchanges nothing with other ranks: those that are not the main one have no initial state before `connect`.
   * @throws if the options are inconsistent, the data cannot be opened, or another process trains into the folder
   */
  constructor(
    readonly options: RunOptions,
    private readonly events: TrainerEvents,
    readonly ranks: Ranks = ALONE,
  ) {
    this.checkpoints = new Checkpoints(options.out, options.keepEvery);
    this.files = this.checkpoints.files;
    const { isMain } = ranks;
    this.continues = isMain && this.goesOn();
    const accumulate = checkBatches(options);
    const slices = slicesOf(accumulate, ranks); // before any data is read
    if (options.syncNorm) checkSyncNorm(slices, ranks);
    const weights = this.continues || !options.init || !isMain ? null : this.readStart(options.init.file);
    const { local } = neighbours(ranks.seats, ranks.rank);
    this.cacheMemory = options.cacheMemory ?? Math.floor(defaultCacheMemory() / local);
    this.pool = new DecodePool(Math.max(1, Math.floor(options.workers / local)), this.cacheMemory);
    const train = this.dataset(options.train, true);
    this.loaders = this.makeLoaders(train, accumulate);
    manualSeed(options.seed);
    seedInit(options.seed);
    const config: MorphMlpConfig = { ...options.architecture, numClasses: options.classes ?? train.classNames.length };
    this.plan = this.planFor(config);
    const model = buildNetwork(config);
    model.recompute = this.plan?.recompute ?? defaultRecompute(config, options.precision, getDefaultDevice());
    model.precision = options.precision;
    this.info = { model: model.config, classNames: [...train.classNames], input: runInput(options) };
    this.optimizer = makeOptimizer(model, options);
    this.average = options.emaDecay > 0 ? new MovingAverage(model.namedParameters(), options.emaDecay) : null;
    this.trainer = this.makeTrainer(model, accumulate, events);
    if (isMain) this.started = this.begin(weights);
  }

  /** Takes the folder and reads the initial state. */
  private begin(weights: Weights | null): Initialised | null {
    const { out } = this.options;
    try {
      makeFolder(out);
      this.lock = RunLock.take(out);
      clearTemporaries(out);
      if (this.continues) this.resume();
      return weights && this.startFrom(weights);
    } catch (error) {
      this.dispose(); // frees all tensors if the run cannot begin
      throw error;
    }
  }

  /** Gives all ranks the state of the main one. @throws on all of them if their data differ */
  connect(): void {
    const { ranks, trainer } = this;
    if (ranks.size === 1) return;
    expectSameSettings(this.settings.settings, ranks);
    this.continues = ranks.broadcastJson(this.continues);
    trainer.state = shareRun(this.learned, trainer.state, ranks);
  }

  /** Whether this run resumes an earlier one. */
  get resumed(): boolean {
    return this.continues;
  }

  /** Number of blocks, from the first, that a step recomputes. */
  get recomputed(): number {
    return this.trainer.options.model.recompute;
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
    const alone = sets.flatMap((set) => (set instanceof PairDataset ? set.list.alone : []));
    return [
      ...alone.map(({ reason }) => reason),
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

  /** Share of the last epoch that each rank waited for others; empty for a process on its own. */
  get waits(): number[] {
    return this.rankFacts.map(({ waited }) => waited);
  }

  /** Files of which a part is missing, so far, of training and validation; those of other ranks as of the last epoch. */
  get damaged(): Skipped[] {
    return [...this.ownDamaged, ...this.otherFacts.flatMap(({ damaged }) => damaged)];
  }

  /** Unreadable files so far, of training and validation; those of other ranks as of the last epoch. */
  get skipped(): Skipped[] {
    return [...this.ownSkipped, ...this.otherFacts.flatMap(({ skipped }) => skipped)];
  }

  private get otherFacts(): RankFacts[] {
    return this.rankFacts.filter((_, rank) => rank !== this.ranks.rank);
  }

  private get ownDamaged(): Skipped[] {
    const sets = [this.loaders.train, this.loaders.val].map((loader) => loader?.dataset.warnings ?? []);
    return sets.flatMap((warnings) => [...warnings].map(([name, reason]) => ({ name, reason })));
  }

  private get ownSkipped(): Skipped[] {
    return [this.loaders.train, this.loaders.val].flatMap((l) => (l ? [...l.skipped.values()] : []));
  }

  /**
   * Trains. Writes `last` after every epoch, every few minutes and when stopped; `best` after the best epoch so far; and a
   * separate checkpoint every `keepEvery` epochs; of several ranks the main one does. Replaces the checkpoints of an earlier run in the folder, unless it resumes it.
   * @param saved called after every save of a whole epoch
   */
  async train(saved?: () => Promise<void>): Promise<void> {
    try {
      const { isMain } = this.ranks;
      if (!this.resumed && isMain) removeRun(this.options.out);
      await this.trainer.run(async (end) => {
        if (isMain) this.keep(end);
        if (end) await saved?.();
      });
      if (!this.trainer.finished && isMain) this.keep(null);
    } finally {
      this.trainer.dispose();
      await this.close();
    }
  }

  /**
   * The validation of the best epoch, whose weights are in `best`. If it was before a resume, this process validates `best` again.
   * Null without a validation.
   */
  async evaluateBest(): Promise<Evaluation | null> {
    const { bestEvaluation, bestEpoch } = this.trainer;
    if (bestEvaluation || bestEpoch === null || !this.options.val) return bestEvaluation;
    const pool = new DecodePool(this.options.workers);
    const best = loadNetwork(this.files.best);
    try {
      best.network.precision = this.options.precision;
      return await evaluate(best.network, this.valLoader(this.options.val, this.info.classNames, pool, ALONE));
    } finally {
      best.network.dispose();
      await pool.close();
    }
  }

  /** Ends the decoding threads and unlocks the folder. Only needed if `train` was not called. */
  close(): Promise<void> {
    this.lock?.release();
    return this.pool.close();
  }

  /** Frees weights, moments and averages, and unlocks the folder. */
  dispose(): void {
    this.trainer.dispose();
    this.optimizer.zeroGrad();
    this.trainer.options.model.dispose();
    this.optimizer.dispose();
    this.average?.dispose();
    this.lock?.release();
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
  private dataset(spec: DataSpec, train: boolean, known?: readonly string[], pool = this.pool): Dataset {
    const { clips, classes, seed, testCrop } = this.options;
    const crop = train ? clips.crop : testCrop;
    const knownFrom = known && this.options.train.path;
    const opening = { clips: { ...clips, crop, train }, known, knownFrom, classes: classes ?? undefined, seed };
    return openDataset(spec, opening, pool);
  }

  private makeLoaders(train: Dataset, group: number): { train: Loader; val: Loader | null } {
    const { seed, microBatch, normalisation, mix, val } = this.options;
    const balanced = this.options.balance === 'sampling';
    const loading = { batchSize: microBatch, seed, normalisation };
    const mixing = mix ? { mix } : {};
    const { total: of, first, count } = slicesOf(group, this.ranks);
    const part = this.ranks.size > 1 ? { part: { of, first, count } } : {};
    return {
      train: new Loader(train, { ...loading, ...mixing, ...part, balanced, group, shuffle: true, dropLast: true }),
      val: val && this.valLoader(val, train.classNames, this.pool, this.ranks),
    };
  }

  /** Validation of which each rank reads every `ranks.size`-th batch. */
  private valLoader(val: DataSpec, classNames: readonly string[], pool: DecodePool, ranks: Ranks): Loader {
    const { seed, microBatch, normalisation } = this.options;
    const dataset = this.dataset(val, false, classNames, pool);
    const batchSize = val.kind === 'pairs' ? 1 : microBatch; // whole pictures differ in size
    const part = ranks.size > 1 ? { part: { of: ranks.size, first: ranks.rank, count: 1 } } : {};
    return new Loader(dataset, { batchSize, seed, normalisation, shuffle: false, ...part });
  }

  private planFor(config: MorphMlpConfig): MemoryPlan | null {
    const { memoryBudget, batchSize, microBatch, clips, precision } = this.options;
    const slices = slicesOf(batchSize / microBatch, this.ranks);
    const size = { batch: microBatch * (clips.samples ?? 1), crop: clips.crop, precision, slices };
    return memoryBudget === null ? null : planMemory(config, size, memoryBudget);
  }

  private makeTrainer(model: Backbone, accumulate: number, events: TrainerEvents): Trainer {
    const { labelSmoothing, clipNorm, cudaGraph, fastReduction, syncNorm, schedule } = this.options;
    const { evalEvery, saveMinutes, microBatch, clips, freezeEpochs, patience } = this.options;
    const classWeights = this.options.balance === 'weights' ? weightsOf(this.loaders.train.dataset) : null;
    const tuning = { freezeEpochs, patience, classWeights };
    const steps = { labelSmoothing, clipNorm, cudaGraph, evalEvery, schedule, accumulate, ...tuning };
    const saving = { saveEvery: saveMinutes * 60_000, clipsPerBatch: microBatch * (clips.samples ?? 1) };
    const { ranks } = this;
    const parts = {
      model,
      optimizer: this.optimizer,
      average: this.average,
      ...this.loaders,
      ranks,
      fastReduction,
      syncNorm,
    };
    return new Trainer({ ...parts, ...steps, ...saving }, ranks.size === 1 ? events : this.sharing(events));
  }

  /** Events of a trainer among several ranks: at the end of an epoch they compare their weights and share what they found. */
  private sharing(events: TrainerEvents): TrainerEvents {
    let before = 0;
    return {
      step: (event) => events.step?.(event),
      validating: (done, total) => events.validating?.(done, total),
      warning: (text) => events.warning?.(text),
      epoch: (record, evaluation) => {
        const { shares, options } = this.trainer;
        const [waited, files] = [shares.ranks - before, { skipped: this.ownSkipped, damaged: this.ownDamaged }];
        before = shares.ranks;
        const own = {
          ...files,
          waited: waited / Math.max(1, 1000 * record.seconds),
          checksum: checksumOf(options.model),
        };
        this.rankFacts = shareFacts(own, record.epoch, this.ranks);
        events.epoch?.(record, evaluation);
      },
    };
  }

  private get learned(): Learned {
    return { model: this.trainer.options.model, optimizer: this.optimizer, average: this.average };
  }

  private get settings(): { settings: Settings; otherSettings: Settings } {
    const { train, val } = this.loaders;
    return {
      settings: fixedSettings(this.options, train.dataset),
      otherSettings: otherSettings(this.options, val?.dataset ?? null),
    };
  }

  private keep(end: EpochEnd | null): void {
    this.checkpoints.keep(end, this.learned, this.info, this.runState());
  }

  private runState(): RunState {
    return { ...this.trainer.state, ...this.settings } as unknown as RunState;
  }

  /** Reads weights and checks their sizes before any data is read. */
  private readStart(file: string): Weights {
    const { architecture } = this.options;
    return naming(file, () => {
      const weights = readWeights(file, { segmentDim: architecture.segmentDim });
      expectSizes(weights.info.model, architecture);
      const other = otherNormalisation(weights.info.input.normalisation, this.options.normalisation);
      for (const note of [weights.notes.includes(UNCHECKED) ? UNCHECKED : null, other])
        if (note !== null) this.events.warning?.(`${file}: ${note}`);
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
    const { settings, otherSettings: others, ...state } = readRunState(last);
    this.compare((settings ?? {}) as Settings, (others ?? null) as Settings | null);
    if (isUnchecked(last)) this.events.warning?.(`${last}: ${UNCHECKED}`);
    loadRun(last, this.learned);
    this.trainer.state = state as unknown as TrainerState;
    const lost = this.checkpoints.repair(
      this.learned,
      this.info,
      this.trainer,
      this.runState(),
      this.changes.length === 0,
    );
    if (lost !== null) this.events.warning?.(lost);
  }

  /** Throws if settings of the saved run differ that must not, or that `acceptChanges` does not accept. */
  private compare(settings: Settings, others: Settings | null): void {
    const { last } = this.files;
    const now = this.settings;
    for (const [name, value] of Object.entries(settings))
      if (now.settings[name] !== value)
        throw new Error(
          `${last}: the run was started with ${name} ${value}, now it is ${now.settings[name]}; start anew in another folder`,
        );
    if (others === null) return; // a checkpoint of an earlier version
    this.changes.push(...changedSettings(others, now.otherSettings));
    if (this.changes.length > 0 && !this.options.acceptChanges)
      throw new Error(
        `${last}: settings differ from those of the run: ${this.changes.join(', ')}; ` +
          'give them as before, or go on with the new ones by --accept-changes',
      );
  }
}
