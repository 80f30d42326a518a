import { backward, setAnomalyDetection } from '../autograd';
import type { Loader } from '../data/loader';
import type { Batch } from '../data/types';
import type { MorphMLP } from '../models/morphmlp';
import { crossEntropy } from '../ops/cross_entropy';
import { clipGradNorm, gradNorm, learningRate, type CosineSchedule, type Optimizer } from '../optim';
import { scope } from '../scope';
import { tensor } from '../tensor';
import { evaluate, type Evaluation } from './evaluate';
import { addBatch, averages, emptyMetrics, type Metrics } from './metrics';

/** One finished epoch. Accuracies are shares in [0, 1]; `seconds` is the training part alone. */
export interface EpochRecord {
  epoch: number;
  learningRate: number;
  trainLoss: number;
  trainTop1: number;
  valLoss: number | null;
  valTop1: number | null;
  valTop5: number | null;
  seconds: number;
}

/** Milliseconds spent on the parts of all steps so far. */
export interface Shares {
  data: number;
  forward: number;
  backward: number;
  optimizer: number;
}

/** What a trainer needs, and the switches of its steps. */
export interface TrainerOptions {
  model: MorphMLP;
  optimizer: Optimizer;
  schedule: CosineSchedule;
  train: Loader;
  val: Loader | null;
  labelSmoothing: number;
  /** 0: no clipping. */
  clipNorm: number;
  /** Epochs between validations; the last is always validated. */
  evalEvery: number;
}

/** A step that was taken: `loss` is the batch's own, `running` the epoch's so far. Counts: epoch from 0, batch from 1. */
export interface StepEvent {
  epoch: number;
  batch: number;
  learningRate: number;
  loss: number;
  running: { loss: number; top1: number };
}

/** What happens while a trainer runs. */
export interface TrainerEvents {
  step?(event: StepEvent): void;
  validating?(done: number, total: number): void;
  epoch?(record: EpochRecord, evaluation: Evaluation | null): void;
  warning?(text: string): void;
}

/** Where a trainer stands: plain JSON, kept in checkpoints. */
export interface TrainerState {
  epoch: number;
  batch: number;
  sums: Metrics;
  best: number;
  history: EpochRecord[];
}

/** Trains a model: steps, validation and the bookkeeping that makes a resumed run equal to an uninterrupted one. */
export class Trainer {
  state: TrainerState = { epoch: 0, batch: 0, sums: emptyMetrics(), best: -1, history: [] };
  readonly shares: Shares = { data: 0, forward: 0, backward: 0, optimizer: 0 };
  lastEvaluation: Evaluation | null = null;
  private stopping = false;
  private checked = false;

  constructor(
    readonly options: TrainerOptions,
    private readonly events: TrainerEvents = {},
  ) {}

  /** Ends the run after the step that is under way. */
  stop(): void {
    this.stopping = true;
  }

  /** Whether every epoch is done. */
  get finished(): boolean {
    return this.state.epoch >= this.options.schedule.maxEpoch;
  }

  /**
   * Runs to the last epoch, or until `stop`. After each epoch `onEpoch` is awaited (checkpoints), with whether the epoch was the
   * best so far.
   */
  async run(onEpoch: (best: boolean) => void): Promise<void> {
    while (!this.finished && !this.stopping) {
      const since = performance.now();
      await this.trainEpoch();
      if (this.stopping && this.state.batch < this.options.train.batches) return;
      onEpoch(await this.endEpoch((performance.now() - since) / 1000));
    }
  }

  private async trainEpoch(): Promise<void> {
    const { state, options, shares } = this;
    options.model.train();
    const waited = options.train.waited;
    for await (const { index, batch } of options.train.epoch(state.epoch, state.batch)) {
      const taken = this.trainStep(batch, state.epoch + index / options.train.batches);
      state.batch = index + 1;
      this.events.step?.({ epoch: state.epoch, batch: state.batch, running: averages(state.sums), ...taken });
      await new Promise<void>((resolve) => setImmediate(resolve)); // lets signals and readers have their turn
      if (this.stopping) break;
    }
    shares.data += options.train.waited - waited;
    if (!this.stopping) state.batch = options.train.batches;
  }

  private trainStep(batch: Batch, epoch: number): { learningRate: number; loss: number } {
    const { model, optimizer, schedule, clipNorm } = this.options;
    const rate = learningRate(schedule, epoch);
    optimizer.setLr(rate);
    const loss = this.gradients(batch);
    const since = performance.now();
    this.checkGradients(batch);
    if (clipNorm > 0) clipGradNorm(model.parameters(), clipNorm);
    optimizer.step();
    optimizer.zeroGrad();
    this.shares.optimizer += performance.now() - since;
    return { learningRate: rate, loss };
  }

  /** Forward and backward of a batch; returns its loss. */
  private gradients(batch: Batch): number {
    const { model, labelSmoothing } = this.options;
    return scope(() => {
      const start = performance.now();
      const logits = model.forward(tensor(batch.x, batch.shape));
      const loss = crossEntropy(logits, tensor(batch.labels), { labelSmoothing });
      const value = loss.item();
      addBatch(this.state.sums, value, logits.floats(), batch.labels);
      const middle = performance.now();
      backward(loss);
      this.shares.forward += middle - start;
      this.shares.backward += performance.now() - middle;
      return value;
    });
  }

  /** Names parameters without gradient after the first step, and stops at the first NaN with the op that made it. */
  private checkGradients(batch: Batch): void {
    const { model, optimizer } = this.options;
    if (!this.checked) {
      const missing = optimizer.missingGradients();
      if (missing.length > 0) this.events.warning?.(`no gradient reaches ${missing.join(', ')}`);
      this.checked = true;
    }
    if (Number.isFinite(this.state.sums.loss) && Number.isFinite(gradNorm(model.parameters()))) return;
    setAnomalyDetection(true);
    try {
      this.gradients(batch);
    } finally {
      setAnomalyDetection(false);
    }
    throw new Error(
      `epoch ${this.state.epoch + 1}, batch ${this.state.batch + 1}: the loss or a gradient is NaN or infinite`,
    );
  }

  private async endEpoch(seconds: number): Promise<boolean> {
    const { state, options } = this;
    const last = state.epoch + 1 === options.schedule.maxEpoch;
    const due = options.val !== null && (last || (state.epoch + 1) % options.evalEvery === 0);
    const evaluation = due ? await this.validate() : null;
    const train = averages(state.sums);
    const record: EpochRecord = {
      epoch: state.epoch + 1,
      learningRate: learningRate(options.schedule, state.epoch + 1),
      trainLoss: train.loss,
      trainTop1: train.top1,
      valLoss: evaluation?.loss ?? null,
      valTop1: evaluation?.top1 ?? null,
      valTop5: evaluation?.top5 ?? null,
      seconds,
    };
    const measure = evaluation?.top1 ?? (options.val ? -1 : train.top1);
    const best = measure > state.best;
    Object.assign(state, {
      epoch: state.epoch + 1,
      batch: 0,
      sums: emptyMetrics(),
      best: Math.max(state.best, measure),
    });
    state.history.push(record);
    this.events.epoch?.(record, evaluation);
    return best;
  }

  private async validate(): Promise<Evaluation> {
    const val = this.options.val as Loader;
    this.lastEvaluation = await evaluate(this.options.model, val, (done) =>
      this.events.validating?.(done, val.batches),
    );
    return this.lastEvaluation;
  }
}
