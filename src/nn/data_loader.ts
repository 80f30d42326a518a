import { nextRandom } from '../core/generator';
import { expectOptions } from '../core/options';
import { Philox } from '../core/philox';
import { tensor, Tensor } from '../core/tensor';
import { noGrad } from '../core/autograd';
import { stack } from '../ops/slice';

/** Options of `DataLoader`. */
export interface DataLoaderOptions<Item, Batch> {
  /** Items in a batch; default 1. */
  batchSize?: number;
  /** Take the items of an array in random order, a new one each epoch, by the seed of `manualSeed`. Default false. */
  shuffle?: boolean;
  /** Leave out a last batch that is not full. Default false. */
  dropLast?: boolean;
  /** Makes a batch of items; default `collate`. */
  collate?: (items: Item[]) => Batch;
}

/**
 * Joins items to a batch: tensors of one shape are stacked, whole numbers, such as labels, become i32, arrays and plain objects are
 * joined element by element, and all else stays an array.
 */
export function collate(items: readonly unknown[]): unknown {
  const [first] = items;
  if (first instanceof Tensor) return noGrad(() => stack(items as Tensor[]));
  if (typeof first === 'number') {
    const other = items.find((item) => !Number.isInteger(item));
    if (other !== undefined)
      throw new Error(`collate: numbers become i32, which cannot hold ${String(other)}: give tensors for floats`);
    return tensor(Int32Array.from(items as number[]));
  }
  if (Array.isArray(first)) return first.map((_, i) => collate(items.map((item) => (item as unknown[])[i])));
  if (typeof first === 'object' && first !== null && Object.getPrototypeOf(first) === Object.prototype) {
    const keys = Object.keys(first);
    return Object.fromEntries(keys.map((key) => [key, collate(items.map((item) => (item as never)[key]))]));
  }
  return [...items];
}

/**
 * Batches of an array, or of anything iterable, also asynchronously: `for await (const batch of loader)`. A new iteration is a new
 * epoch. Items may be promises; the items of a batch are awaited together. Tensors of a batch are the caller's: `dispose()` them, or
 * make them in the `scope` of a step by a `collate` that returns arrays.
 * @typeParam Item what the source yields @typeParam Batch what `collate` returns
 */
export class DataLoader<Item, Batch = unknown> implements AsyncIterable<Batch> {
  private readonly options: Required<Omit<DataLoaderOptions<Item, Batch>, 'collate'>>;
  private readonly join: (items: Item[]) => Batch;

  constructor(
    private readonly source: Iterable<Item | Promise<Item>> | AsyncIterable<Item>,
    settings: DataLoaderOptions<Item, Batch> = {},
  ) {
    expectOptions<DataLoaderOptions<Item, Batch>>('DataLoader', settings, {
      batchSize: true,
      shuffle: true,
      dropLast: true,
      collate: true,
    });
    const { collate: join, ...options } = settings;
    this.options = { batchSize: 1, shuffle: false, dropLast: false, ...options };
    this.join = join ?? (collate as (items: Item[]) => Batch);
    const { batchSize, shuffle } = this.options;
    if (!Number.isInteger(batchSize) || batchSize < 1)
      throw new Error(`DataLoader: batchSize must be a whole number of at least 1, got ${batchSize}`);
    if (shuffle && !Array.isArray(source)) throw new Error('DataLoader: only an array can be shuffled');
  }

  /** The number of batches of an array; undefined for other sources. */
  get length(): number | undefined {
    if (!Array.isArray(this.source)) return undefined;
    const { batchSize, dropLast } = this.options;
    return dropLast ? Math.floor(this.source.length / batchSize) : Math.ceil(this.source.length / batchSize);
  }

  /** The batches of an epoch, in its order. */
  async *[Symbol.asyncIterator](): AsyncIterator<Batch> {
    const { batchSize, dropLast } = this.options;
    let items: (Item | Promise<Item>)[] = [];
    for await (const item of this.items()) {
      items.push(item.value);
      if (items.length < batchSize) continue;
      yield this.join(await Promise.all(items));
      items = [];
    }
    if (items.length > 0 && !dropLast) yield this.join(await Promise.all(items));
  }

  /** The items in the order of this epoch, boxed: promises in an array are not awaited one by one. */
  private async *items(): AsyncIterable<{ value: Item | Promise<Item> }> {
    if (Symbol.asyncIterator in this.source) {
      for await (const value of this.source) yield { value };
      return;
    }
    for (const value of this.options.shuffle ? shuffled([...this.source]) : this.source) yield { value };
  }
}

/** An array in an order that the generator of ops decides. */
function shuffled<T>(array: T[]): T[] {
  const { seed, offset } = nextRandom(4);
  return new Philox(seed, 2).fork(offset).shuffle(array);
}
