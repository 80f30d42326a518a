import { backend } from './dispatch';
import { native, type Device, type GemmBackend, type MemoryStats, type Precision } from './native';

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
 * bf16 (cuda alone) that of the tensor cores by `mma.sync`, which on Hopper is less than what its `wgmma` reaches.
 */
export function fmaPeak(seconds = 0.2, device: Device = 'cpu', precision: Precision = 'f32'): number {
  return native.fmaPeak(seconds, device, precision);
}

/** Throws when the device is not there. */
export function requireDevice(device: Device): void {
  if (device === 'cpu') return;
  const status = native.cudaStatus();
  if (status !== 'available') throw new Error(`no CUDA device: ${status}`);
}

/**
 * Selects the instructions of bf16 products for this process: `mma` (mma.sync, the default) or `wgmma` (TMA and wgmma, on Hopper). With wgmma,
 * products whose operands TMA cannot read still run on mma.sync.
 * @throws where the device or the build lacks wgmma
 */
export function useGemm(name: GemmBackend): void {
  native.cudaUseGemm(name);
}

/** A note on the selected instructions, to append to a description of the GPU; empty for the default. */
export function gemmNote(): string {
  return native.cudaGemm() === 'mma' ? '' : '; bf16 products by wgmma';
}

/** Throws when activations of this type are not computed on the device. */
export function requirePrecision(precision: Precision, device: Device): void {
  if (precision === 'bf16' && device === 'cpu')
    throw new Error('bf16 is computed on cuda alone: give --device cuda too, or --precision f32');
}
