/** What reads the batches of `openClips`. */
import { availableParallelism } from 'node:os';
import { expectOptions } from '../core/options';
import { scope } from '../core/scope';
import { tensor } from '../core/tensor';
import { inputSpec } from '../data/input_spec';
import { Loader } from '../data/loader';
import { openDataset, specOf } from '../data/open';
import type { Dataset } from '../data/types';
import { testClips } from '../data/video/clip_plan';
import { DecodePool } from '../data/video/decode_pool';
import { inputOf } from './input';
import type { ClipBatches, ClipBatchesOptions, ClipTensors } from './clip_types';

class ListBatches implements ClipBatches {
  #epoch = 0;

  constructor(
    private readonly dataset: Dataset,
    private readonly loader: Loader,
    private readonly pool: DecodePool,
  ) {}

  get classNames(): readonly string[] {
    return this.dataset.classNames;
  }

  get length(): number {
    return this.loader.batches;
  }

  get skipped(): readonly { name: string; reason: string }[] {
    return [...this.loader.skipped.values()];
  }

  async *[Symbol.asyncIterator](): AsyncIterator<ClipTensors> {
    for await (const { batch } of this.loader.epoch(this.#epoch++)) {
      const tensors = scope(() => ({ x: inputOf(batch), labels: tensor(batch.labels) }));
      yield { ...tensors, files: batch.clips.map((clip) => clip.path) };
    }
  }

  close(): Promise<void> {
    return this.pool.close();
  }
}

/** What `openClips` opens. */
export function clipBatches(source: string, options: ClipBatchesOptions): ClipBatches {
  expectOptions<ClipBatchesOptions>('openClips', options, {
    ...{ input: true, batchSize: true, train: true, flip: true, augmentation: true, dropLast: true },
    ...{ classNames: true, root: true, workers: true, seed: true },
  });
  const { batchSize = 8, train = false, flip = false, augmentation, dropLast = false, seed = 0 } = options;
  if (!train && (flip || augmentation !== undefined))
    throw new Error('openClips: flip and augmentation are of training clips: give train: true');
  const input = inputSpec(options.input);
  const clips = { ...testClips(input), train, flip, ...(augmentation ? { augmentation } : {}) };
  const spec = { ...specOf(source), ...(options.root === undefined ? {} : { root: options.root }) };
  const pool = new DecodePool(options.workers ?? availableParallelism());
  const dataset = openDataset(spec, { clips, known: options.classNames, knownFrom: 'classNames', seed }, pool);
  const { normalisation } = input;
  const loader = new Loader(dataset, { batchSize, seed, shuffle: train, dropLast, normalisation });
  return new ListBatches(dataset, loader, pool);
}
