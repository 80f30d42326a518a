import { existsSync } from 'node:fs';
import path from 'node:path';
import { MetricLog, readMetrics, type MetricRecord } from '../../report/jsonl';
import { TensorBoardWriter } from '../../formats/tensorboard';
import type { SkippedFile, StepPoint, TimeShares } from '../../report/types';
import type { Run } from '../../train/run';
import type { EpochRecord, StepEvent } from '../../train/trainer';

/** A file that could not be read, or only in part. */
interface FoundFile extends SkippedFile {
  part: boolean;
}

/** Time spent on a run by the parts before a resume. */
interface Spent {
  startedAt: string;
  seconds: number;
  shares: TimeShares;
}

const NO_SHARES: TimeShares = { data: 0, forward: 0, backward: 0, optimizer: 0, ranks: 0 };

const added = (a: TimeShares, b: TimeShares): TimeShares => ({
  data: a.data + b.data,
  forward: a.forward + b.forward,
  backward: a.backward + b.backward,
  optimizer: a.optimizer + b.optimizer,
  ranks: (a.ranks ?? 0) + (b.ranks ?? 0), // absent in the logs of earlier versions
});

/** Records of the steps up to `step`. */
function earlierRecords(file: string, step: number): MetricRecord[] {
  return existsSync(file) ? readMetrics(file).records.filter((record) => record.step <= step) : [];
}

/**
 * Writes the metrics of a run: metrics.jsonl, TensorBoard's event file, and what the report shows. It covers the whole run: a
 * resumed run goes on with the records of the parts before.
 */
export class RunLog {
  readonly steps: StepPoint[] = [];
  readonly warnings: string[] = [];
  private readonly files = new Map<string, FoundFile>();
  private before: Spent = { startedAt: new Date().toISOString(), seconds: 0, shares: NO_SHARES };
  private readonly since = performance.now();
  private readonly metrics: MetricLog;
  private readonly board: TensorBoardWriter | null;
  /** Optimizer steps per epoch, and batches per step. */
  private readonly size: { epoch: number; step: number };

  constructor(private readonly run: Run) {
    const { out, batchSize, microBatch, tensorboard } = run.options;
    const step = batchSize / microBatch;
    this.size = { step, epoch: run.loaders.train.batches / step };
    const file = path.join(out, 'metrics.jsonl');
    if (run.resumed) earlierRecords(file, this.done).forEach((record) => this.recall(record));
    this.metrics = run.resumed ? MetricLog.resume(file, this.done) : MetricLog.create(file);
    this.board = tensorboard === null ? null : new TensorBoardWriter(tensorboard);
  }

  /** Start and duration of the run, and the time of the parts of its steps, with those before a resume. */
  get spent(): Spent {
    const { startedAt, seconds, shares } = this.before;
    const now = (performance.now() - this.since) / 1000;
    return { startedAt, seconds: seconds + now, shares: added(shares, this.run.trainer.shares) };
  }

  /** Files that could not be read, and files that were read in part. */
  get found(): { skipped: SkippedFile[]; damaged: SkippedFile[] } {
    const all = [...this.files.values()];
    const of = (part: boolean) => all.filter((f) => f.part === part).map(({ name, reason }) => ({ name, reason }));
    return { skipped: of(false), damaged: of(true) };
  }

  /** Records a step. */
  step({ epoch, batch, learningRate, loss, running }: StepEvent): void {
    const step = this.stepOf(epoch, batch);
    this.steps.push({ step, epoch: step / this.size.epoch, loss, learningRate });
    this.metrics.append({ kind: 'step', step, loss, learningRate });
    this.board?.scalar('train/loss', loss, step);
    this.board?.scalar('train/learning_rate', learningRate, step);
    this.board?.scalar('train/running_top1', running.top1, step);
  }

  /** Records an epoch. */
  epoch(record: EpochRecord): void {
    const step = record.epoch * this.size.epoch;
    this.metrics.append({ kind: 'epoch', step, ...record });
    this.time();
    this.waits(step);
    const { trainLoss, trainTop1, valLoss, valTop1, valTop5, seconds } = record;
    const values = { 'epoch/train_loss': trainLoss, 'epoch/train_top1': trainTop1, 'epoch/seconds': seconds };
    const validation = { 'epoch/val_loss': valLoss, 'epoch/val_top1': valTop1, 'epoch/val_top5': valTop5 };
    for (const [tag, value] of Object.entries({ ...values, ...validation }))
      if (value !== null) this.board?.scalar(tag, value, step);
  }

  /** Records the share of the epoch that each rank waited for others. */
  private waits(step: number): void {
    const { waits } = this.run;
    if (waits.length === 0) return;
    this.metrics.append({ kind: 'ranks', step, waited: waits });
    this.board?.scalar('ranks/waited_mean', waits.reduce((a, b) => a + b, 0) / waits.length, step);
    this.board?.scalar('ranks/waited_most', Math.max(...waits), step);
  }

  /** Records a warning. */
  warning(text: string): void {
    this.warnings.push(text);
    this.metrics.append({ kind: 'warning', step: this.done, text });
  }

  /** Records the unreadable and the damaged files that were found since the last call, and returns them. */
  newFiles(): FoundFile[] {
    const { skipped, damaged } = this.run;
    const all = [
      ...skipped.map((file) => ({ ...file, part: false })),
      ...damaged.map((file) => ({ ...file, part: true })),
    ];
    const fresh = all.filter(({ name }) => !this.files.has(name));
    for (const file of fresh) {
      this.files.set(file.name, file);
      this.metrics.append({ kind: 'file', step: this.done, ...file });
    }
    return fresh;
  }

  /** Flushes and closes the files. */
  close(): void {
    this.newFiles();
    this.time();
    this.metrics.close();
    this.board?.close();
  }

  /** Completed steps. */
  private get done(): number {
    const { epoch, batch } = this.run.trainer.state;
    return this.stepOf(epoch, batch);
  }

  private time(): void {
    this.metrics.append({ kind: 'time', step: this.done, ...this.spent });
  }

  /** Takes over a record of a part before a resume. */
  private recall({ kind, step, ...values }: MetricRecord): void {
    const { loss, learningRate, text } = values;
    if (kind === 'step')
      this.steps.push({ step, epoch: step / this.size.epoch, loss: Number(loss), learningRate: Number(learningRate) });
    if (kind === 'warning') this.warnings.push(String(text));
    if (kind === 'time') this.before = values as unknown as Spent;
    if (kind === 'file') this.files.set(String(values['name']), values as unknown as FoundFile);
  }

  private stepOf(epoch: number, batch: number): number {
    return epoch * this.size.epoch + batch / this.size.step;
  }
}
