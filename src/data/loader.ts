import { Philox } from '../random';
import { toBatch, type Batch, type Clip, type Dataset } from './types';

/** How a loader makes batches. */
export interface LoaderOptions {
  batchSize: number;
  seed: number;
  /** Whether each epoch has its own order. */
  shuffle: boolean;
  /** Leave out a last batch that is not full. */
  dropLast?: boolean;
  /** Batches that may be under way at a time. */
  prefetch?: number;
}

/** A file that could not be read, and why. */
export interface Skipped {
  name: string;
  reason: string;
}

const ORDER_STREAM = 1;
const CLIP_STREAM = 2;

/**
 * Batches of a dataset. Batch k of epoch e depends on (seed, e, k) alone: not on what was read before, nor on how many workers
 * read ahead. So a resumed run sees what an uninterrupted one would have seen.
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
    const { batchSize } = options;
    if (!Number.isInteger(batchSize) || batchSize < 1)
      throw new Error(`batch size: expected a whole number of at least 1, got ${batchSize}`);
    if (this.batches === 0) throw new Error(`${dataset.length} clips are not enough for one batch of ${batchSize}`);
  }

  /** Batches an epoch. */
  get batches(): number {
    const { batchSize, dropLast = false } = this.options;
    return dropLast ? Math.floor(this.dataset.length / batchSize) : Math.ceil(this.dataset.length / batchSize);
  }

  /** The batches of an epoch from `first` on. Throws when an epoch begun at 0 had nothing readable. */
  async *epoch(epoch: number, first = 0): AsyncGenerator<{ index: number; batch: Batch }> {
    const order = this.order(epoch);
    const ahead: Promise<Batch | null>[] = [];
    let [asked, given] = [first, 0];
    for (let index = first; index < this.batches; index++) {
      for (; asked < this.batches && asked <= index + (this.options.prefetch ?? 2); asked++)
        ahead.push(this.load(order, epoch, asked));
      const batch = await this.timed(ahead.shift() as Promise<Batch | null>);
      if (batch) given++;
      if (batch) yield { index, batch };
    }
    if (given === 0 && first === 0)
      throw new Error(`no clip could be read; the first reason: ${[...this.skipped.values()][0]?.reason}`);
  }

  private async timed<T>(promise: Promise<T>): Promise<T> {
    const since = performance.now();
    const value = await promise;
    this.waited += performance.now() - since;
    return value;
  }

  private order(epoch: number): number[] {
    const order = Array.from({ length: this.dataset.length }, (_, i) => i);
    return this.options.shuffle ? new Philox(this.options.seed, ORDER_STREAM).fork(epoch).shuffle(order) : order;
  }

  private async load(order: number[], epoch: number, index: number): Promise<Batch | null> {
    const { batchSize, seed } = this.options;
    const items = order.slice(index * batchSize, (index + 1) * batchSize);
    const random = new Philox(seed, CLIP_STREAM).fork(epoch);
    const clips = await Promise.all(items.map((i) => this.read(i, random.fork(i))));
    const read = clips.filter((c) => c !== null);
    return read.length > 0 ? toBatch(read) : null;
  }

  private async read(i: number, random: Philox): Promise<Clip | null> {
    try {
      return await this.dataset.clip(i, random);
    } catch (error) {
      const name = this.dataset.name(i);
      this.skipped.set(name, { name, reason: (error as Error).message });
      return null;
    }
  }
}
