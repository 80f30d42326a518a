/**
 * The dispatcher: every call from the engine to a device goes through it. Layers (a dry run, a profiler, a plugin, an injected
 * fault) are stacked on the device; ops, tensors and autograd do not know about them.
 */
import { launchers, methods, type KernelArguments, type KernelName, type NormSpatialApply } from './kernels';
import { native, type Addon, type DType } from './native';
import type { Device, Handle, Operand } from './operand';
import { refuseAsync } from './scope';

/** A gradient that replaces an op's own. Only the op's inputs are saved for it. */
export interface GradientRule {
  /** Op name for messages. */
  op: string;
  /** Writes the gradients that are not null, one per input. null if the op has no gradient. */
  backward: ((dy: Operand, inputs: readonly (Operand | null)[], gradients: readonly (Operand | null)[]) => void) | null;
}

/** Arguments of `norm_spatial` as a whole. */
interface WholeNormSpatial extends Pick<
  NormSpatialApply,
  | 'clips'
  | 'steps'
  | 'height'
  | 'width'
  | 'channels'
  | 'chunk'
  | 'strided'
  | 'x'
  | 'xt'
  | 'gamma'
  | 'beta'
  | 'weight'
  | 'bias'
  | 'proj'
  | 'projBias'
  | 'scale'
  | 'y'
> {
  eps: number;
  /** Width of the FCs that weigh the branches. */
  hidden: number;
  fc1: Operand;
  fc1Bias: Operand;
  fc2: Operand;
  fc2Bias: Operand;
}

/** Ops of several kernels that a layer may compute at once, with their arguments. */
export interface WholeOps {
  norm_spatial: WholeNormSpatial;
}

/** Functions that the engine calls: kernels, memory, plugins. */
export interface Backend extends Pick<
  Addon,
  'bufferVersion' | 'bufferWrite' | 'bufferRead' | 'memory' | 'memoryResetPeak' | 'pluginRun'
> {
  bufferNew(dtype: DType, device: Device, length: number): Handle;
  /** Frees a buffer whose handle nobody uses any more: the next `bufferNew` may give it again. */
  bufferFree(handle: Handle): void;
  launch<K extends KernelName>(kernel: K, args: KernelArguments[K]): void;
  /** Computes an op of several kernels at once; false if no layer does, and its kernels must run. */
  computeWhole<K extends keyof WholeOps>(op: K, args: WholeOps[K]): boolean;
  /** The replacement gradient of the op that made this output; null if the op's own applies. */
  gradientRule(output: Operand): GradientRule | null;
}

/** Intercepts calls between the engine and the device. */
export interface Layer {
  /** Ops that the layer computes itself: kernels that fuse them must not run. */
  replaces?: readonly string[];
  /** Returns replacements for functions of the backend below. */
  over(below: Backend): Partial<Backend>;
}

const calls = launchers(native.kernels);

/** Freed handles, used again: objects of Node-API that are dropped pile up until the event loop turns. */
const spare: Handle[] = [];

const device: Backend = {
  launch: (kernel, args) => calls[kernel](args),
  computeWhole: () => false,
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
  top = next.reduce((below, layer) => ({ ...below, ...layer.over(below) }), device);
  layers = next;
}

/** Adds a layer on top of all others. Returns a function that removes it. */
export function addLayer(layer: Layer): () => void {
  const added = { ...layer };
  setLayers([...layers, added]);
  return () => setLayers(layers.filter((other) => other !== added));
}

/** Runs `body` with a layer on top of all others. */
export function withLayer<T>(layer: Layer, body: () => T): T {
  const remove = addLayer(layer);
  try {
    return refuseAsync('withLayer', body());
  } finally {
    remove();
  }
}

/** True if a layer replaces one of these ops: a kernel that fuses them must then not run. */
export const isReplaced = (...ops: readonly string[]): boolean =>
  layers.some(({ replaces = [] }) => replaces.some((op) => ops.includes(op)));

/** True if a fused op must run as its parts: a layer replaces one of them, and none replaces the op itself. */
export const runsAsParts = (op: string, ...parts: readonly string[]): boolean =>
  isReplaced(...parts) && !isReplaced(op);

/** True if a layer stands between the engine and the device. */
export const isIntercepted = (): boolean => layers.length > 0;

/** All kernels, as methods with named arguments: `kernels.geluForward({ n, x, y })`. */
export const kernels = methods((kernel, args) => top.launch(kernel, args));

/** Memory, plugins and gradient rules, through the layers. */
export const backend: Omit<Backend, 'launch'> = {
  computeWhole: (op, args) => top.computeWhole(op, args),
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
