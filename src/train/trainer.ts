import { setAnomalyDetection } from '../core/autograd';
import type { Loader } from '../data/loader';
import type { Batch } from '../data/types';
import type { Backbone } from '../models/morphmlp';
import { labelTargets, weighTargets } from '../ops/cross_entropy';
import { clipFactor, learningRate, type CosineSchedule, type MovingAverage, type Optimizer } from '../optim';
import { evaluate, type Evaluation } from './evaluate';
import { slicesOf, type Slices } from '../distributed/gradient_sum';
import { ALONE, SharedError, type Ranks } from '../distributed/ranks';
import { checkSyncNorm } from '../distributed/sync_norm';
import { addBatch, addMasks, addMetrics, averages, bestClass, emptyMetrics, type Metrics } from './metrics';
import { RecordedSteps } from './graph_steps';
import { NO_STATISTICS, SliceRows } from './slice_rows';
import { LaunchedSteps, type StepInputs, type StepRunner } from './step';

/**
 * One finished epoch. Accuracies are shares in [0, 1]; `seconds` is the training part alone. Of a segmentation, `trainTop1` and
 * `valTop5` are the share of right pixels, and `valTop1` is the mean IoU.
 */
export interface EpochRecord {
  epoch: number;
  learningRate: number;
  trainLoss: number;
  trainTop1: number;
  valLoss: number | null;
  valTop1: number | null;
  valTop5: number | null;
  seconds: number;
  /** Clips that the validation could not read; absent if it saw all. */
  valMissed?: number;
  /** Marks an epoch whose validation loss was NaN or infinite: its measures are null, and it is never the best. */
  nonFinite?: true;
}

/** Milliseconds spent on the parts of all steps so far. For replayed steps, `forward` is the whole batch. */
export interface Shares {
  data: number;
  forward: number;
  backward: number;
  optimizer: number;
  /** Waiting for other ranks, and for what is exchanged with them. */
  ranks: number;
}

/** Options of a trainer. */
export interface TrainerOptions {
  model: Backbone;
  optimizer: Optimizer;
  schedule: CosineSchedule;
  train: Loader;
  val: Loader | null;
  labelSmoothing: number;
  /** Batches per step, whose gradients are summed. Default 1. */
  accumulate?: number;
  /** Clips of a full batch, needed for sums: in them, a partial batch has a proportionally smaller weight. */
  clipsPerBatch?: number;
  /** Moving average of the weights, which is validated and saved in their place. */
  average?: MovingAverage | null;
  /** Milliseconds between saves within an epoch; Infinity for none. Default Infinity. */
  saveEvery?: number;
  /** 0: no clipping. */
  clipNorm: number;
  /** First epochs in which only the head learns. Default 0. */
  freezeEpochs?: number;
  /** Weight of each class in the loss; absent: all 1. */
  classWeights?: Float32Array | null;
  /** Epochs without a better one after which the run ends; 0: it never ends early. Default 0. */
  patience?: number;
  /** Whether full batches (of `clipsPerBatch`) are replayed as CUDA graphs. Default false. */
  cudaGraph?: boolean;
  /** Epochs between validations; the last is always validated. */
  evalEvery: number;
  /** Processes that compute the slices of a step together. Default this one alone. */
  ranks?: Ranks;
  /** Sum gradients over ranks by plain all-reduce, whose bits depend on their number. Default false. */
  fastReduction?: boolean;
  /** Compute the batch statistics of norms over the slices of all ranks, of which each has one. Default false. */
  syncNorm?: boolean;
}

/** A completed step: `loss` of its batch, `running` averages of the epoch. Counts: epoch from 0, batch from 1. */
export interface StepEvent {
  epoch: number;
  batch: number;
  learningRate: number;
  loss: number;
  running: { loss: number; top1: number };
}

/** A completed epoch: its number from 1, and whether it is the best so far. */
export interface EpochEnd {
  epoch: number;
  best: boolean;
  /** Reason why the run ends after this epoch. */
  failed?: string;
}

