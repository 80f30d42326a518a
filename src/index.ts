/** morphmlp: a tensor engine with autograd over own kernels, and the MorphMLP networks on it. */
export { Tensor, empty, full, getDefaultDevice, ones, setDefaultDevice, tensor, zeros } from './core/tensor';
export type { Shape, TensorOptions } from './core/tensor';
export type { Device, DType, MemoryStats } from './core/native';
export { liveTensorReport, liveTensors, trackLiveTensors, type LiveTensors } from './core/live_tensors';
export { backward, enableGrad, isGradEnabled, noGrad, releaseGraph, setAnomalyDetection } from './core/autograd';
export { checkpoint } from './core/recompute';
export { manualSeed, rngState, setRngState } from './core/generator';
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
