/** Batches of a dataset, in an order that a seed fixes, read ahead of the computation. */
import { setMaxListeners } from 'node:events';
import { Philox } from '../core/philox';
import { drawMix, softTargets, type MixOptions } from './augment';
import { isUnreadable, stackClips } from './types';
import type { Batch, Clip, Dataset, Normalisation } from './types';

/** How a loader makes batches. */
export interface LoaderOptions {
  batchSize: number;
  seed: number;
  /** Whether each epoch has an order of its own; otherwise the dataset's. */
  shuffle: boolean;
  /** Leave out a last batch that is not full. Default false. */
  dropLast?: boolean;
  /** Batches that belong together (gradient accumulation): an epoch has a whole number of such groups. Default 1. */
  group?: number;
  normalisation: Normalisation;
  /** Mixup and cutmix of every batch, and the smoothing of its labels. */
  mix?: MixOptions & { smoothing: number };
  /** Batches that are read ahead of the one in use: bounds the memory. Default 2. */
  prefetch?: number;
  /** Ends every epoch under way with the signal's reason. */
  signal?: AbortSignal;
}

/** A file that could not be read, and why. */
export interface Skipped {
  name: string;
  reason: string;
}

/** The clips of one batch; fewer than the batch size where files were skipped or the epoch ends. */
export interface ClipGroup {
  /** Number of the batch within its epoch. */
  index: number;
  clips: Clip[];
}

function checkCount(what: string, value: number, least: number): void {
  if (!Number.isInteger(value) || value < least)
    throw new Error(`${what}: expected a whole number of at least ${least}, got ${value}`);
}

/**
 * Batch k of epoch e depends on (seed, e, k) alone: not on what was read before, nor on how many workers read ahead. So
 * `epoch(e, k)` goes on with exactly what an uninterrupted run would have seen. A file that cannot be read is left out of its
 * batch, and the other batches do not change.
 */
export class Loader {
  /** Files skipped so far, each once. */
  readonly skipped = new Map<string, Skipped>();
  /** Milliseconds spent waiting for a batch that was not ready. */
  waited = 0;

  constructor(
    readonly dataset: Dataset,
    private readonly options: LoaderOptions,
  ) {
    checkCount('batch size', options.batchSize, 1);
    checkCount('prefetch', options.prefetch ?? 2, 0);
    if (this.batches === 0)
      throw new Error(
        `${dataset.length === 1 ? '1 clip is' : `${dataset.length} clips are`} not enough for one batch of ${options.batchSize * (options.group ?? 1)}`,
      );
  }

  /** How the pixels of its batches become numbers. */
  get normalisation(): Normalisation {
    return this.options.normalisation;
  }

  /** Batches an epoch. */
  get batches(): number {
    const { batchSize, dropLast = false, group = 1 } = this.options;
    if (!dropLast) return Math.ceil(this.dataset.length / batchSize);
    return Math.floor(this.dataset.length / (batchSize * group)) * group;
  }

  /** The item numbers of an epoch, in its order. */
  order(epoch: number): Int32Array {
    const order = Int32Array.from({ length: this.dataset.length }, (_, i) => i);
    if (!this.options.shuffle) return order;
    const random = new Philox(this.options.seed).fork('order').fork(epoch);
    return this.dataset.order?.(random) ?? random.shuffle(order);
  }

  /** The batches of an epoch from batch `first` on, and how they are mixed where the options say so; see `clips`. */
  async *epoch(epoch: number, first = 0): AsyncGenerator<{ index: number; batch: Batch }> {
    for await (const { index, clips } of this.clips(epoch, first)) {
      const { normalisation } = this;
      yield { index, batch: this.mixed({ ...stackClips(clips), normalisation, mix: null }, epoch, index) };
    }
  }

  /** The batch mixed with itself in reverse; which way depends on (seed, epoch, index) alone. */
  private mixed(batch: Batch, epoch: number, index: number): Batch {
    const { mix, seed } = this.options;
    if (!mix) return batch;
    const [, , height, width] = batch.shape;
    const random = new Philox(seed).fork('mix').fork(epoch).fork(index);
    const drawn = drawMix(mix, { height, width }, random);
    const classes = this.dataset.classNames.length;
    const targets = softTargets(batch.labels, classes, mix.smoothing, drawn?.lambda ?? 1);
    return { ...batch, mix: drawn, targets };
  }

