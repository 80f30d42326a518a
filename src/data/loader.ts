/** Batches of a dataset in a seeded order, prefetched. */
import { setMaxListeners } from 'node:events';
import { Philox } from '../core/philox';
import { drawMix, softTargets, type MixOptions } from './augment';
import { isUnreadable, stackClips, stackMasks } from './types';
import type { Normalisation } from './normalisation';
import type { Batch, Clip, Dataset } from './types';

/** Options of a loader. */
export interface LoaderOptions {
  batchSize: number;
  seed: number;
  /** Whether each epoch is shuffled; otherwise the order is the dataset's. */
  shuffle: boolean;
  /** Whether an epoch has every class equally often: rare ones repeat, others are left out in turn. Default false. */
  balanced?: boolean;
  /** Drop a partial last batch. Default false. */
  dropLast?: boolean;
  /** Batches per group (gradient accumulation); an epoch has a whole number of groups. Default 1. */
  group?: number;
  normalisation: Normalisation;
  /** Mixup, CutMix and label smoothing of every batch. */
  mix?: MixOptions & { smoothing: number };
  /** Number of prefetched batches, which bounds the memory. Default 2. */
  prefetch?: number;
  /** Reads only the batches whose index modulo `of` is one of `count` from `first` on: a rank's share. Default all. */
  part?: { of: number; first: number; count: number };
  /** Aborts running epochs with the signal's reason. */
  signal?: AbortSignal;
}

/** An unreadable file, and the reason. */
export interface Skipped {
  name: string;
  reason: string;
}

/** Clips of one batch; fewer than the batch size if files were skipped or the epoch ends. */
export interface ClipGroup {
  /** Index of the batch in its epoch. */
  index: number;
  clips: Clip[];
}

function checkCount(what: string, value: number, least: number): void {
  if (!Number.isInteger(value) || value < least)
    throw new Error(`${what}: expected a whole number of at least ${least}, got ${value}`);
}

/**
 * An order in which class c fills every place that is c modulo the number of classes, before the shuffle. A class goes through
 * all its items before it repeats one, also from epoch to epoch.
 */
function balancedOrder(dataset: Dataset, epoch: number, random: Philox): Int32Array {
  const { length } = dataset;
  const items = new Map<number, number[]>();
  for (let i = 0; i < length; i++) {
    const label = dataset.label(i);
    const own = items.get(label);
    if (own) own.push(i);
    else items.set(label, [i]);
  }
  const classes = [...items.values()];
  const order = new Int32Array(length);
  classes.forEach((own, c) => {
    const places = Math.ceil((length - c) / classes.length);
    for (let k = 0; k < places; k++) order[k * classes.length + c] = own[(epoch * places + k) % own.length]!;
  });
  return random.shuffle(order);
}

/**
 * Batch k of epoch e depends only on (seed, e, k), not on earlier reads or the number of workers. Therefore
 * `epoch(e, k)` resumes with the batches of an uninterrupted run. An unreadable file is dropped from its
 * batch and does not change other batches.
 */
export class Loader {
  /** Skipped files so far, without duplicates. */
  readonly skipped = new Map<string, Skipped>();
  /** Milliseconds spent waiting for batches. */
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

  /** Normalisation of the pixels. */
  get normalisation(): Normalisation {
    return this.options.normalisation;
  }

  /** Batches per epoch. */
  get batches(): number {
    const { batchSize, dropLast = false, group = 1 } = this.options;
    if (!dropLast) return Math.ceil(this.dataset.length / batchSize);
    return Math.floor(this.dataset.length / (batchSize * group)) * group;
  }

  /** Item numbers of an epoch in order. */
  order(epoch: number): Int32Array {
    const order = Int32Array.from({ length: this.dataset.length }, (_, i) => i);
    if (!this.options.shuffle) return order;
    const random = new Philox(this.options.seed).fork('order').fork(epoch);
    if (this.options.balanced) return balancedOrder(this.dataset, epoch, random);
    return this.dataset.order?.(random) ?? random.shuffle(order);
  }

  /** Batches of an epoch from batch `first` on, with their mix if the options enable it; see `clips`. */
  async *epoch(epoch: number, first = 0): AsyncGenerator<{ index: number; batch: Batch }> {
    for await (const { index, clips } of this.clips(epoch, first)) {
      const { normalisation } = this;
      const masks = clips[0]!.mask ? { masks: stackMasks(clips).pixels } : {};
      const batch = { ...stackClips(clips), ...masks, normalisation, mix: null };
      yield { index, batch: this.mixed(batch, epoch, index) };
    }
  }

  /** Draws the mix of the batch with its reverse, which depends only on (seed, epoch, index). */
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
   * Batches of an epoch from batch `first` on, as bytes. Throws if no clip of a whole epoch is readable, and for any
   * error other than an unreadable file. Leaving the loop early aborts prefetching.
   */
  async *clips(epoch: number, first = 0): AsyncGenerator<ClipGroup> {
    const stop = new AbortController();
    setMaxListeners(0, stop.signal); // each clip being read adds a listener
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

  /** Summary lines for the end of a run: number of skipped files, and the first `limit` of them with reasons. */
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
    const { prefetch = 2, part } = this.options;
    const indices = this.indices(first);
    let [asked, given] = [0, 0];
    for (const [i, index] of indices.entries()) {
      for (; asked < indices.length && asked <= i + prefetch; asked++)
        ahead.push(this.load(order, epoch, indices[asked]!, signal));
      const clips = await this.timed(ahead[0]!);
      ahead.shift();
      given += clips.length;
      if (clips.length > 0) yield { index, clips };
    }
    if (given === 0 && first === 0 && !part) throw new Error(this.nothingRead());
  }

  /** Indices of the batches to read, from `first` on. */
  private indices(first: number): number[] {
    const all = Array.from({ length: Math.max(0, this.batches - first) }, (_, i) => first + i);
    const { part } = this.options;
    if (!part) return all;
    return all.filter((index) => index % part.of >= part.first && index % part.of < part.first + part.count);
  }

  /** The error of an epoch of which no clip could be read: a loader that reads a part leaves it to its caller. */
  nothingRead(): string {
    const reason = [...this.skipped.values()][0]?.reason;
    return `none of the ${this.dataset.length} clips could be read; the first: ${reason}`;
  }

  private async timed<T>(promise: Promise<T>): Promise<T> {
    const since = performance.now();
    const value = await promise;
    this.waited += performance.now() - since;
    return value;
  }

  /** Reads one batch. Settles after all its clips, so that no read is pending after an error. */
  private load(order: Int32Array, epoch: number, index: number, signal: AbortSignal): Promise<Clip[]> {
    const { batchSize, seed } = this.options;
    const items = [...order.subarray(index * batchSize, (index + 1) * batchSize)];
    const random = new Philox(seed).fork('clip').fork(epoch);
    const loading = Promise.allSettled(items.map((i) => this.read(i, random.fork(i), signal))).then((results) => {
      const failed = results.find((result) => result.status === 'rejected');
      if (failed !== undefined) throw failed.reason as Error;
      return results.flatMap((result) => (result.status === 'fulfilled' ? result.value : []));
    });
    loading.catch(() => undefined); // the error of a prefetched batch is thrown when the batch is taken
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
