/** Plugins: kernels of other libraries (`include/morphmlp_kernel.h`) that replace built-in ones, as layers of the dispatcher. */
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { addLayer, withLayer, type Backend, type GradientRule, type Layer } from './dispatch';
import { native, type PluginDescription, type PluginTensor } from './native';
import type { Device, Handle, Operand } from './operand';
import { CONTRACTS, PLUGGABLE, type PluggableOp, type PluginCall } from './plugin_contracts';
import { requireDevice } from './runtime';

export { PLUGGABLE, type PluggableOp };

/** A kernel for one op. */
export interface Plugin extends PluginDescription {
  op: PluggableOp;
  device: Device;
  /** Path of the library; 'built in' for a naive kernel. */
  file: string;
  /** Values of its tuning parameters. */
  values: Readonly<Record<string, number>>;
}

function checked(found: PluginDescription, file: string): Plugin {
  const { op } = found;
  const known = PLUGGABLE.find((name) => name === op);
  if (!known) throw new Error(`${file}: it is for op '${op}', which is not one of ${PLUGGABLE.join(', ')}`);
  return { ...found, op: known, file, values: Object.fromEntries(found.parameters.map((p) => [p.name, p.values[0]!])) };
}

/** The file that `morphmlp kernel tune` writes beside a library: the values of its parameters. */
export const tunedFile = (file: string): string => `${file}.tuned.json`;

/** The plugin with other values of its parameters. @throws if it has no such parameter, or lacks the value */
export function withValues(plugin: Plugin, values: Readonly<Record<string, number>>): Plugin {
  for (const [name, value] of Object.entries(values)) {
    const parameter = plugin.parameters.find((one) => one.name === name);
    const known = plugin.parameters.map((one) => one.name).join(', ') || 'none';
    if (!parameter) throw new Error(`${plugin.file}: it has no parameter '${name}' (its parameters: ${known})`);
    if (!parameter.values.includes(value))
      throw new Error(`${plugin.file}: ${name} is one of ${parameter.values.join(', ')}, not ${value}`);
  }
  return { ...plugin, values: { ...plugin.values, ...values } };
}

/** The values that `kernel tune` kept for a library; none if it has not been tuned. */
function tunedValues(file: string): Record<string, number> {
  const kept = tunedFile(file);
  if (!existsSync(kept)) return {};
  try {
    const { values } = JSON.parse(readFileSync(kept, 'utf8')) as { values: Record<string, number> };
    if (Object.values(values).every((value) => typeof value === 'number')) return values;
  } catch {
    // reported below
  }
  throw new Error(`${kept}: expected {"values": {"parameter": number}}; remove it, and run kernel tune again`);
}

/** The plugin with the values of its `.tuned.json`. @throws with the name of that file if they are not the plugin's */
function withKept(plugin: Plugin, values: Readonly<Record<string, number>>): Plugin {
  try {
    return withValues(plugin, values);
  } catch (error) {
    const { message } = error as Error;
    throw new Error(`${message}; ${tunedFile(plugin.file)} is of another version of it: remove it`, { cause: error });
  }
}

/** Throws if a plugin is for a device other than `here`, or for an unavailable one. */
export function requirePluginDevice({ file, device }: Pick<Plugin, 'file' | 'device'>, here: Device): void {
  const names = { cpu: 'the CPU', cuda: 'CUDA' };
  if (device !== here) throw new Error(`${file}: it is a kernel for ${names[device]}; --device ${device} runs it`);
  requireDevice(device);
}

/** Loads a plugin library. @throws with the file's name if it is missing or not a plugin of this ABI version */
export function openPlugin(file: string): Plugin {
  const full = path.resolve(file); // the loader searches the system's folders for a name without a slash
  try {
    const plugin = checked(native.pluginOpen(full), full);
    const values = tunedValues(full);
    const chosen = Object.entries(values).map(([name, value]) => `${name}=${value}`);
    const flags = chosen.length > 0 ? `${plugin.flags}; tuned: ${chosen.join(' ')}` : plugin.flags;
    return withKept({ ...plugin, flags }, values);
  } catch (error) {
    const { message } = error as Error;
    throw new Error(message.startsWith(full) ? message : `${full}: ${message}`, { cause: error });
  }
}

/** The naive kernel of an op on a device, the baseline of benchmarks. */
export function naivePlugin(op: PluggableOp, device: Device = 'cpu'): Plugin {
  const found = native.pluginNaive(op, device);
  if (!found) throw new Error(`there is no naive kernel for ${op}`);
  return { ...checked(found, op), file: 'built in' };
}

/**
 * Kernels of an op that call the BLAS libraries on this machine: MKL, OpenBLAS, BLIS, or the library in MORPHMLP_BLAS; on a GPU
 * cuBLASLt.
 */
export function blasPlugins(op: PluggableOp, device: Device = 'cpu'): Plugin[] {
  return native.pluginBlas(op, device).map((found) => ({ ...checked(found, op), file: found.flags }));
}

/** Thrown when a plugin does not support the given shapes. */
export class UnsupportedError extends Error {}