const measureOf = (record: EpochRecord, validated: boolean): number =>
  validated ? (record.valTop1 ?? -1) : record.trainTop1;

/**
 * The best epoch: the first with the highest accuracy, in validation if the run has one. An epoch counts only if no other validation
 * read more clips, because accuracies over different clips do not compare. Null without such an epoch after epoch `after`.
 */
export function bestRecord(history: readonly EpochRecord[], validated: boolean, after = 0): EpochRecord | null {
  const measured = history.filter(({ epoch, valTop1 }) => epoch > after && !(validated && valTop1 === null));
  const least = Math.min(...measured.map(({ valMissed = 0 }) => valMissed));
  return measured
    .filter(({ valMissed = 0 }) => valMissed === least)
    .reduce<EpochRecord | null>(
      (best, one) => (best === null || measureOf(one, validated) > measureOf(best, validated) ? one : best),
      null,
    );
}

/** Short text of a learning rate: 1e4, 6e-4, 0.02. */
function rateText(rate: number): string {
  return rate >= 1e-3 && rate < 1e4 ? String(rate) : rate.toExponential().replace('e+', 'e');
}

/** Callbacks of a trainer. */
export interface TrainerEvents {
  step?(event: StepEvent): void;
  validating?(done: number, total: number): void;
  epoch?(record: EpochRecord, evaluation: Evaluation | null): void;
  warning?(text: string): void;
}

/** Progress of a trainer: plain JSON, stored in checkpoints. */
export interface TrainerState {
  epoch: number;
  batch: number;
  sums: Metrics;
  /** Accuracy of the best epoch; -1 without one. */
  best: number;
  history: EpochRecord[];
  /** Seconds of training in the epoch in progress. Absent in old checkpoints. */
  seconds?: number;
  /** The best of the epochs up to this one was lost with its file: only later ones count. */
  bestAfter?: number;
}

/** Metrics of an epoch's validation; null without a validation or if its loss is not finite. */
const measures = (valid: Evaluation | null): Pick<EpochRecord, 'valLoss' | 'valTop1' | 'valTop5' | 'valMissed'> =>
  valid
    ? {
        ...{ valLoss: valid.loss, valTop1: valid.top1, valTop5: valid.top5 },
        ...(valid.missed > 0 ? { valMissed: valid.missed } : {}),
      }
    : { valLoss: null, valTop1: null, valTop5: null };

/** A step in progress: the number of the batch after its last, a row of figures for each slice of this rank, the latest batch. */
interface OpenStep {
  end: number;
  rows: SliceRows;
  batch: Batch | null;
}

/** Labels for the accuracy: for a mixed clip, the class with the larger share. */
function primaryLabels({ labels, targets }: Batch): Int32Array {
  if (!targets) return labels;
  return labels.map((_, row) => bestClass(targets, row, targets.length / labels.length));
}

/** Trains a model: steps, validation and the bookkeeping that makes a resumed run equal to an uninterrupted one. */
export class Trainer {
  state: TrainerState = { epoch: 0, batch: 0, sums: emptyMetrics(), best: -1, history: [] };
  readonly shares: Shares = { data: 0, forward: 0, backward: 0, optimizer: 0, ranks: 0 };
  /** Latest finite validation, and that of the best epoch; null if it was not in this process. */
  lastEvaluation: Evaluation | null = null;
  bestEvaluation: Evaluation | null = null;
  private readonly steps: StepRunner;
  private readonly ranks: Ranks;
  private readonly slices: Slices;
  /** Reason why the run ended early, or null. */
  failed: string | null = null;
  /** Whether this process was asked to stop, and whether all ranks stop after the current step. */
  private asked = false;
  private stopping = false;
  private checked = false;

  constructor(
    readonly options: TrainerOptions,
    private readonly events: TrainerEvents = {},
  ) {
    this.ranks = options.ranks ?? ALONE;
    this.slices = slicesOf(options.accumulate ?? 1, this.ranks);
    this.steps = this.makeSteps();
  }

  private savedAt = performance.now();
  /** When this process began the epoch in progress, less its seconds before a resume. */
  private epochFrom = 0;

