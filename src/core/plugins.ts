/** Kernels out of other libraries (`include/morphmlp_kernel.h`), and which of them stand in for ours at the moment. */
import path from 'node:path';
import { record } from './autograd';
import { native, type Device, type PluginDescription, type PluginTensor } from './native';
import { requireDevice } from './runtime';
import { emptyLike, type Shape, type Tensor } from './tensor';

/** The ops that a plugin can replace. */
export const PLUGGABLE = ['gelu', 'layer_norm', 'linear', 'morph_fc', 'temporal_fc'] as const;

/** An op that a plugin can replace. */
export type PluggableOp = (typeof PLUGGABLE)[number];

/** A kernel for one op. */
export interface Plugin extends PluginDescription {
  op: PluggableOp;
  device: Device;
  /** Where it came from; 'built in' for a naive one. */
  file: string;
}

function checked(found: PluginDescription, file: string): Plugin {
  const { op } = found;
  const known = PLUGGABLE.find((name) => name === op);
  if (!known) throw new Error(`${file}: it is for op '${op}', which is not one of ${PLUGGABLE.join(', ')}`);
  return { ...found, op: known, file };
}

/** Throws where a kernel is for another device than this one, or for one that is not there. */
export function requirePluginDevice({ file, device }: Pick<Plugin, 'file' | 'device'>, here: Device): void {
  const names = { cpu: 'the CPU', cuda: 'CUDA' };
  if (device !== here) throw new Error(`${file}: it is a kernel for ${names[device]}; --device ${device} runs it`);
  requireDevice(device);
}

/** Loads a library; throws, with the file's name, where it is not there or not a kernel of this version. */
export function openPlugin(file: string): Plugin {
  const full = path.resolve(file); // a name without a slash would be looked for in the system's folders
  try {
    return checked(native.pluginOpen(full), full);
  } catch (error) {
    const { message } = error as Error;
    throw new Error(message.startsWith(full) ? message : `${full}: ${message}`, { cause: error });
  }
}

/** The naive kernel of an op on a device: what others are ranked beside. */
export function naivePlugin(op: PluggableOp, device: Device = 'cpu'): Plugin {
  const found = native.pluginNaive(op, device);
  if (!found) throw new Error(`there is no naive kernel for ${op}`);
  return { ...checked(found, op), file: 'built in' };
}

/**
 * The kernels for an op by the matrix product of the BLAS libraries on this machine (MKL, OpenBLAS, BLIS, or what MORPHMLP_BLAS names; on a
 * GPU cuBLASLt).
 */
export function blasPlugins(op: PluggableOp, device: Device = 'cpu'): Plugin[] {
  return native.pluginBlas(op, device).map((found) => ({ ...checked(found, op), file: found.flags }));
}

const active = new Map<PluggableOp, Plugin>();

/** The plugin that stands in for an op now. */
export const pluginFor = (op: PluggableOp): Plugin | undefined => active.get(op);

/** Whether any of these ops is replaced now: then a fused kernel that has them inside must not run. */
export const anyReplaced = (...ops: readonly PluggableOp[]): boolean => ops.some((op) => active.has(op));

/** From now on this plugin stands in for its op; at most one may. */
export function usePlugin(plugin: Plugin): void {
  const before = active.get(plugin.op);
  if (before && before !== plugin) throw new Error(`${plugin.file}: ${before.file} stands in for ${plugin.op} already`);
  active.set(plugin.op, plugin);
}

/** Lets the plugin stand in for its op while `body` runs. */
export function withPlugin<T>(plugin: Plugin, body: () => T): T {
  const before = active.get(plugin.op);
  active.set(plugin.op, plugin);
  try {
    return body();
  } finally {
    if (before) active.set(plugin.op, before);
    else active.delete(plugin.op);
  }
}

/** What a plugin is applied to. */
export interface PluginCall {
  /** In the order of the header, with the shapes that the plugin is told; null for a bias that is not there. */
  inputs: Record<string, { tensor: Tensor | null; shape: Shape }>;
  attributes: Record<string, number>;
  /** Of the output, and as the plugin is told it. */
  shape: Shape;
  told: Shape;
}

/** A plugin said that it is not made for these shapes. */
export class UnsupportedError extends Error {}

/** Told of each run of a plugin: its direction before, null when it is over. */
export type PluginWatcher = (plugin: Plugin, direction: 'forward' | 'backward' | null) => void;

let watcher: PluginWatcher | null = null;

/** Calls `watch` before and after each run of a plugin, so that it is known what ran when nothing comes back; null ends it. */
export function watchPlugins(watch: PluginWatcher | null): void {
  watcher = watch;
}

function run(plugin: Plugin, backward: boolean, call: PluginCall, inputs: PluginTensor[], outputs: PluginTensor[]) {
  const direction = backward ? 'backward' : 'forward';
  watcher?.(plugin, direction);
  try {
    native.pluginRun(plugin.plugin, backward, Object.entries(call.attributes), inputs, outputs);
    watcher?.(plugin, null);
  } catch (error) {
    const { message } = error as Error;
    const Kind = message.startsWith('unsupported: ') ? UnsupportedError : Error;
    throw new Kind(`${plugin.name} (${plugin.file}), ${direction} of ${plugin.op}: ${message}`, { cause: error });
  }
}

/** Runs the plugin's forward and enters it into the graph, with its backward: one that has none throws where a gradient is wanted. */
export function applyPlugin(plugin: Plugin, call: PluginCall): Tensor {
  const entries = Object.entries(call.inputs);
  const given = (tensors: readonly (Tensor | null)[]): PluginTensor[] =>
    entries.map(([name, { shape }], i) => [name, shape, tensors[i]?.handle ?? null]);
  const tensors = entries.map(([, { tensor }]) => tensor);
  requirePluginDevice(plugin, tensors[0]!.device);
  const y = emptyLike(tensors[0]!, call.shape);
  run(plugin, false, call, given(tensors), [['y', call.told, y.handle]]);
  const backward = (dy: Tensor, saved: Tensor[], needs: readonly boolean[]): (Tensor | null)[] => {
    let next = 0;
    const inputs = tensors.map((t) => (t ? saved[next++]! : null));
    const grads = inputs.map((t, i) => (t && needs[i] ? emptyLike(t) : null));
    const outputs = entries.map(([name, { shape }], i): PluginTensor => [`d${name}`, shape, grads[i]?.handle ?? null]);
    run(plugin, true, call, [...given(inputs), ['dy', call.told, dy.handle]], outputs);
    return grads;
  };
  return record({
    op: `${plugin.op} of ${plugin.name}`,
    inputs: tensors,
    output: y,
    saved: tensors,
    backward: plugin.backward ? backward : null,
  });
}
