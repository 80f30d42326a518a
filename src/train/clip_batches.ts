/** Labelled videos and pictures as batches of tensors, for a training loop of one's own. */
import { availableParallelism } from 'node:os';
import { expectOptions } from '../core/options';
import { scope } from '../core/scope';
import { tensor, type Tensor } from '../core/tensor';
import { inputSpec, type InputSettings } from '../data/input_spec';
import { Loader } from '../data/loader';
import { openDataset, specOf } from '../data/open';
import type { Dataset } from '../data/types';
import { testClips, type Augmentation } from '../data/video/clip_plan';
import { DecodePool } from '../data/video/decode_pool';
import { inputOf } from './input';

/** Options of `openClips`. */
export interface ClipBatchesOptions {
  /** Sampling, crop and normalisation, as in `models.load(file).input`. A picture is a clip of one frame. */
  input: InputSettings;
  /** Clips in a batch; default 8. A batch has fewer where files cannot be read, and at the end of an epoch. */
  batchSize?: number;
  /** Random time, size and crop, in a random order; otherwise the middle clip and the centre crop, in the order of the list. Default false. */
  train?: boolean;
  /** Mirror half of the training clips. Default false. */
  flip?: boolean;
  /** Augmentation of training clips beyond crop and flip. Default none. */
  augmentation?: Augmentation;
  /** Leave out a last batch that is not full. Default false. */
  dropLast?: boolean;
  /** Names of the classes in order, such as those of a model. Default those of the list. */
  classNames?: readonly string[];
  /** Folder from which the paths of a list count. Default that of the list. */
  root?: string;
  /** Processes that decode, also ahead of the loop. Default one for each processor. */
  workers?: number;
  /** Seed of order, crops and augmentation. Default 0. */
  seed?: number;
}

/** A batch of `ClipBatches`. The tensors are the caller's: `dispose()` them. */
export interface ClipTensors {
  /** f32 [B, 3, T, H, W], normalised, on the default device. */
  x: Tensor;
  /** i32 [B]: indices in `classNames`. */
  labels: Tensor;
  /** The file of each clip. */
  files: string[];
}

/** Batches of a list: each `for await` over it is a new epoch, and equal seeds give equal epochs. `close` ends its decoders. */
export class ClipBatches implements AsyncIterable<ClipTensors> {
  #epoch = 0;

  /** @internal Use `openClips`. */
  constructor(
    private readonly dataset: Dataset,
    private readonly loader: Loader,
    private readonly pool: DecodePool,
  ) {}

  /** Names of the classes, by their index. */
  get classNames(): readonly string[] {
    return this.dataset.classNames;
  }

  /** Batches of an epoch. */
  get length(): number {
    return this.loader.batches;
  }

  /** Files that could not be read so far, with the reason; they are left out of their batches. */
  get skipped(): readonly { name: string; reason: string }[] {
    return [...this.loader.skipped.values()];
  }

  /** The batches of the next epoch. @throws if no file at all can be read */
  async *[Symbol.asyncIterator](): AsyncIterator<ClipTensors> {
    for await (const { batch } of this.loader.epoch(this.#epoch++)) {
      const tensors = scope(() => ({ x: inputOf(batch), labels: tensor(batch.labels) }));
      yield { ...tensors, files: batch.clips.map((clip) => clip.path) };
    }
  }

  /** Ends the decoders. The batches cannot be iterated after it. */
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
  return new ClipBatches(dataset, loader, pool);
}
