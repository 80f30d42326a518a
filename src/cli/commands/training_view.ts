import pc from 'picocolors';
import type { Run } from '../../train/run';
import type { EpochRecord, StepEvent, TrainerEvents } from '../../train/trainer';
import { percent } from '../../terminal/format';
import { Progress } from '../../terminal/progress';
import { RunLog } from './run_log';
import type { RunNotes } from './run_report';
import { printable } from '../../terminal/text_width';

/** Shows a run: a progress bar per epoch, then a line with its metrics. */
export class TrainingView implements TrainerEvents {
  private bar: Progress | null = null;
  private run: Run | null = null;
  private log: RunLog | null = null;
  private startedAt = { time: 0, batch: 0 };
  /** Records for the report. */
  readonly notes: RunNotes = { startedAt: new Date(), steps: [], warnings: [] };

  /** Starts showing a run and opens its logs; a resumed run appends to its logs. */
  attach(run: Run): void {
    this.run = run;
    this.log = new RunLog(run);
    this.notes.steps = this.log.steps;
  }

  /** Closes the logs. */
  close(): void {
    this.log?.close();
  }

  step(event: StepEvent): void {
    const run = this.run as Run;
    const { epoch, batch, running } = event;
    const { batches } = run.loaders.train;
    this.log?.step(event);
    const { batchSize, microBatch } = run.options;
    this.bar ??= this.start(epoch, batch - batchSize / microBatch, batches);
    const rate = (batch - this.startedAt.batch) / ((performance.now() - this.startedAt.time) / 1000);
    const clipsPerSecond = rate * microBatch;
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
    this.log?.epoch(record);
    this.bar?.finish();
    this.bar = null;
    const val =
      record.valTop1 === null
        ? ''
        : `  validation loss ${record.valLoss!.toFixed(3)} acc ${pc.bold(percent(record.valTop1))}`;
    const train = `loss ${record.trainLoss.toFixed(3)} acc ${percent(record.trainTop1)}`;
    console.log(
      `epoch ${record.epoch}/${this.run!.options.schedule.maxEpoch}  ${train}${val}  ${record.seconds.toFixed(1)} s`,
    );
  }

  warning(text: string): void {
    this.bar?.finish();
    this.notes.warnings.push(text);
    console.error(pc.yellow(`note: ${printable(text)}`));
  }

  private start(epoch: number, batch: number, total: number): Progress {
    this.startedAt = { time: performance.now(), batch };
    const bar = new Progress({ label: `epoch ${epoch + 1}/${this.run!.options.schedule.maxEpoch}`, total });
    bar.startAt(batch);
    return bar;
  }
}
