import { isNativeError } from 'node:util/types';
import { loadAddon } from './addon_path';
import { BF16_OPS, KERNEL_NAMES, OPS, type NativeKernels } from './kernels';
import type { Device, Handle, KernelArgument } from './operand';

export type { Device, Handle } from './operand';

/** Element types of a buffer. */
export type DType = 'f32' | 'bf16' | 'i32' | 'u8';

/** Element type of activations. Parameters, their gradients and the loss are always f32. */
export type Precision = 'f32' | 'bf16';

/** GPU instructions of bf16 matrix products. */
export type GemmBackend = 'mma' | 'wgmma';

/** Bytes of tensor memory: allocated, cached for reuse, and the maximum of `live` since the last reset. */
export interface MemoryStats {
  live: number;
  cached: number;
  peak: number;
  liveBlocks: number;
}

/** A recorded CUDA graph: opaque; freed by `cudaForget` or else by the garbage collector. */
export interface Graph {
  readonly __graph: unique symbol;
}

/** A point in the work of the GPU: opaque. */
export interface GpuEvent {
  readonly __event: unique symbol;
}

/** Recorded calls that run beside the event loop: opaque. */
export interface Run {
  readonly __run: unique symbol;
}

/** A call of a kernel by its name, or of `bufferWrite` with a buffer, bytes, and their offset in bytes. */
export type RunStep = readonly [name: string, ...args: readonly (KernelArgument | Uint8Array)[]];

/** Properties of a GPU; clocks are its maximum clocks. */
export interface CudaFacts {
  name: string;
  architecture: string;
  multiprocessors: number;
  clockMhz: number;
  memoryBytes: number;
  memoryClockMhz: number;
  memoryBusBits: number;
  l2Bytes: number;
  /** CUDA versions: the newest that the driver supports, and that of this build. */
  driverCuda: string;
  runtimeCuda: string;
}

/** A loaded plugin kernel: opaque. */
export interface PluginHandle {
  readonly __plugin: unique symbol;
}

/** Description of a kernel by its plugin library (`include/morphmlp_kernel.h`). */
export interface PluginDescription {
  plugin: PluginHandle;
  op: string;
  name: string;
  /** Compiler flags. */
  flags: string;
  device: Device;
  /** True if the kernel has a backward. */
  backward: boolean;
  /** Types of activations that it takes. */
  dtypes: Precision[];
  /** Its tuning parameters, each with the values to try; the first is the default. */
  parameters: { name: string; values: number[] }[];
}

/** A tensor argument of a plugin: name, shape, buffer (null if absent or not requested). */
export type PluginTensor = readonly [name: string, shape: readonly number[], buffer: Handle | null];

/** A job that this process belongs to. */
export interface World {
  rank: number;
  size: number;
  /** What connects its ranks. */
  name: string;
}

