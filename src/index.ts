/** morphmlp: a tensor engine with autograd over own kernels, and the MorphMLP networks on it. */
export { Tensor, empty, full, getDefaultDevice, ones, setDefaultDevice, tensor, zeros } from './tensor';
export type { Shape, TensorOptions } from './tensor';
export type { Device, DType, MemoryStats } from './native';
export { liveTensorReport, liveTensors, trackLiveTensors, type LiveTensors } from './live_tensors';
export { backward, enableGrad, isGradEnabled, noGrad, releaseGraph, setAnomalyDetection } from './autograd';
export { checkpoint } from './checkpoint';
export { manualSeed, rngState, setRngState } from './rng';
export { fmaPeak, instructionSet, memory, releaseMemoryCache, resetPeakMemory, setThreads, threads } from './runtime';
export { scope } from './scope';
export * from './ops';
export * as models from './models';
export * as nn from './nn';
export * as optim from './optim';
