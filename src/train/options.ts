import type { Precision } from '../core/native';
import type { MixOptions } from '../data/augment';
import type { VideoOptions } from '../data/video/clip_plan';
import type { DataSpec } from '../data/open';
import type { Views } from '../data/sampling';
import type { Normalisation } from '../data/normalisation';
import type { MorphMlpConfig } from '../models/config';
import type { CosineSchedule } from '../optim';

/** Optimizer of a run. `decayAll`: weight decay on biases and norms too (ZERO_WD_1D_PARAM off). */
export interface OptimizerChoice {
  method: 'adamw' | 'sgd';
  /** Momentum of SGD. */
  momentum: number;
  nesterov: boolean;
  weightDecay: number;
  decayAll: boolean;
  /** Learning rate of each layer as a multiple of that of the next layer towards the head; 1: all the same. */
  layerDecay: number;
}

/** Initial weights. */
export interface StartFrom {
  file: string;
  resetHead: boolean;
  inflate: 'centre' | 'mean';
}

/** Settings of the test after training. */
export interface Testing {
  data: DataSpec;
  views: Views;
  /** Views per forward pass. */
  batch: number;
  /** File of the weights to test; null for the run's best. */
  checkpoint: string | null;
  /** Path of the results. */
  results: string;
}

/** All options of a training run. */
export interface RunOptions {
  /** Name of the model, for messages and reports. */
  name: string;
  architecture: Omit<MorphMlpConfig, 'numClasses'>;
  /** Number of classes of the head; null for that of the training list. */
  classes: number | null;
  train: DataSpec;
  val: DataSpec | null;
  clips: Omit<VideoOptions, 'train'>;
  /** Crop in validation and test, in pixels. */
  testCrop: number;
  normalisation: Normalisation;
  /** Videos per step, and per forward pass. */
  batchSize: number;
  microBatch: number;
  mix: (MixOptions & { smoothing: number }) | null;
  /** Label smoothing of batches that are not mixed. */
  labelSmoothing: number;
  optimizer: OptimizerChoice;
  schedule: CosineSchedule;
  /** First epochs in which only the head learns. */
  freezeEpochs: number;
  /** How classes of different sizes are treated: by weights in the loss, by drawing rare ones more often, or not. */
  balance: 'none' | 'weights' | 'sampling';
  /** Epochs without a better one after which the run ends; 0: never early. */
  patience: number;
  /** Largest gradient norm; 0 disables clipping. */
  clipNorm: number;
  /** Epochs between validations, and between kept checkpoints (0: none). */
  evalEvery: number;
  keepEvery: number;
  /** Minutes between saves within an epoch. */
  saveMinutes: number;
  /** Decay of the moving average of the weights; 0 disables it. */
  emaDecay: number;
  seed: number;
  workers: number;
  /** Element type of activations. */
  precision: Precision;
  /** Whether steps are replayed as CUDA graphs. */
  cudaGraph: boolean;
  /** Whether ranks sum gradients by plain all-reduce, whose bits depend on their number. */
  fastReduction: boolean;
  /** Whether the batch statistics of norms are those of the slices of all ranks. */
  syncNorm: boolean;
  /** Limit of tensor memory in a step, in bytes; null for none. The first blocks are recomputed as needed. */
  memoryBudget: number | null;
  /** Limit of the cache of decoded frames, in bytes; 0 disables it, null means a quarter of the free memory. */
  cacheMemory: number | null;
  init: StartFrom | null;
  out: string;
  /** Continue the run in `out`; with `must`, throw if there is none. */
  resume: 'never' | 'auto' | 'must';
  /** Whether a resumed run may have other settings than the saved one. Default false: they are an error. */
  acceptChanges?: boolean;
  /** Folder of TensorBoard event files. */
  tensorboard: string | null;
}
