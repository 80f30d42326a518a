/** What `openClips` takes and gives. Independent of decoders, as the package's types must be. */
import type { Tensor } from '../core/tensor';
import type { Augmentation } from '../data/augment';
import type { InputSettings } from '../data/input_spec';

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

/** Batches of a list: each `for await` over it is a new epoch, and equal seeds give equal epochs. @throws if no file at all can be read */
export interface ClipBatches extends AsyncIterable<ClipTensors> {
  /** Names of the classes, by their index. */
  readonly classNames: readonly string[];
  /** Batches of an epoch. */
  readonly length: number;
  /** Files that could not be read so far, with the reason; they are left out of their batches. */
  readonly skipped: readonly { name: string; reason: string }[];
  /** Ends the decoders. The batches cannot be iterated after it. */
  close(): Promise<void>;
}