/**
 * The addon's exports. Only `dispatch.ts` and the tests of the addon call kernels, memory and plugins directly; all other code
 * goes through `dispatch.ts`.
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
  /** Tensor memory of one device, or the sum over all devices. */
  memory(device?: Device): MemoryStats;
  memoryResetPeak(): void;
  memoryReleaseCache(): void;
  /** Fills cached memory with NaN, so that stale contents cannot pass for output. */
  memoryPoison(): void;
  /** Places a guard page after each new block and checks blocks after every plugin run. Slow; for debugging. */
  memoryGuard(on: boolean): void;
  /** Loads a plugin library. @throws if it is not a plugin, or of another ABI version */
  pluginOpen(path: string): PluginDescription;
  /** The naive kernel of an op; null if it has none. */
  pluginNaive(op: string, device: Device): PluginDescription | null;
  /** Kernels of an op by the BLAS libraries on this machine; empty unless the op is an FC. */
  pluginBlas(op: string, device: Device): PluginDescription[];
  pluginRun(
    plugin: PluginHandle,
    backward: boolean,
    attributes: readonly (readonly [name: string, value: number])[],
    inputs: readonly PluginTensor[],
    outputs: readonly PluginTensor[],
  ): void;
  /** Starts counters ([type, config] of perf_event_open) on all threads. Returns null, or why there are none. */
  perfOpen(events: readonly (readonly [type: number, config: number])[]): string | null;
  /** The counts since `perfOpen`. */
  perfRead(): number[];
  perfClose(): void;
  threads(): number;
  setThreads(n: number): void;
  isa(): string;
  setIsa(name: string): void;
  isas(): string[];
  cudaStatus(): string;
  /** Architectures that this build has CUDA kernels for; empty for a build without CUDA. */
  cudaCompiled(): string;
  /** Description of the GPU: name, architecture, memory, driver. @throws if there is no GPU */
  cudaDevice(): string;
  /** Compiler and flags of the CUDA kernels; empty for a build without CUDA. */
  cudaFlags(): string;
  /** @throws if there is no GPU, like all functions below */
  cudaFacts(): CudaFacts;
  /** Waits for the stream, then returns the GPU's time in milliseconds. */
  cudaClock(): number;
  /** Bandwidth in GB/s of a copy within the device, larger than its L2 cache; reads and writes both count. */
  cudaCopyRate(): number;
  /** Version of cuBLASLt, or the reason why it is unavailable. */
  cudaBlas(): string;
  /** The selected instructions of bf16 products: `mma` (mma.sync) or `wgmma` (TMA and wgmma, sm_90a). */
  cudaGemm(): GemmBackend;
  /** Selects the instructions of bf16 products. @throws if the device or the build lacks them */
  cudaUseGemm(name: GemmBackend): void;
  /** Number of wgmma kernels launched by this process. */
  cudaWgmmaLaunches(): number;
  cudaSynchronize(): void;
  /** Times the launches between the two calls; the second one waits for them and returns milliseconds of the GPU's clock. */
  cudaStartTimer(): void;
  cudaStopTimer(): number;
  /** Evicts the L2 cache by writing twice its size. */
  cudaFlushCache(): void;
  /** Keeps the GPU busy for about 0.1 ms, so that the host can enqueue launches ahead of it. */
  cudaDelay(): void;
  /**
   * Records the launches of `body` without running them. Copies to and from the host throw. `beside`: a graph that never runs at
   * the same time, so that both may use the memory that neither holds at the end of its recording.
   */
  cudaRecord(body: () => void, beside?: Graph): Graph;
  cudaReplay(graph: Graph): void;
  cudaForget(graph: Graph): void;
  /** The point after all work queued so far, and whether the GPU has passed it. @throws errors of the work before it */
  cudaMark(): GpuEvent;
  cudaPassed(event: GpuEvent): boolean;
  /**
   * Prepares calls on the CPU that `runStart` executes in their order on a thread beside the event loop. Until they are done, the
   * buffers in `made` are theirs alone, and all others that they name can only be read: any other use throws. Freeing is harmless.
   */
  runPrepare(steps: readonly RunStep[], made: readonly Handle[]): Run;
  /** Resolves to undefined, or to the message of the call that failed. One run at a time. */
  runStart(run: Run): Promise<string | undefined>;
  /** Executes no further call of a run; it must still be started. */
  runCancel(run: Run): void;
  /** As `runCancel`, and waits for the call under way. */
  runStop(run: Run): void;
  /** Peak GFLOP/s of all threads or of the whole GPU; for bf16, of its tensor cores. */
  fmaPeak(seconds: number, device?: Device, precision?: Precision): number;
  /** The version of an MPI library. @throws if it cannot be loaded or is not an MPI */
  mpiDescribe(library: string): string;
  /** The version of an NCCL library. @throws if it cannot be loaded, is not NCCL or is too old */
  ncclDescribe(library: string): string;
  /**
   * Loads an MPI library and connects this process to the others of its job; once for a process. A call below that waits longer than
   * `timeout` seconds (twice as long on ranks other than 0) for a rank returns with the ranks that are late ([-1] if the library itself
   * hangs). @throws there and below if a library reports a fault or a rank has ended
   */
  commInitMpi(library: string, timeout: number): World;
  /** As `commInitMpi`, by TCP: rank 0 listens at the port, the others connect to the host. */
  commInitTcp(host: string, port: number, rank: number, size: number, timeout: number): World;
  /** Connects the GPUs of all ranks by NCCL; `commReduce` of tensors on the GPU needs it. */
  commUseNccl(library: string): number[];
  /** Gathers the bytes of all ranks in their order. */
  commGather(from: ArrayBufferView, into: ArrayBufferView, ranks: number): number[];
  /** Copies the bytes of rank `root` to all others. */
  commBroadcast(bytes: ArrayBufferView, root: number): number[];
  /**
   * Starts the sum of gradients over the slices of all ranks: `nodes` are the sums of this rank's slices (native/runtime/slice_tree.h),
   * each with all tensors, null where no slice has been read. Returns a number for `commWait`, until which no buffer may be touched.
   */
  commReduce(
    slices: number,
    nodes: readonly (readonly (Handle | null)[])[],
    sums: readonly Handle[],
    fast: boolean,
  ): number;
  /** Waits for a sum and all before it. */
  commWait(job: number): number[];
  /** Bytes sent in sums so far, and seconds in which one was under way. */
  commTraffic(): { bytes: number; seconds: number };
  /** Disconnects, when all ranks have come this far. Returns false if the library does not let go. */
  commFinalize(): boolean;
  /**
   * Ends the job with this exit status: all ranks. Does nothing if they are not connected; ends this process alone if it did not
   * disconnect.
   */
  commAbort(status: number): void;
  kernels: NativeKernels;
  /** Kernels that also take bf16. */
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

function throwsOwnErrors(addon: Addon): boolean {
  try {
    addon.setIsa('');
  } catch (error) {
    return error instanceof Error;
  }
  return true;
}

/** A function whose errors are instances of this realm's `Error`. */
const rethrowing =
  (call: (...args: unknown[]) => unknown) =>
  (...args: unknown[]): unknown => {
    try {
      return call(...args);
    } catch (error) {
      if (error instanceof Error || !isNativeError(error)) throw error;
      const { message, stack } = error as Error;
      throw Object.assign(new Error(message, { cause: error }), { stack });
    }
  };

const eachRethrowing = <T extends object>(functions: T): T =>
  Object.fromEntries(
    Object.entries(functions).map(([name, value]) => [name, typeof value === 'function' ? rethrowing(value) : value]),
  ) as T;

/**
 * Jest and `node:vm` give code a realm of its own, with its own `Error`; the addon throws those of Node's. There its functions are
 * wrapped, so that `instanceof Error` and `toThrow(Error)` hold; elsewhere they are called as they are.
 */
function inThisRealm(addon: Addon): Addon {
  if (throwsOwnErrors(addon)) return addon;
  return eachRethrowing({ ...addon, kernels: eachRethrowing(addon.kernels) });
}

function load(): Addon {
  const { addon, file } = loadAddon<Addon>();
  checkKernels(addon, file);
  return inThisRealm(addon);
}

/** The addon, loaded and checked against `OPS`. */
export const native: Addon = load();
