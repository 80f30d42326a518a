/**
 * The one way from the engine to a device. A layer (a dry run, a profiler, a plugin, a test's fault) is put over what is
 * there and taken away again; ops, tensors and autograd do not know which layers there are.
 */
import { launchers, methods, type KernelArguments, type KernelName } from './kernels';
import { native, type Addon, type DType } from './native';
import type { Device, Handle, Operand } from './operand';
import { refuseAsync } from './scope';

/** A gradient in place of an op's own: its inputs are all that is kept for it. */
export interface GradientRule {
  /** The name of the op in messages. */
  op: string;
  /** Writes the gradients that are not null, one for each input. null: there is no gradient. */
  backward: ((dy: Operand, inputs: readonly (Operand | null)[], gradients: readonly (Operand | null)[]) => void) | null;
}

/** What the engine asks for: kernels, memory, runs of plugins. */
export interface Backend extends Pick<
  Addon,
  'bufferVersion' | 'bufferWrite' | 'bufferRead' | 'memory' | 'memoryResetPeak' | 'pluginRun'
> {
  bufferNew(dtype: DType, device: Device, length: number): Handle;
  /** Frees a buffer whose handle nobody uses any more: the next `bufferNew` may give it again. */
  bufferFree(handle: Handle): void;
  launch<K extends KernelName>(kernel: K, args: KernelArguments[K]): void;
  /** The gradient of an op whose output is this, where it is not the op's own. */
  gradientRule(output: Operand): GradientRule | null;
}

/** Something that stands between the engine and the device. */
export interface Layer {
  /** The ops that it computes its own way: kernels in which these are fused must not run. */
  replaces?: readonly string[];
  /** The functions that it puts in place of those below it. */
  over(below: Backend): Partial<Backend>;
}

const calls = launchers(native.kernels);

/** Freed handles, used again: objects of Node-API that are dropped pile up until the event loop turns. */
const spare: Handle[] = [];

const device: Backend = {
  launch: (kernel, args) => calls[kernel](args),
  gradientRule: () => null,
  bufferNew: (dtype, where, length) => native.bufferNew(dtype, where, length, spare.pop()),
  bufferFree: (handle) => void (native.bufferFree(handle) && spare.push(handle)),
  bufferVersion: native.bufferVersion,
  bufferWrite: native.bufferWrite,
  bufferRead: native.bufferRead,
  memory: native.memory,
  memoryResetPeak: native.memoryResetPeak,
  pluginRun: native.pluginRun,
};

let layers: readonly Layer[] = [];
let top = device;

function setLayers(next: readonly Layer[]): void {
  layers = next;
  top = layers.reduce((below, layer) => ({ ...below, ...layer.over(below) }), device);
}

/** Puts a layer over all others; the function that it returns takes it away. */
export function addLayer(layer: Layer): () => void {
  const added = { ...layer };
  setLayers([...layers, added]);
  return () => setLayers(layers.filter((other) => other !== added));
}

/** Puts a layer over all others while `body` runs. */
export function withLayer<T>(layer: Layer, body: () => T): T {
  const remove = addLayer(layer);
  try {
    return refuseAsync('withLayer', body());
  } finally {
    remove();
  }
}

/** Whether a layer computes one of these ops its own way: then a fused kernel that has them inside must not run. */
export const isReplaced = (...ops: readonly string[]): boolean =>
  layers.some(({ replaces = [] }) => replaces.some((op) => ops.includes(op)));

/** The kernels, each a method with named arguments: `kernels.geluForward({ n, x, y })`. */
export const kernels = methods((kernel, args) => top.launch(kernel, args));

/** Memory, and whatever else goes through the layers. */
export const backend: Omit<Backend, 'launch'> = {
  gradientRule: (output) => top.gradientRule(output),
  bufferNew: (dtype, where, length) => top.bufferNew(dtype, where, length),
  bufferFree: (handle) => top.bufferFree(handle),
  bufferVersion: (handle) => top.bufferVersion(handle),
  bufferWrite: (...what) => top.bufferWrite(...what),
  bufferRead: (handle, into) => top.bufferRead(handle, into),
  memory: (where) => top.memory(where),
  memoryResetPeak: () => top.memoryResetPeak(),
  pluginRun: (...what) => top.pluginRun(...what),
};
