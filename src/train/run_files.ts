/** The files in a run's folder, and the order in which they are written. */
import { existsSync, readdirSync, rmSync } from 'node:fs';
import path from 'node:path';
import type { ModelInfo } from '../models/load';
import { saveRun, saveWeights, savedEpoch, type Learned, type RunState } from './state';
import { bestRecord, type EpochEnd, type Trainer } from './trainer';

/** Files in a run's folder. */
export const runFiles = (out: string) => ({
  best: path.join(out, 'best.safetensors'),
  last: path.join(out, 'last.safetensors'),
  config: path.join(out, 'config.yaml'),
  report: path.join(out, 'report.html'),
  facts: path.join(out, 'report.json'),
  metrics: path.join(out, 'metrics.jsonl'),
});

const EPOCH_FILE = /^epoch_\d+\.safetensors$/;

const epochFile = (out: string, epoch: number): string =>
  path.join(out, `epoch_${String(epoch).padStart(4, '0')}.safetensors`);

/** Removes the checkpoints of an earlier run, which must not be mistaken for those of the next. */
export function removeRun(out: string): void {
  const { last, best, report, facts } = runFiles(out);
  const kept = readdirSync(out).filter((name) => EPOCH_FILE.test(name));
  for (const file of [last, best, report, facts, ...kept.map((name) => path.join(out, name))])
    rmSync(file, { force: true });
}

/**
 * Writes and repairs the checkpoints of a run. `last.safetensors` is the record of how far the run is, so it is written after the
 * files that it implies (`best.safetensors`, `epoch_N.safetensors`): a run that is killed between two of them repeats its last
 * steps, and writes the same bits again.
 */
export class Checkpoints {
  readonly files;

  constructor(
    private readonly out: string,
    /** Epochs between checkpoints that are kept; 0 for none. */
    private readonly keepEvery: number,
  ) {
    this.files = runFiles(out);
  }

  /** Saves after an epoch, or within one (`end` null). */
  keep(end: EpochEnd | null, learned: Learned, info: ModelInfo, state: RunState): void {
    if (end?.best) this.saveBest(learned, info, end.epoch);
    if (end && this.isKept(end.epoch)) saveRun(epochFile(this.out, end.epoch), learned, info, state);
    saveRun(this.files.last, learned, info, state);
  }

  /**
   * Writes files that a resumed run should have and lacks, as far as its last state has their content.
   * @param repeats whether the run goes on as it would have without a break, so that it writes later files again
   * @returns a sentence about what is lost, or null
   */
  repair(
    learned: Learned,
    info: ModelInfo,
    { state, options }: Trainer,
    run: RunState,
    repeats: boolean,
  ): string | null {
    const { epoch } = state;
    const atEnd = state.batch === 0 && epoch > 0;
    if (atEnd && this.isKept(epoch) && !existsSync(epochFile(this.out, epoch)))
      saveRun(epochFile(this.out, epoch), learned, info, run);
    const record = bestRecord(state.history, options.val !== null, state.bestAfter);
    const saved = this.bestOnDisk();
    if (record === null || saved === record.epoch || saved === 'unnumbered') return null;
    if (saved !== null && saved > epoch && repeats) return null; // the run is about to write it again
    if (atEnd && record.epoch === epoch) {
      this.saveBest(learned, info, epoch);
      return null;
    }
    Object.assign(state, { bestAfter: epoch, best: -1 });
    return `${this.files.best} of epoch ${record.epoch} is missing: the best of the epochs to come takes its place`;
  }

  private isKept(epoch: number): boolean {
    return this.keepEvery > 0 && epoch % this.keepEvery === 0;
  }

  /** The epoch of `best`; null if it is missing or damaged. Old files have no number. */
  private bestOnDisk(): number | 'unnumbered' | null {
    if (!existsSync(this.files.best)) return null;
    try {
      return savedEpoch(this.files.best) ?? 'unnumbered';
    } catch {
      return null;
    }
  }

  /** Saves the validated weights: the moving average if there is one. */
  private saveBest({ model, average }: Learned, info: ModelInfo, epoch: number): void {
    average?.swap();
    try {
      saveWeights(this.files.best, model, info, epoch);
    } finally {
      average?.swap();
    }
  }
}
