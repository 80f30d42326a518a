import { loadAddon } from './addon_path';
import { BF16_OPS, KERNEL_NAMES, OPS, type NativeKernels } from './kernels';
import type { Device, Handle } from './operand';

export type { Device, Handle } from './operand';

/** Element types of a buffer. */
export type DType = 'f32' | 'bf16' | 'i32' | 'u8';

/** Of what the activations of a network are: parameters, their gradients and the loss are f32 with either. */
export type Precision = 'f32' | 'bf16';

/** Instructions that multiply bf16 matrices on a GPU. */
export type GemmBackend = 'mma' | 'wgmma';

/** Bytes of tensor memory: handed out, kept for reuse, and the highest `live` since the last reset. */
export interface MemoryStats {
  live: number;
  cached: number;
  peak: number;
  liveBlocks: number;
}

/** Launches on the GPU that were recorded to be replayed: opaque; freed by `cudaForget` or, at the latest, with the garbage collector. */
export interface Graph {
  readonly __graph: unique symbol;
}

/** What a GPU is; clocks are the highest it has. */
export interface CudaFacts {
  name: string;
  architecture: string;
  multiprocessors: number;
  clockMhz: number;
  memoryBytes: number;
  memoryClockMhz: number;
  memoryBusBits: number;
  l2Bytes: number;
  /** The newest CUDA that the driver knows, and that of this build. */
  driverCuda: string;
  runtimeCuda: string;
}

/** A kernel out of another library: opaque. */
export interface PluginHandle {
  readonly __plugin: unique symbol;
}

/** What a library says of its kernel (`include/morphmlp_kernel.h`). */
export interface PluginDescription {
  plugin: PluginHandle;
  op: string;
  name: string;
  /** Of the compiler. */
  flags: string;
  device: Device;
  /** Whether it has a backward. */
  backward: boolean;
}

/** A tensor as a plugin is given it: name, shape, buffer (null: not there, or not wanted). */
export type PluginTensor = readonly [name: string, shape: readonly number[], buffer: Handle | null];

/**
 * The addon's exports. Kernels, memory and plugins are called through `dispatch.ts`; only that file and the tests of the addon call them
 * directly.
 */
export interface Addon {
  /** `spare`: a freed handle that nobody else uses, returned with the new buffer. */
  bufferNew(dtype: DType, device: Device, length: number, spare?: Handle): Handle;
  /** false where it was freed before. */
  bufferFree(handle: Handle): boolean;
  /** How often it was written: by a kernel, a plugin or `bufferWrite`. */
  bufferVersion(handle: Handle): number;
  /** The whole buffer, or `length` elements of it from `first` on: as many bytes as `from` has. */
  bufferWrite(handle: Handle, from: ArrayBufferView, first?: number, length?: number): void;
  bufferRead(handle: Handle, into: ArrayBufferView): void;
  /** Of one device, or of all together. */
  memory(device?: Device): MemoryStats;
  memoryResetPeak(): void;
  memoryReleaseCache(): void;
  /** Fills the memory kept for reuse with NaN, so that no output is right because it was there before. */
  memoryPoison(): void;
  /** From now on each block ends at memory that may not be touched, and is checked when a plugin has run. Slow; for finding faults. */
  memoryGuard(on: boolean): void;
  /** Loads a library; throws where it is none of ours, or of another version. */
  pluginOpen(path: string): PluginDescription;
  /** The naive kernel for an op; null where there is none. */
  pluginNaive(op: string, device: Device): PluginDescription | null;
  /** The kernels for an op of the BLAS libraries on this machine; none for an op that is no FC. */
  pluginBlas(op: string, device: Device): PluginDescription[];
  pluginRun(
    plugin: PluginHandle,
    backward: boolean,
    attributes: readonly (readonly [name: string, value: number])[],
    inputs: readonly PluginTensor[],
    outputs: readonly PluginTensor[],
  ): void;
  threads(): number;
  setThreads(n: number): void;
  isa(): string;
  setIsa(name: string): void;
  isas(): string[];
  cudaStatus(): string;
  /** The architectures that this build has CUDA kernels for; empty where it has none. */
  cudaCompiled(): string;
  /** The GPU in words: name, architecture, memory, driver. Throws where there is none. */
  cudaDevice(): string;
  /** The compiler of the CUDA kernels and its flags; empty where there are none. */
  cudaFlags(): string;
  /** Throws where there is no GPU, as all that follow. */
  cudaFacts(): CudaFacts;
  /** Milliseconds on the GPU's clock when all that was asked of it is done; waits for that. */
  cudaClock(): number;
  /** GB/s of a copy within the device, read and written, beyond its L2 cache. */
  cudaCopyRate(): number;
  /** cuBLASLt with its version, or why it is not there. */
  cudaBlas(): string;
  /** Instructions of bf16 products: `mma` (mma.sync) or `wgmma` (TMA and wgmma, sm_90a). */
  cudaGemm(): GemmBackend;
  /** @throws where the device or the build lacks them */
  cudaUseGemm(name: GemmBackend): void;
  /** Launches of wgmma kernels in this process. */
  cudaWgmmaLaunches(): number;
  cudaSynchronize(): void;
  /** Between these two lies what the GPU is asked for meanwhile; the second waits, and gives milliseconds by the GPU's own clock. */
  cudaStartTimer(): void;
  cudaStopTimer(): number;
  /** Writes twice as much as the L2 cache holds. */
  cudaFlushCache(): void;
  /** Keeps the GPU busy for some 0.1 ms, in which the host can ask for what comes next. */
  cudaDelay(): void;
  /**
   * Records what `body` launches, without running it. Copies to and from the host in it throw. `beside`: a graph that never runs at the
   * same time, so both may use the memory that neither holds at the end of its recording.
   */
  cudaRecord(body: () => void, beside?: Graph): Graph;
  cudaReplay(graph: Graph): void;
  cudaForget(graph: Graph): void;
  /** Of all threads, or of the whole GPU; in bf16 that of its tensor cores. */
  fmaPeak(seconds: number, device?: Device, precision?: Precision): number;
  kernels: NativeKernels;
  /** Of these, the ones that take bf16 too. */
  bf16Kernels: readonly string[];
}

function expectNames(file: string, what: string, expected: readonly string[], exported: Set<string>): void {
  const missing = expected.filter((name) => !exported.delete(name));
  if (missing.length === 0 && exported.size === 0) return;
  const list = (names: string[]) => names.join(', ') || 'none';
  throw new Error(
    `${file} does not match this version of morphmlp (${what} missing: ${list(missing)}; unknown: ${list([...exported])}). ` +
      'Rebuild it: npm run build',
  );
}

function checkKernels(addon: Addon, file: string): void {
  expectNames(file, 'kernels', KERNEL_NAMES, new Set(Object.keys(addon.kernels)));
  const op = (kernel: string) => Object.keys(OPS).find((stem) => kernel.startsWith(`${stem}_`)) ?? kernel;
  expectNames(file, 'ops in bf16', BF16_OPS, new Set(addon.bf16Kernels?.map(op)));
}

function load(): Addon {
  const { addon, file } = loadAddon<Addon>();
  checkKernels(addon, file);
  return addon;
}

/** The addon, loaded and checked against `OPS`. */
export const native: Addon = load();