/** Called before each plugin run with its direction, and after it with null. */
export type PluginWatcher = (plugin: Plugin, direction: 'forward' | 'backward' | null) => void;

let watcher: PluginWatcher | null = null;

/** Calls `watch` before and after each plugin run, so that a hang or crash can be attributed; null removes the watcher. */
export function watchPlugins(watch: PluginWatcher | null): void {
  watcher = watch;
}

function run(
  { pluginRun }: Backend,
  plugin: Plugin,
  backward: boolean,
  attributes: PluginCall['attributes'],
  inputs: PluginTensor[],
  outputs: PluginTensor[],
): void {
  const direction = backward ? 'backward' : 'forward';
  watcher?.(plugin, direction);
  try {
    const given = Object.entries({ ...attributes, ...plugin.values });
    pluginRun(plugin.plugin, backward, given, inputs, outputs);
    watcher?.(plugin, null);
  } catch (error) {
    const { message } = error as Error;
    const Kind = message.startsWith('unsupported: ') ? UnsupportedError : Error;
    throw new Kind(`${plugin.name} (${plugin.file}), ${direction} of ${plugin.op}: ${message}`, { cause: error });
  }
}

const tensorOf = (name: string, shape: readonly number[], t: Operand | null | undefined): PluginTensor => [
  name,
  shape,
  t?.handle ?? null,
];

/** The names and shapes of a call's tensors, in its order. */
const shapesOf = (tensors: PluginCall['inputs'] = {}) =>
  Object.entries(tensors).map(([name, [, shape]]) => [name, shape] as const);

/** The plugin's gradient. If the plugin has none, the op has none. */
function ruleOf(
  below: Backend,
  plugin: Plugin,
  { inputs, constants, attributes, y: [, shape] }: PluginCall,
): GradientRule {
  const [shapes, fixed] = [shapesOf(inputs), shapesOf(constants)];
  const backward: GradientRule['backward'] = (dy, tensors, gradients) => {
    const given = [...shapes, ...fixed].map(([name, shape], i) => tensorOf(name, shape, tensors[i]));
    const asked = fixed.find((_, i) => gradients[shapes.length + i]);
    if (asked) throw new Error(`${plugin.file}: ${plugin.op} has no gradient of ${asked[0]}`);
    const wanted = shapes.map(([name, shape], i) => tensorOf(`d${name}`, shape, gradients[i]));
    run(below, plugin, true, attributes, [...given, tensorOf('dy', shape, dy)], wanted);
  };
  return { op: `${plugin.op} of ${plugin.name}`, backward: plugin.backward ? backward : null };
}

/** A layer that runs a plugin for the forward of its op and returns the plugin's gradient for the outputs. */
function layerOf(plugin: Plugin): Layer {
  const kernel = `${plugin.op}_forward`;
  const contract = CONTRACTS[plugin.op] as (a: unknown) => PluginCall | null;
  const rules = new WeakMap<Handle, GradientRule>(); // of outputs that are not in the graph yet
  const forward = (below: Backend, call: PluginCall): void => {
    const [y, shape] = call.y;
    requirePluginDevice(plugin, y!.device);
    const all = Object.entries({ ...call.inputs, ...call.constants });
    const given = all.map(([input, [tensor, shape]]) => tensorOf(input, shape, tensor));
    run(below, plugin, false, call.attributes, given, [tensorOf('y', shape, y)]);
    rules.set(y!.handle, ruleOf(below, plugin, call));
  };
  const over = (below: Backend): Partial<Backend> => ({
    launch(name, args) {
      const call = name === kernel ? contract(args) : null;
      if (call) forward(below, call);
      else below.launch(name, args);
    },
    computeWhole(op, args) {
      const call = op === plugin.op ? contract(args) : null;
      if (!call) return below.computeWhole(op, args);
      forward(below, call);
      return true;
    },
    bufferFree(handle) {
      rules.delete(handle); // handles are used again
      below.bufferFree(handle);
    },
    gradientRule(output) {
      const rule = rules.get(output.handle);
      rules.delete(output.handle); // a view of it is another op's output
      return rule ?? below.gradientRule(output);
    },
  });
  return { replaces: [plugin.op], over };
}

/** Active plugins, in the order in which they were added. */
let active: readonly Plugin[] = [];

/** The active plugin of an op. */
export const pluginFor = (op: PluggableOp): Plugin | undefined => active.filter((plugin) => plugin.op === op).at(-1);

/** Replaces an op by a plugin for the rest of the process. @throws if the op is already replaced */
export function usePlugin(plugin: Plugin): void {
  const before = pluginFor(plugin.op);
  if (before === plugin) return;
  if (before) throw new Error(`${plugin.file}: ${before.file} already replaces ${plugin.op}`);
  active = [...active, plugin];
  addLayer(layerOf(plugin));
}

/** Runs `body` with an op replaced by a plugin. */
export function withPlugin<T>(plugin: Plugin, body: () => T): T {
  const before = active;
  active = [...active, plugin];
  try {
    return withLayer(layerOf(plugin), body);
  } finally {
    active = before;
  }
}
