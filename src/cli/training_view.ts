import path from 'node:path';
import pc from 'picocolors';
import { MetricLog } from '../report/jsonl';
import type { Run } from '../train/run';
import type { EpochRecord, StepEvent, TrainerEvents } from '../train/trainer';
import { percent } from './options';
import { Progress } from './progress';
import type { RunNotes } from './run_report';

/** Shows a run: one bar an epoch, then a line with its figures. */
export class TrainingView implements TrainerEvents {
  private bar: Progress | null = null;
  private run: Run | null = null;
  private log: MetricLog | null = null;
  private startedAt = { time: 0, batch: 0 };
  /** What the report will want to know. */
  readonly notes: RunNotes = { startedAt: new Date(), steps: [], warnings: [] };

  /** Names the run to show, and opens its metrics.jsonl; a resumed run goes on with the log where it stands. */
  attach(run: Run): void {
    this.run = run;
    const file = path.join(run.options.out, 'metrics.jsonl');
    const { epoch, batch } = run.trainer.state;
    const step = epoch * run.loaders.train.batches + batch;
    this.log = run.options.resume ? MetricLog.resume(file, step) : MetricLog.create(file);
  }

  /** Closes the log. */
  close(): void {
    this.log?.close();
  }

  step({ epoch, batch, learningRate, loss, running }: StepEvent): void {
    const run = this.run as Run;
    const { batches } = run.loaders.train;
    this.notes.steps.push({ step: epoch * batches + batch, epoch: epoch + batch / batches, loss, learningRate });
    this.log?.append({ kind: 'step', step: epoch * batches + batch, loss, learningRate });
    this.bar ??= this.start(epoch, batch - 1, batches);
    const rate = (batch - this.startedAt.batch) / ((performance.now() - this.startedAt.time) / 1000);
    const clipsPerSecond = rate * run.options.batchSize;
    this.bar.update(batch, { loss: running.loss, accuracy: running.top1, clipsPerSecond });
  }

  validating(done: number, total: number): void {
    if (done === 1) {
      this.bar?.finish();
      this.bar = new Progress({ label: 'validating', total });
    }
    this.bar?.update(done);
  }

  epoch(record: EpochRecord): void {
    const { batches } = this.run!.loaders.train;
    this.log?.append({ kind: 'epoch', step: record.epoch * batches, ...record });
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
    this.notes.warnings.push(text);
    console.error(pc.yellow(`note: ${text}`));
  }

  private start(epoch: number, batch: number, total: number): Progress {
    this.startedAt = { time: performance.now(), batch };
    const bar = new Progress({ label: `epoch ${epoch + 1}/${this.run!.options.epochs}`, total });
    bar.startAt(batch);
    return bar;
  }
}
