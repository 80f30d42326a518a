import { backend } from './dispatch';
import { native, type Device, type MemoryStats, type Precision } from './native';

/** Bytes of tensor memory in use, cached and at the peak: of one device, or of all together. */
export function memory(device?: Device): MemoryStats {
  return backend.memory(device);
}

/** Starts a new measurement of `memory().peak`. */
export function resetPeakMemory(): void {
  backend.memoryResetPeak();
}

/** Gives the cached blocks back to the system. */
export function releaseMemoryCache(): void {
  native.memoryReleaseCache();
}

/** The number of threads the kernels use. Results do not depend on it. */
export function threads(): number {
  return native.threads();
}

/** Sets the number of threads (1 to 256); the environment variable MORPHMLP_THREADS sets it at the start. */
export function setThreads(n: number): void {
  native.setThreads(n);
}

/** The instruction set whose kernels run: baseline, avx2, avx512 or neon. */
export function instructionSet(): string {
  return native.isa();
}

/**
 * Multiply-adds a second with nothing but registers, on all threads or the whole GPU, in GFLOP/s: the limit that benchmarks divide by. In
 * bf16 (cuda alone) that of the tensor cores by `mma.sync`, which on Hopper is less than what its `wgmma` reaches; in f32 with
 * MORPHMLP_F32=3xtf32 a third of theirs in TF32, where that is more.
 */
export function fmaPeak(seconds = 0.2, device: Device = 'cpu', precision: Precision = 'f32'): number {
  return native.fmaPeak(seconds, device, precision);
}

/** Throws when the device is not there, or what MORPHMLP_GEMM or MORPHMLP_F32 asks for on it: nothing falls back in silence. */
export function requireDevice(device: Device): void {
  if (device === 'cpu') return;
  const status = native.cudaStatus();
  if (status !== 'available') throw new Error(`no CUDA device: ${status}`);
  native.cudaProducts();
}

/** Who computes products on the GPU and by what, for after what else it is: empty where that is our kernels, and f32 by FFMA. */
export function libraryOfProducts(): string {
  const by = native.cudaProducts();
  return by === 'own' ? '' : `; products by ${by.replace(/^own/, 'own kernels')}`;
}

/** Throws when activations of this type are not computed on the device. */
export function requirePrecision(precision: Precision, device: Device): void {
  if (precision === 'bf16' && device === 'cpu')
    throw new Error('bf16 is computed on cuda alone: give --device cuda too, or --precision f32');
}