  private makeSteps(): StepRunner {
    const { cudaGraph = false, clipsPerBatch, clipNorm, accumulate = 1 } = this.options;
    const { fastReduction: fast = false, syncNorm = false } = this.options;
    if ((cudaGraph || accumulate > 1) && clipsPerBatch === undefined)
      throw new Error('clipsPerBatch is missing: it says what a full batch is');
    if (cudaGraph) return new RecordedSteps(this.options, clipsPerBatch!, clipNorm > 0, accumulate);
    const { slices, ranks } = this;
    if (syncNorm) checkSyncNorm(slices, ranks);
    const clips = clipsPerBatch ?? 1;
    return new LaunchedSteps(this.options, { slices, ranks, clips, fast, syncNorm });
  }

  /** Ends the run after the current step; among several ranks after the next, when all of them have heard of it. */
  stop(): void {
    this.asked = true;
    if (this.ranks.size === 1) this.stopping = true;
  }

  /** Whether every epoch is done, or none was better for `patience` epochs. */
  get finished(): boolean {
    return this.state.epoch >= this.options.schedule.maxEpoch || this.stalled;
  }

  /** Whether none of the last `patience` epochs was better than those before them. */
  get stalled(): boolean {
    const { patience = 0 } = this.options;
    const { epoch } = this.state;
    return patience > 0 && this.bestEpoch !== null && epoch - this.bestEpoch >= patience;
  }

  /** The best epoch so far; null if there is none. */
  get bestEpoch(): number | null {
    const { history, bestAfter } = this.state;
    return bestRecord(history, this.options.val !== null, bestAfter)?.epoch ?? null;
  }

  /**
   * Runs to the last epoch, or until `stop`. Calls `save` after each epoch with its `EpochEnd`, and within an epoch whenever
   * `saveEvery` has passed. @throws after the save if the validation loss is NaN or infinite
   */
  async run(save: (end: EpochEnd | null) => unknown): Promise<void> {
    while (!this.finished && !this.stopping) {
      this.epochFrom = performance.now() - 1000 * (this.state.seconds ?? 0);
      await this.trainEpoch(() => save(null));
      this.countSeconds();
      if (this.stopping && this.state.batch < this.options.train.batches) return;
      const end = await this.endEpoch();
      await save(end);
      if (end.failed !== undefined) throw this.failure((this.failed = end.failed));
      this.savedAt = performance.now();
    }
  }

  /** Frees the memory of steps other than weights, moments and averages. */
  dispose(): void {
    this.steps.dispose();
  }

  private countSeconds(): void {
    this.state.seconds = (performance.now() - this.epochFrom) / 1000;
  }

  private async trainEpoch(save: () => unknown): Promise<void> {
    const { state, options, shares, ranks } = this;
    const { accumulate = 1, train } = options;
    options.model.train();
    if (options.freezeEpochs) options.model.freezeBackbone(state.epoch < options.freezeEpochs);
    const [waitedData, waitedRanks] = [train.waited, ranks.waited];
    const last = this.slices.first + this.slices.count - 1;
    let open = this.openStep(state.batch + accumulate);
    /** Takes the steps up to one that ends at `end`, each with the batches it has; false if the run stops. */
    const takeUntil = async (end: number): Promise<boolean> => {
      for (; open.end < end && !this.stopping; open = this.openStep(open.end + accumulate))
        await this.closeStep(open, save);
      return !this.stopping;
    };
    for await (const { index, batch } of train.epoch(state.epoch, state.batch)) {
      const slice = index % accumulate;
      if (!(await takeUntil(index - slice + accumulate))) break;
      open.batch = batch;
      this.gradients(batch, slice, open.rows);
      if (slice === last && !(await takeUntil(open.end + accumulate))) break;
    }
    if (!this.stopping) await takeUntil(train.batches + accumulate);
    shares.data += train.waited - waitedData;
    shares.ranks += ranks.waited - waitedRanks;
    if (this.stopping) return;
    if (ranks.size > 1 && state.sums.clips === 0) ranks.throwShared(train.nothingRead());
    state.batch = train.batches;
  }

