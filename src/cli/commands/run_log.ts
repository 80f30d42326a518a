import { existsSync } from 'node:fs';
import path from 'node:path';
import { MetricLog, readMetrics } from '../../report/jsonl';
import { TensorBoardWriter } from '../../formats/tensorboard';
import type { StepPoint } from '../../report/types';
import type { Run } from '../../train/run';
import type { EpochRecord, StepEvent } from '../../train/trainer';

/** Steps before a resume, for the curves of the report. */
function earlierSteps(file: string, before: number, stepsAnEpoch: number): StepPoint[] {
  if (!existsSync(file)) return [];
  return readMetrics(file).records.flatMap(({ kind, step, loss, learningRate }) => {
    if (kind !== 'step' || step > before) return [];
    return [{ step, epoch: step / stepsAnEpoch, loss: Number(loss), learningRate: Number(learningRate) }];
  });
}

/** Writes the metrics of a run: metrics.jsonl, TensorBoard's event file, and the points of the report's curves. */
export class RunLog {
  readonly steps: StepPoint[];
  private readonly metrics: MetricLog;
  private readonly board: TensorBoardWriter | null;
  /** Optimizer steps per epoch, and batches per step. */
  private readonly size: { epoch: number; step: number };

  constructor(run: Run) {
    const { out, batchSize, microBatch, tensorboard } = run.options;
    const step = batchSize / microBatch;
    this.size = { step, epoch: run.loaders.train.batches / step };
    const file = path.join(out, 'metrics.jsonl');
    const { epoch, batch } = run.trainer.state;
    const done = this.stepOf(epoch, batch);
    this.steps = run.resumed ? earlierSteps(file, done, this.size.epoch) : [];
    this.metrics = run.resumed ? MetricLog.resume(file, done) : MetricLog.create(file);
    this.board = tensorboard === null ? null : new TensorBoardWriter(tensorboard);
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
    const { trainLoss, trainTop1, valLoss, valTop1, valTop5, seconds } = record;
    const values = { 'epoch/train_loss': trainLoss, 'epoch/train_top1': trainTop1, 'epoch/seconds': seconds };
    const validation = { 'epoch/val_loss': valLoss, 'epoch/val_top1': valTop1, 'epoch/val_top5': valTop5 };
    for (const [tag, value] of Object.entries({ ...values, ...validation }))
      if (value !== null) this.board?.scalar(tag, value, step);
  }

  /** Flushes and closes the files. */
  close(): void {
    this.metrics.close();
    this.board?.close();
  }

  private stepOf(epoch: number, batch: number): number {
    return epoch * this.size.epoch + batch / this.size.step;
  }
}
