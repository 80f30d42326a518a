import { backend } from './dispatch';
import { native, type Device, type GemmBackend, type MemoryStats, type Precision } from './native';

/** Bytes of tensor memory in use, cached and at the peak, of one device or summed over all. */
export function memory(device?: Device): MemoryStats {
  return backend.memory(device);
}

/** Starts a new measurement of `memory().peak`. */
export function resetPeakMemory(): void {
  backend.memoryResetPeak();
}

/** Returns cached blocks to the system. */
export function releaseMemoryCache(): void {
  native.memoryReleaseCache();
}

/** The number of threads of CPU kernels. Results do not depend on it. */
export function threads(): number {
  return native.threads();
}

/** Sets the number of threads of CPU kernels (1 to 256). The environment variable MORPHMLP_THREADS sets it at startup. */
export function setThreads(n: number): void {
  native.setThreads(n);
}

/** The instruction set of the CPU kernels in use: baseline, avx2, avx512, avx512bf16, neon or neonbf16. */
export function instructionSet(): string {
  return native.isa();
}

/**
 * Measures the peak GFLOP/s of multiply-adds on registers, on all threads or the whole GPU: the compute roof of benchmarks. For
 * bf16 on a GPU it is the peak of the tensor cores by `mma.sync`, which on Hopper is below that of `wgmma`; on a CPU without
 * instructions for bf16, that of f32.
 */
export function fmaPeak(seconds = 0.2, device: Device = 'cpu', precision: Precision = 'f32'): number {
  return native.fmaPeak(seconds, device, precision);
}

/** Throws if the device is unavailable. */
export function requireDevice(device: Device): void {
  if (device === 'cpu') return;
  const status = native.cudaStatus();
  if (status !== 'available') throw new Error(`no CUDA device: ${status}`);
}

/**
 * Selects the instructions of bf16 products for this process: `mma` (mma.sync, the default) or `wgmma` (TMA and wgmma, on Hopper). With wgmma,
 * products whose operands TMA cannot read still run on mma.sync.
 * @throws if the device or the build lacks wgmma
 */
export function useGemm(name: GemmBackend): void {
  native.cudaUseGemm(name);
}

/** A note on the selected instructions for descriptions of the GPU; empty for the default. */
export function gemmNote(): string {
  return native.cudaGemm() === 'mma' ? '' : '; bf16 products by wgmma';
}