  private openStep(end: number): OpenStep {
    return { end, rows: new SliceRows(this.slices, this.steps.statistics?.length ?? 0), batch: null };
  }

  private async closeStep(open: OpenStep, save: () => unknown): Promise<void> {
    if (!this.takeStep(open)) return;
    await new Promise<void>((resolve) => setImmediate(resolve)); // lets signal handlers and readers run
    if (!this.stopping) await this.saveInTime(save);
  }

  private async saveInTime(save: () => unknown): Promise<void> {
    if (performance.now() - this.savedAt < (this.options.saveEvery ?? Infinity)) return;
    this.countSeconds();
    await save();
    this.savedAt = performance.now();
  }

  /** Takes the optimizer's step on the gradients of one group of batches; false if none of them could be read. */
  private takeStep({ end, rows, batch }: OpenStep): boolean {
    const { state, ranks } = this;
    const { optimizer, schedule, clipNorm, accumulate = 1, train } = this.options;
    if (ranks.size === 1 && batch === null) return false;
    const since = performance.now();
    const waited = ranks.waited;
    this.steps.finish();
    const { slices, stop } = rows.exchange(ranks, this.asked);
    this.stopping ||= stop;
    if (slices.length === 0) return false;
    for (const { metrics, statistics } of slices) {
      addMetrics(state.sums, metrics);
      this.steps.statistics?.apply(statistics);
    }
    const rate = learningRate(schedule, state.epoch + (end - accumulate) / train.batches);
    optimizer.setLr(rate);
    const norm = this.checkedNorm(batch);
    this.steps.update(clipNorm > 0 ? clipFactor(norm, clipNorm) : 1);
    this.shares.optimizer += performance.now() - since - (ranks.waited - waited);
    state.batch = end;
    const loss = slices.reduce((sum, { loss }) => sum + loss, 0) / slices.length;
    const running = averages(state.sums);
    this.events.step?.({ epoch: state.epoch, batch: end, learningRate: rate, loss, running });
    return true;
  }

  private inputsOf(batch: Batch): StepInputs {
    const { labels, targets, masks } = batch;
    const { model, labelSmoothing, accumulate = 1, clipsPerBatch = labels.length, classWeights } = this.options;
    const weight = accumulate === 1 ? 1 : labels.length / (clipsPerBatch * accumulate);
    if (masks) return { clips: batch, targets: masks, weight };
    const plain = targets ?? labelTargets(labels, model.config.numClasses, labelSmoothing);
    return { clips: batch, targets: classWeights ? weighTargets(plain, classWeights) : plain, weight };
  }

  /** Runs forward and backward of a slice, whose gradients go to those of its step and whose figures to a row. */
  private gradients(batch: Batch, slice: number, rows: SliceRows): void {
    const start = performance.now();
    const { loss, scores, forwardMs, statistics } = this.steps.gradients(this.inputsOf(batch), slice);
    const metrics = emptyMetrics();
    if (batch.masks) addMasks(metrics, loss, scores as Uint8Array, batch.masks, batch.labels.length);
    else addBatch(metrics, loss, scores as Float32Array, primaryLabels(batch));
    rows.set(slice, { loss, metrics, statistics: statistics ?? NO_STATISTICS });
    const all = performance.now() - start;
    this.shares.forward += forwardMs ?? all;
    this.shares.backward += forwardMs === null ? 0 : all - forwardMs;
  }

  /** Takes a step on batches at a learning rate, without events and records. Returns the loss before it, NaN if it is not finite. */
  stepAt(batches: readonly Batch[], rate: number): number {
    const { optimizer, clipNorm, model } = this.options;
    model.train();
    optimizer.setLr(rate);
    const losses = batches.map((batch, slice) => this.steps.gradients(this.inputsOf(batch), slice).loss);
    this.steps.finish();
    const loss = losses.reduce((sum, x) => sum + x, 0) / losses.length;
    const norm = this.steps.norm();
    if (Number.isFinite(norm)) this.steps.update(clipNorm > 0 ? clipFactor(norm, clipNorm) : 1);
    return Number.isFinite(norm) ? loss : NaN;
  }

