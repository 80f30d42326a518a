import { withLayer, type Backend } from '../core/dispatch';
import type { KernelArguments, KernelName } from '../core/kernels';
import { native, type DType, type Handle } from '../core/native';
import type { NamedTensor } from '../nn/module';
import { resetPeakMemory } from '../core/runtime';
import { getDefaultDevice } from '../core/tensor';
import { workOf } from './op_cost';

/** The phase of a step in which a kernel was called. */
export type Phase = 'forward' | 'backward' | 'update';

/** A profiled kernel call. */
export interface KernelCall {
  kernel: KernelName;
  phase: Phase;
  /** The layer of the call, derived from its parameters: `blocks1.0.fc`, `patch_embed1.proj1`, `head`, `loss`, `optimizer`. */
  layer: string;
  shape: string;
  macs: number;
  /** Bytes of the buffers read, each counted once: the least traffic. */
  read: number;
  /** Bytes of the buffers written, each counted once. */
  written: number;
  /** Start time by `performance.now()`, in ms. */
  start: number;
  /** Duration in ms. */
  ms: number;
  /** Bytes of all live tensors when it begins, including its outputs. */
  live: number;
  /** Peak bytes during the call, including its workspace. */
  peak: number;
}

const WIDTH: Readonly<Record<DType, number>> = { f32: 4, i32: 4, bf16: 2, u8: 1 };

/** Maps the first module of a parameter's name within its block to the block's part, which is one fused op. */
const PARTS: Readonly<Record<string, string>> = {
  ...{ t_norm1: 't_fc', t_fc: 't_fc' },
  ...{ norm1: 'fc', fc: 'fc' },
  ...{ norm2: 'mlp', mlp: 'mlp' },
};

/** Assigns a norm to its fused op: `blocks1.0.norm2` → `blocks1.0.mlp`, `patch_embed1.norm1` → `patch_embed1.proj1`. */
function partOf(layer: string): string {
  const [, convolution] = /^patch_embed1\.norm(\d)$/.exec(layer) ?? [];
  if (convolution) return `patch_embed1.proj${convolution}`;
  const [, block, first, rest = ''] = /^(blocks\d\.\d+)\.(\w+)(\..*)?$/.exec(layer) ?? [];
  return block && first ? `${block}.${PARTS[first] ?? first}${rest}` : layer;
}

/** The longest common prefix of layer names: `a.b` for `a.b.c` and `a.b.d`. */
function commonPrefix(layers: readonly string[]): string {
  const [first = [], ...others] = layers.map((layer) => layer.split('.'));
  const differs = first.findIndex((word, i) => others.some((words) => words[i] !== word));
  return (differs < 0 ? first : first.slice(0, differs)).join('.');
}

/** The layer name of kernels outside of the model, or undefined. */
function layerOutsideModel(kernel: KernelName): string | undefined {
  if (kernel.startsWith('cross_entropy')) return 'loss';
  return /^(adamw|sgd|grad_norm)/.test(kernel) ? 'optimizer' : undefined;
}

/** Runs a kernel and returns its start time and duration in ms. */
type Stopwatch = (run: () => void) => Pick<KernelCall, 'start' | 'ms'>;

const onHost: Stopwatch = (run) => {
  const start = performance.now();
  run();
  return { start, ms: performance.now() - start };
};

/** Times by the GPU's own timer after synchronising, so that earlier calls do not count. */
const onGpu: Stopwatch = (run) => {
  native.cudaSynchronize();
  const start = performance.now();
  native.cudaStartTimer();
  run();
  return { start, ms: native.cudaStopTimer() };
};

/** Records every kernel call of a network with its layer, work, time and memory. */
export class Profiler {
  /** The phase assigned to calls. */
  phase: Phase = 'forward';
  private calls: KernelCall[] = [];
  private readonly bytes = new WeakMap<Handle, number>();
  /** The layer of each parameter, and for other buffers that of the call that wrote them. */
  private readonly layers = new WeakMap<Handle, string>();
  private readonly parameters = new WeakSet<Handle>();

  constructor(tensors: readonly NamedTensor[]) {
    for (const [name, { handle, size, dtype }] of tensors) {
      this.bytes.set(handle, size * WIDTH[dtype]);
      this.parameters.add(handle);
      this.layers.set(handle, partOf(name.split('.').slice(0, -1).join('.') || name));
    }
  }

  /** Returns the calls since the last `takeCalls`. */
  takeCalls(): KernelCall[] {
    const taken = this.calls;
    this.calls = [];
    return taken;
  }

  /** Profiles `body`. Every tensor passed to a kernel must belong to the network or be created within `body`. */
  profile<T>(body: () => T): T {
    return withLayer({ over: (below) => this.over(below) }, () => {
      resetPeakMemory();
      return body();
    });
  }

  private over(below: Backend): Partial<Backend> {
    const device = getDefaultDevice();
    const time = device === 'cuda' ? onGpu : onHost;
    return {
      bufferNew: (dtype, where, length) => {
        const handle = below.bufferNew(dtype, where, length);
        this.bytes.set(handle, length * WIDTH[dtype]);
        this.layers.delete(handle); // handles are used again
        this.parameters.delete(handle);
        return handle;
      },
      launch: (kernel, args) => {
        const described = this.describe(kernel, args);
        const { live } = below.memory(device);
        const timed = time(() => below.launch(kernel, args));
        this.calls.push({ ...described, ...timed, live, peak: below.memory(device).peak });
        below.memoryResetPeak();
      },
    };
  }

  private describe<K extends KernelName>(kernel: K, args: KernelArguments[K]) {
    const { macs, shape, read, written } = workOf(kernel, args);
    const layer = layerOutsideModel(kernel) ?? this.layerOf([...read, ...written]);
    if (layer) this.nameEarlier(layer);
    const sum = (handles: readonly Handle[]) => handles.reduce((total, h) => total + this.sizeOf(kernel, h), 0);
    for (const handle of written) if (!read.includes(handle)) this.layers.set(handle, layer);
    return { kernel, phase: this.phase, layer, shape, macs, read: sum(read), written: sum(written) };
  }

  /** The layer of a call: of its parameters, or else of the calls that wrote its inputs; '' without inputs. */
  private layerOf(buffers: readonly Handle[]): string {
    const of = (handles: readonly Handle[]) => handles.flatMap((handle) => this.layers.get(handle) ?? []);
    const own = of(buffers.filter((handle) => this.parameters.has(handle)));
    return own.length > 0 ? commonPrefix(own) : (of(buffers)[0] ?? '');
  }

  /** Assigns preceding calls without inputs (the factors of drop path) to this layer. */
  private nameEarlier(layer: string): void {
    for (let i = this.calls.length - 1; i >= 0 && this.calls[i]!.layer === ''; i--) this.calls[i]!.layer = layer;
  }

  private sizeOf(kernel: KernelName, handle: Handle): number {
    const bytes = this.bytes.get(handle);
    if (bytes === undefined)
      throw new Error(`study: expected ${kernel} to use tensors created while profiling, got an older one`);
    return bytes;
  }
}
