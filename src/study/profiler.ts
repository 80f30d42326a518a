import { withLayer, type Backend } from '../core/dispatch';
import type { KernelArguments, KernelName } from '../core/kernels';
import { native, type DType, type Handle } from '../core/native';
import type { NamedTensor } from '../nn/module';
import { resetPeakMemory } from '../core/runtime';
import { getDefaultDevice } from '../core/tensor';
import { workOf } from './op_cost';

/** Where in a step a kernel was called. */
export type Phase = 'forward' | 'backward' | 'update';

/** One call of a kernel. */
export interface KernelCall {
  kernel: KernelName;
  phase: Phase;
  /** The layer it works for, by the parameters it was given: `blocks1.0.fc`, `patch_embed1.proj1`, `head`, `loss`, `optimizer`. */
  layer: string;
  shape: string;
  macs: number;
  /** Bytes of the buffers that it reads and that it writes, each once: the least that must move. */
  read: number;
  written: number;
  /** When it began, on the clock of `performance.now()`, and how long it took, in milliseconds. */
  start: number;
  ms: number;
  /** Bytes of all live tensors as it begins (its outputs are there by then), and the most until it ends, its workspace included. */
  live: number;
  peak: number;
}

const WIDTH: Readonly<Record<DType, number>> = { f32: 4, i32: 4, bf16: 2, u8: 1 };

/** The parts of a block, each of which is one fused op: the first module of a parameter's name within its block → the part. */
const PARTS: Readonly<Record<string, string>> = {
  ...{ t_norm1: 't_fc', t_fc: 't_fc' },
  ...{ norm1: 'fc', fc: 'fc' },
  ...{ norm2: 'mlp', mlp: 'mlp' },
};

/** `blocks1.0.norm2` → `blocks1.0.mlp`, `patch_embed1.norm1` → `patch_embed1.proj1`: the norm of a fused op belongs to it. */
function partOf(layer: string): string {
  const [, convolution] = /^patch_embed1\.norm(\d)$/.exec(layer) ?? [];
  if (convolution) return `patch_embed1.proj${convolution}`;
  const [, block, first, rest = ''] = /^(blocks\d\.\d+)\.(\w+)(\..*)?$/.exec(layer) ?? [];
  return block && first ? `${block}.${PARTS[first] ?? first}${rest}` : layer;
}

/** What layers have in common: of `a.b.c` and `a.b.d`, `a.b`. */
function common(layers: readonly string[]): string {
  const [first = [], ...others] = layers.map((layer) => layer.split('.'));
  const differs = first.findIndex((word, i) => others.some((words) => words[i] !== word));
  return (differs < 0 ? first : first.slice(0, differs)).join('.');
}

/** Kernels that belong to no layer. */
function besideLayers(kernel: KernelName): string | undefined {
  if (kernel.startsWith('cross_entropy')) return 'loss';
  return /^(adamw|sgd|grad_norm)/.test(kernel) ? 'optimizer' : undefined;
}

/** Runs a kernel and tells when it began and how many milliseconds it took. */
type Stopwatch = (run: () => void) => Pick<KernelCall, 'start' | 'ms'>;

const onHost: Stopwatch = (run) => {
  const start = performance.now();
  run();
  return { start, ms: performance.now() - start };
};

/** By the GPU's own timer, from a GPU that waits: what earlier calls began counts for them. */
const onGpu: Stopwatch = (run) => {
  native.cudaSynchronize();
  const start = performance.now();
  native.cudaStartTimer();
  run();
  return { start, ms: native.cudaStopTimer() };
};

/** Watches the kernels of a network: every call with its layer, its work, its time and the memory at that moment. */
export class KernelWatch {
  /** The phase that calls are noted under. */
  phase: Phase = 'forward';
  private calls: KernelCall[] = [];
  private readonly bytes = new WeakMap<Handle, number>();
  /** The layer of each parameter, and of the call that made each other buffer. */
  private readonly layers = new WeakMap<Handle, string>();
  private readonly parameters = new WeakSet<Handle>();

  constructor(tensors: readonly NamedTensor[]) {
    for (const [name, { handle, size, dtype }] of tensors) {
      this.bytes.set(handle, size * WIDTH[dtype]);
      this.parameters.add(handle);
      this.layers.set(handle, partOf(name.split('.').slice(0, -1).join('.') || name));
    }
  }

  /** The calls since the last time it was asked. */
  take(): KernelCall[] {
    const taken = this.calls;
    this.calls = [];
    return taken;
  }

  /** Watches while `body` runs. Tensors that kernels are given must be the network's, or made in it. */
  during<T>(body: () => T): T {
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
        const noted = this.note(kernel, args);
        const { live } = below.memory(device);
        const timed = time(() => below.launch(kernel, args));
        this.calls.push({ ...noted, ...timed, live, peak: below.memory(device).peak });
        below.memoryResetPeak();
      },
    };
  }

  private note<K extends KernelName>(kernel: K, args: KernelArguments[K]) {
    const { macs, shape, read, written } = workOf(kernel, args);
    const layer = besideLayers(kernel) ?? this.layerOf([...read, ...written]);
    if (layer) this.nameEarlier(layer);
    const sum = (handles: readonly Handle[]) => handles.reduce((total, h) => total + this.sizeOf(kernel, h), 0);
    for (const handle of written) if (!read.includes(handle)) this.layers.set(handle, layer);
    return { kernel, phase: this.phase, layer, shape, macs, read: sum(read), written: sum(written) };
  }

  /** By its parameters; without any, by what made its inputs; '' without inputs. */
  private layerOf(buffers: readonly Handle[]): string {
    const of = (handles: readonly Handle[]) => handles.flatMap((handle) => this.layers.get(handle) ?? []);
    const own = of(buffers.filter((handle) => this.parameters.has(handle)));
    return own.length > 0 ? common(own) : (of(buffers)[0] ?? '');
  }

  /** A call without inputs (the factors of drop path) works for the call after it. */
  private nameEarlier(layer: string): void {
    for (let i = this.calls.length - 1; i >= 0 && this.calls[i]!.layer === ''; i--) this.calls[i]!.layer = layer;
  }

  private sizeOf(kernel: KernelName, handle: Handle): number {
    const bytes = this.bytes.get(handle);
    if (bytes === undefined) throw new Error(`study: ${kernel} was given a tensor from before the watch began`);
    return bytes;
  }
}
