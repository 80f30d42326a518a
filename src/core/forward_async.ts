/** Forwards beside the event loop: the kernel calls of a forward are recorded, then executed on a thread of the addon. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Signal } from './abort_signal';
import { noGrad } from './autograd';
import { backend, isIntercepted, withLayer, type Backend, type Layer } from './dispatch';
import { KERNEL_NAMES, launchers, type NativeKernels } from './kernels';
import { native, type Run, type RunStep } from './native';
import { expectOptions } from './options';
import type { Handle, KernelArgument, Operand } from './operand';
import { scopeKeeping, type Scoped } from './scope';

/** Options of `forwardAsync`. */
export interface ForwardAsyncOptions {
  /** Ends the forward before its next kernel: the promise then rejects with the signal's reason, by default an `AbortError`. */
  signal?: Signal | undefined;
}

const onGpu = (args: object): boolean =>
  (Object.values(args).flat() as unknown[]).some((value) => (value as Operand | null)?.device === 'cuda');

/**
 * A layer that records calls on the CPU, and passes on those on a GPU, which only queue work. Memory that the body frees is given to
 * the buffers that it makes later, and to no others, as the recorded calls execute in their order.
 */
class Recording implements Layer {
  readonly steps: RunStep[] = [];
  usesGpu = false;
  /** Buffers made: the kind of memory on the CPU, null on a GPU. */
  private readonly made = new Map<Handle, string | null>();
  private readonly spare = new Map<string, Handle[]>();
  /** Buffers of others, which recorded calls may use. */
  private readonly freed: Handle[] = [];
  private readonly calls = launchers(
    Object.fromEntries(
      KERNEL_NAMES.map((name) => [name, (...args: KernelArgument[]) => void this.steps.push([name, ...args])]),
    ) as unknown as NativeKernels,
  );

  readonly over = (below: Backend): Partial<Backend> => {
    const refuse = (what: string): never => {
      throw new Error(`forwardAsync: the forward ${what}; compute it by calling forward`);
    };
    return {
      launch: (kernel, args) => {
        if (!onGpu(args)) return this.calls[kernel](args);
        this.usesGpu = true;
        below.launch(kernel, args);
      },
      bufferNew: (dtype, device, length) => {
        const kind = device === 'cpu' ? `${dtype} ${length}` : null;
        const handle =
          (kind === null ? undefined : this.spare.get(kind)?.pop()) ?? below.bufferNew(dtype, device, length);
        this.made.set(handle, kind);
        return handle;
      },
      bufferFree: (handle) => {
        const kind = this.made.get(handle);
        if (kind === null) below.bufferFree(handle);
        else if (kind === undefined) this.freed.push(handle);
        else this.spare.set(kind, [...(this.spare.get(kind) ?? []), handle]);
      },
      bufferWrite: (handle, from, first = 0, length) => {
        const kind = this.made.get(handle);
        if (kind === undefined) refuse('overwrites a tensor made outside of it');
        if (kind === null) return below.bufferWrite(handle, from, first, length);
        const bytes = Uint8Array.from(new Uint8Array(from.buffer, from.byteOffset, from.byteLength));
        this.steps.push(['bufferWrite', handle, bytes, length === undefined ? 0 : (first * bytes.length) / length]);
      },
      bufferRead: (handle, into) =>
        this.made.get(handle) ? refuse('reads values that are not computed yet') : below.bufferRead(handle, into),
      pluginRun: () => refuse('runs a plugin'),
    };
  };

  /** The recorded calls, ready to start. */
  prepare(): Run {
    return native.runPrepare(
      this.steps,
      [...this.made].filter(([, kind]) => kind !== null).map(([handle]) => handle),
    );
  }

  /** Frees what the body freed; prepared calls still use it. */
  release(): void {
    for (const handle of [...this.spare.values(), this.freed].flat()) backend.bufferFree(handle);
  }
}

interface Recorded<T> {
  result: T;
  kept: readonly Scoped[];
  run: Run;
  usesGpu: boolean;
}

function record<T>(body: () => T): Recorded<T> {
  if (isIntercepted())
    throw new Error('forwardAsync: not inside of a dry run, of a profile or of another, and not with a plugin in use');
  const recording = new Recording();
  let kept: readonly Scoped[] = [];
  try {
    const made = withLayer(recording, () => scopeKeeping('forwardAsync', () => noGrad(body)));
    kept = made.kept;
    return { ...made, run: recording.prepare(), usesGpu: recording.usesGpu };
  } catch (error) {
    for (const tensor of kept) tensor.dispose();
    throw error;
  } finally {
    recording.release();
  }
}

/** Settles when the run before is done. */
let last: Promise<unknown> = Promise.resolve();
const active = new Set<Run>();

/** Runs end with the process, before the objects that their threads use. */
const stopAll = (): void => active.forEach(native.runStop);

/** Executes a run when those before it are done. Resolves early if it is aborted. @throws the error of a kernel */
async function execute(run: Run, signal: AbortSignal | undefined): Promise<void> {
  if (active.size === 0) process.once('exit', stopAll);
  active.add(run);
  let stop = (): void => undefined;
  const stopped = new Promise<void>((resolve) => {
    stop = () => {
      native.runCancel(run);
      resolve();
    };
  });
  signal?.addEventListener('abort', stop, { once: true });
  const before = last;
  const done = Promise.race([before, stopped]).then(() => native.runStart(run));
  last = Promise.allSettled([before, done]);
  try {
    const failure = await done;
    if (failure !== undefined && !signal?.aborted) throw new Error(failure);
  } finally {
    signal?.removeEventListener('abort', stop);
    active.delete(run);
    if (active.size === 0) process.off('exit', stopAll);
  }
}

/** Waits for the work that is queued on the GPU. */
async function gpuDone(signal: AbortSignal | undefined): Promise<void> {
  const event = native.cudaMark();
  while (!native.cudaPassed(event) && !signal?.aborted) await sleep(1);
}

/**
 * Computes `module.forward(input)` without graph and without holding the event loop: on the CPU its kernels run on a thread of their
 * own, one forward after the other in the order of the calls. The result has the same bits as that of `forward`. What forward returns
 * (a tensor, or tensors in arrays and plain objects) is the caller's; all else that it made is freed.
 *
 * Meanwhile its input and the weights may be read and disposed, also by other forwards; writing them (`optimizer.step()`, `copyFrom`, a BatchNorm
 * that trains) throws. Other ops take turns with its kernels. It ends with its process or worker. A forward that reads values (`item()`,
 * `floats()`) of what it computes is refused.
 * @throws what `forward` throws, the error of a kernel, or the reason of `signal`; nothing that forward made is left then
 */
export async function forwardAsync<Input, Output>(
  module: { forward(input: Input): Output },
  input: Input,
  options: ForwardAsyncOptions = {},
): Promise<Output> {
  expectOptions('forwardAsync', options, { signal: true });
  const { signal } = options;
  if (signal !== undefined && typeof signal?.throwIfAborted !== 'function')
    throw new Error('forwardAsync: signal must be an AbortSignal');
  signal?.throwIfAborted();
  const { result, kept, run, usesGpu } = record(() => module.forward(input));
  try {
    await execute(run, signal);
    if (usesGpu) await gpuDone(signal);
    signal?.throwIfAborted();
    return result;
  } catch (error) {
    for (const tensor of kept) tensor.dispose();
    throw error;
  }
}
