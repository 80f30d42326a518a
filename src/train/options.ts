import type { Precision } from '../core/native';
import type { MixOptions } from '../data/augment';
import type { VideoOptions } from '../data/video/clip_plan';
import type { DataSpec } from '../data/open';
import type { Views } from '../data/sampling';
import type { Normalisation } from '../data/types';
import type { MorphMlpConfig } from '../models/config';
import type { CosineSchedule } from '../optim';

/** Which optimizer a run uses. `decayAll`: weight decay on biases and norms too (ZERO_WD_1D_PARAM off). */
export interface OptimizerChoice {
  method: 'adamw' | 'sgd';
  /** Momentum of SGD. */
  momentum: number;
  nesterov: boolean;
  weightDecay: number;
  decayAll: boolean;
}

/** Weights to start from. */
export interface StartFrom {
  file: string;
  resetHead: boolean;
  inflate: 'centre' | 'mean';
}

/** Settings of the test after training. */
export interface Testing {
  data: DataSpec;
  views: Views;
  /** Views that go through the network at a time. */
  batch: number;
  /** Weights to test; null for the best of the run. */
  checkpoint: string | null;
  /** Path of the results. */
  results: string;
}

/** All options of a training run. */
export interface RunOptions {
  /** Name of the model, for messages and reports. */
  name: string;
  architecture: Omit<MorphMlpConfig, 'numClasses'>;
  /** Classes of the head; null for those of the training list. */
  classes: number | null;
  train: DataSpec;
  val: DataSpec | null;
  clips: Omit<VideoOptions, 'train'>;
  /** Side of clips in validation and test. */
  testCrop: number;
  normalisation: Normalisation;
  /** Videos a step, and how many of them go through the network at a time. */
  batchSize: number;
  microBatch: number;
  mix: (MixOptions & { smoothing: number }) | null;
  /** Label smoothing of batches that are not mixed. */
  labelSmoothing: number;
  optimizer: OptimizerChoice;
  schedule: CosineSchedule;
  /** Largest norm of the gradient; 0 for any. */
  clipNorm: number;
  /** Epochs between validations, and between checkpoints that are kept (0: none is). */
  evalEvery: number;
  keepEvery: number;
  /** Minutes between saves within an epoch. */
  saveMinutes: number;
  /** Decay of the average of the weights; 0 for none. */
  emaDecay: number;
  seed: number;
  workers: number;
  /** Element type of activations. */
  precision: Precision;
  /** Whether steps are replayed as CUDA graphs. */
  cudaGraph: boolean;
  /** Most bytes that tensors may hold in a step, or null for no limit; the first blocks are recomputed as it needs. */
  memoryBudget: number | null;
  /** Most bytes of decoded frames that are kept, 0 for none; null for a quarter of the free memory. */
  cacheMemory: number | null;
  init: StartFrom | null;
  out: string;
  /** Continue the run in `out`; with `must`, throw if there is none. */
  resume: 'never' | 'auto' | 'must';
  /** Folder of TensorBoard's event files. */
  tensorboard: string | null;
}
