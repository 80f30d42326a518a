import pc from 'picocolors';
import type { Run } from '../../train/run';
import type { EpochRecord, StepEvent, TrainerEvents } from '../../train/trainer';
import { amount, clock, percent } from '../../terminal/format';
import { Progress } from '../../terminal/progress';
import { RunLog } from './run_log';
import { printable } from '../../terminal/text_width';

/** Files of a kind that are named in the terminal. */
const NAMED = 5;

const missed = ({ valMissed = 0 }: EpochRecord): string =>
  valMissed > 0 ? ` (${amount(valMissed, 'clip')} could not be read)` : '';

/** Shares of an epoch that ranks waited for each other, from least to most; empty for a process on its own. */
function waitsText(waits: readonly number[]): string {
  if (waits.length === 0) return '';
  const [least, most] = [Math.min(...waits), Math.max(...waits)].map((share) => percent(share, 0));
  return `  ranks waited ${least === most ? least : `${least} to ${most}`}`;
}

/** Shows a run: a progress bar per epoch, then a line with its metrics. */
export class TrainingView implements TrainerEvents {
  private bar: Progress | null = null;
  private run: Run | null = null;
  private opened: RunLog | null = null;
  private startedAt = { time: 0, batch: 0 };
  /** When the first epoch of this process began, and the epochs since. */
  private began = 0;
  private epochs = 0;
  /** Warnings before the logs were opened. */
  private readonly early: string[] = [];

  /** Starts showing a run and opens its logs; a resumed run appends to its logs. */
  attach(run: Run): void {
    this.run = run;
    this.opened = new RunLog(run);
    this.began = performance.now();
    for (const text of this.early) this.opened.warning(text);
  }

  /** The logs of the run. */
  get log(): RunLog {
    if (this.opened === null) throw new Error('the logs are not open yet');
    return this.opened;
  }

  /** Names files that were found since the last call to be unreadable or damaged. */
  private showFiles(): void {
    const found = this.log.newFiles();
    const kinds = [
      [false, 'could not be read'],
      [true, 'can be read only in part'],
    ] as const;
    for (const [part, what] of kinds) {
      const files = found.filter((file) => file.part === part);
      if (files.length === 0) continue;
      const named = files
        .slice(0, NAMED)
        .map(({ name, reason }) => (reason.includes(name) ? reason : `${name}: ${reason}`));
      const more = files.length > NAMED ? [`and ${files.length - NAMED} more, which report.html lists`] : [];
      const count = amount(files.length, 'file');
      console.error(pc.yellow(`note: ${count} ${what}:`));
      for (const line of [...named, ...more]) console.error(`  ${printable(line)}`);
    }
  }

  step(event: StepEvent): void {
    const run = this.run as Run;
    const { epoch, batch, running } = event;
    const { batches } = run.loaders.train;
    this.log.step(event);
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
    this.log.epoch(record);
    this.bar?.finish();
    this.bar = null;
    const segments = this.run!.info.model.task === 'segment';
    const val =
      record.valTop1 === null
        ? ''
        : `  validation loss ${record.valLoss!.toFixed(3)} ${segments ? 'mIoU' : 'acc'} ${pc.bold(percent(record.valTop1))}${missed(record)}`;
    const train = `loss ${record.trainLoss.toFixed(3)} ${segments ? 'pixel acc' : 'acc'} ${percent(record.trainTop1)}`;
    const { options, waits } = this.run!;
    const { maxEpoch } = options.schedule;
    const left = this.secondsLeft(maxEpoch - record.epoch);
    const time = `${record.seconds.toFixed(1)} s${waitsText(waits)}${left}`;
    console.log(`epoch ${record.epoch}/${maxEpoch}  ${train}${val}  ${time}`);
    this.showFiles();
  }

  /** The time that the rest of the run takes, by the epochs of this process with their validations. */
  private secondsLeft(epochs: number): string {
    this.epochs += 1;
    const each = (performance.now() - this.began) / 1000 / this.epochs;
    return epochs > 0 ? `  ${pc.dim(`${clock(each * epochs)} left`)}` : '';
  }

  warning(text: string): void {
    this.bar?.finish();
    if (this.opened) this.opened.warning(text);
    else this.early.push(text);
    console.error(pc.yellow(`note: ${printable(text)}`));
  }

  private start(epoch: number, batch: number, total: number): Progress {
    this.startedAt = { time: performance.now(), batch };
    const { maxEpoch } = this.run!.options.schedule;
    const beyond = (maxEpoch - epoch - 1) * total;
    const bar = new Progress({ label: `epoch ${epoch + 1}/${maxEpoch}`, total, beyond });
    bar.startAt(batch);
    return bar;
  }
}
