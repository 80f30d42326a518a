/** morphmlp: a tensor engine with autograd over its own kernels, and the MorphMLP networks (Zhang et al., ECCV 2022) on top. */
export { Tensor, empty, full, getDefaultDevice, ones, setDefaultDevice, tensor, zeros } from './core/tensor';
export { arange, eye, onesLike, rand, randn, zerosLike } from './core/create';
export type { Nested, NumericArray, Shape, TensorOptions } from './core/tensor';
export type { Device, DType, MemoryStats, Precision } from './core/native';
export { liveTensorReport, liveTensors, trackLiveTensors, type LiveTensors } from './core/live_tensors';
export { backward, enableGrad, isGradEnabled, noGrad, releaseGraph, setAnomalyDetection } from './core/autograd';
export type { Saved } from './core/autograd';
export { defineOp, type BackwardContext, type Computed, type OpDefinition } from './core/define_op';
export { forwardAsync, type ForwardAsyncOptions } from './core/forward_async';
export { gradcheck, type GradcheckOptions } from './core/gradcheck';
export { checkpoint } from './core/recompute';
export { rngState, setRngState, type RngState } from './core/generator';
export {
  fmaPeak,
  instructionSet,
  memory,
  releaseMemoryCache,
  resetPeakMemory,
  setThreads,
  threads,
} from './core/runtime';
export { scope } from './core/scope';
export * from './ops';
export * as models from './models';
export * as nn from './nn';
export * as optim from './optim';
export { exportOnnx, type Exported, type ExportOptions } from './models/onnx';
export { readTensors } from './formats/read_tensors';
export type { Json } from './formats/checkpoint';
export { collate, DataLoader, type DataLoaderOptions } from './nn/data_loader';
export { manualSeed } from './nn/init';
export { readIdx, type IdxArray } from './data/pictures/idx';
export { load, readMetadata, save, type Metadata } from './nn/save';
export type { DType as FileDType, TensorData, TypedArray } from './formats/dtypes';
export type { Augmentation, Erasing } from './data/augment';
export type { ClipBatches, ClipBatchesOptions, ClipTensors } from './train/clip_types';
export { openClips } from './train/open_clips';
export { saveWeights } from './train/state';
export { predict, type Prediction, type PredictOptions } from './train/predict';
