export { Tensor, empty, full, ones, tensor, zeros } from './tensor';
export type { Shape, TensorOptions } from './tensor';
export type { Device, DType, MemoryStats } from './native';
export { enableGrad, isGradEnabled, noGrad, setAnomalyDetection } from './autograd';
export { manualSeed } from './rng';
export { instructionSet, memory, releaseMemoryCache, resetPeakMemory, setThreads, threads } from './runtime';
export { scope } from './scope';