  /** Takes a step on one batch without loader, events and records, for benchmarks. It changes the weights. */
  repeat(batch: Batch): void {
    const { accumulate = 1, clipNorm } = this.options;
    const inputs = this.inputsOf(batch);
    for (let i = 0; i < accumulate; i++) this.steps.gradients(inputs, i);
    this.steps.finish();
    const norm = this.steps.norm();
    this.steps.update(clipNorm > 0 ? clipFactor(norm, clipNorm) : 1);
  }

  /**
   * Returns the gradient norm. Reports parameters without gradient after the first step, and throws at the first NaN, before it reaches the
   * weights, with the op and the layer that produced it.
   */
  private checkedNorm(batch: Batch | null): number {
    const { optimizer } = this.options;
    if (!this.checked) {
      const missing = optimizer.missingGradients();
      if (missing.length > 0) this.events.warning?.(`no gradient reaches ${missing.join(', ')}`);
      this.checked = true;
    }
    const norm = Number.isFinite(this.state.sums.loss) ? this.steps.norm() : NaN;
    if (Number.isFinite(norm)) return norm;
    const found = batch ? this.findNonFinite(batch) : null;
    const { epoch, batch: done } = this.state;
    const general = `epoch ${epoch + 1}, batch ${done + 1}: the loss or a gradient is NaN or infinite`;
    const [first] = this.ranks.gatherJson(found).filter((text) => text !== null);
    throw this.failure(first ?? general);
  }

  /** Names the op and the layer that produced the first NaN of a batch; null if the batch has no NaN. */
  private findNonFinite(batch: Batch): string | null {
    setAnomalyDetection(true, this.options.model.namedParameters());
    try {
      this.steps.again(this.inputsOf(batch));
      return null;
    } catch (error) {
      return (error as Error).message;
    } finally {
      setAnomalyDetection(false);
    }
  }

  private async endEpoch(): Promise<EpochEnd> {
    const { state, options } = this;
    const last = state.epoch + 1 === options.schedule.maxEpoch;
    const due = options.val !== null && (last || (state.epoch + 1) % options.evalEvery === 0);
    const evaluation = due ? await this.validate() : null;
    const valid = evaluation && Number.isFinite(evaluation.loss) ? evaluation : null;
    this.lastEvaluation = valid ?? this.lastEvaluation;
    const train = averages(state.sums);
    const record: EpochRecord = {
      epoch: state.epoch + 1,
      learningRate: learningRate(options.schedule, state.epoch + 1),
      trainLoss: train.loss,
      trainTop1: train.top1,
      ...measures(valid),
      seconds: state.seconds ?? 0,
      ...(valid === evaluation ? {} : { nonFinite: true as const }),
    };
    state.history.push(record);
    const best = bestRecord(state.history, options.val !== null, state.bestAfter);
    Object.assign(state, { epoch: state.epoch + 1, batch: 0, sums: emptyMetrics(), seconds: 0 });
    state.best = best ? measureOf(best, options.val !== null) : -1;
    if (best === record) this.bestEvaluation = valid;
    this.events.epoch?.(record, valid);
    return { epoch: state.epoch, best: best === record, ...(record.nonFinite ? { failed: this.notFinite() } : {}) };
  }

  private failure(text: string): Error {
    return this.ranks.size === 1 ? new Error(text) : new SharedError(text);
  }

  private notFinite(): string {
    const rate = rateText(this.options.schedule.baseLr);
    return (
      `epoch ${this.state.epoch}: the validation loss is NaN or infinite (learning rate ${rate}): ` +
      'the weights have grown too large; start again with a lower --lr or a longer --warmup-epochs'
    );
  }

  private async validate(): Promise<Evaluation> {
    const { model, average } = this.options;
    const val = this.options.val as Loader;
    const progress = (done: number) => this.events.validating?.(done, val.batches);
    average?.swap();
    try {
      return await evaluate(model, val, progress, this.ranks);
    } finally {
      average?.swap();
    }
  }
}