  /**
   * The batches of an epoch from batch `first` on, as bytes. Throws where no clip of a whole epoch could be read, and for any
   * error but an unreadable file. Leaving the loop early stops what is being read ahead.
   */
  async *clips(epoch: number, first = 0): AsyncGenerator<ClipGroup> {
    const stop = new AbortController();
    setMaxListeners(0, stop.signal); // each clip under way listens
    const onAbort = (): void => stop.abort(this.options.signal?.reason);
    if (this.options.signal?.aborted) onAbort();
    this.options.signal?.addEventListener('abort', onAbort, { once: true });
    const ahead: Promise<Clip[]>[] = [];
    try {
      yield* this.readAhead(epoch, first, ahead, stop.signal);
    } finally {
      this.options.signal?.removeEventListener('abort', onAbort);
      stop.abort(new Error('the epoch was left early'));
      await Promise.allSettled(ahead);
    }
  }

  /** Lines for the end of a run: how many files were skipped, and the first `limit` of them with the reason. */
  skippedLines(limit = 20): string[] {
    if (this.skipped.size === 0) return [];
    const reasons = [...this.skipped.values()].map(({ reason }) => `  ${reason}`);
    const more = reasons.length > limit ? [`  … and ${reasons.length - limit} more`] : [];
    const files = reasons.length === 1 ? '1 file was' : `${reasons.length} files were`;
    return [`${files} skipped:`, ...reasons.slice(0, limit), ...more];
  }

  private async *readAhead(
    epoch: number,
    first: number,
    ahead: Promise<Clip[]>[],
    signal: AbortSignal,
  ): AsyncGenerator<ClipGroup> {
    checkCount('epoch', epoch, 0);
    checkCount('first batch', first, 0);
    const order = this.order(epoch);
    const { prefetch = 2 } = this.options;
    let [asked, given] = [first, 0];
    for (let index = first; index < this.batches; index++) {
      for (; asked < this.batches && asked <= index + prefetch; asked++)
        ahead.push(this.load(order, epoch, asked, signal));
      const clips = await this.timed(ahead[0]!);
      ahead.shift();
      given += clips.length;
      if (clips.length > 0) yield { index, clips };
    }
    if (given === 0 && first === 0) throw new Error(this.nothingRead());
  }

  private nothingRead(): string {
    const reason = [...this.skipped.values()][0]?.reason;
    return `none of the ${this.dataset.length} clips could be read; the first: ${reason}`;
  }

  private async timed<T>(promise: Promise<T>): Promise<T> {
    const since = performance.now();
    const value = await promise;
    this.waited += performance.now() - since;
    return value;
  }

  /** Reads one batch. All its clips settle before it does, so that nothing is left under way after an error. */
  private load(order: Int32Array, epoch: number, index: number, signal: AbortSignal): Promise<Clip[]> {
    const { batchSize, seed } = this.options;
    const items = [...order.subarray(index * batchSize, (index + 1) * batchSize)];
    const random = new Philox(seed).fork('clip').fork(epoch);
    const loading = Promise.allSettled(items.map((i) => this.read(i, random.fork(i), signal))).then((results) => {
      const failed = results.find((result) => result.status === 'rejected');
      if (failed !== undefined) throw failed.reason as Error;
      return results.flatMap((result) => (result.status === 'fulfilled' ? result.value : []));
    });
    loading.catch(() => undefined); // an error of a batch read ahead is raised when its turn comes
    return loading;
  }

  private async read(i: number, random: Philox, signal: AbortSignal): Promise<Clip[]> {
    signal.throwIfAborted();
    try {
      if (this.dataset.samples) return await this.dataset.samples(i, random, signal);
      return [await this.dataset.clip(i, random, signal)];
    } catch (error) {
      if (!isUnreadable(error)) throw error;
      const name = this.dataset.name(i);
      this.skipped.set(name, { name, reason: (error as Error).message });
      return [];
    }
  }
}
