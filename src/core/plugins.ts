/** Plugins: kernels of other libraries (`include/morphmlp_kernel.h`) that replace built-in ones, as layers of the dispatcher. */
import path from 'node:path';
import { addLayer, withLayer, type Backend, type GradientRule, type Layer } from './dispatch';
import type { KernelArguments } from './kernels';
import { native, type PluginDescription, type PluginTensor } from './native';
import type { Device, Handle, Operand } from './operand';
import { requireDevice } from './runtime';

/** Ops that a plugin can replace. */
export const PLUGGABLE = ['gelu', 'layer_norm', 'linear', 'morph_fc', 'temporal_fc'] as const;

/** An op that a plugin can replace. */
export type PluggableOp = (typeof PLUGGABLE)[number];

/** A kernel for one op. */
export interface Plugin extends PluginDescription {
  op: PluggableOp;
  device: Device;
  /** Path of the library; 'built in' for a naive kernel. */
  file: string;
}

function checked(found: PluginDescription, file: string): Plugin {
  const { op } = found;
  const known = PLUGGABLE.find((name) => name === op);
  if (!known) throw new Error(`${file}: it is for op '${op}', which is not one of ${PLUGGABLE.join(', ')}`);
  return { ...found, op: known, file };
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
    return checked(native.pluginOpen(full), full);
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

/** A tensor argument of a plugin, and its shape in the plugin's interface. */
type Given = readonly [tensor: Operand | null, shape: readonly number[]];

/** Arguments of a plugin call, in the order of the header; an absent bias is null. */
interface PluginCall {
  inputs: Readonly<Record<string, Given>>;
  attributes: Readonly<Record<string, number>>;
  y: Given;
}

/** Converts the arguments of a built-in kernel to those of a plugin; null if the built-in kernel must run. */
type Contract<K extends keyof KernelArguments> = (a: KernelArguments[K]) => PluginCall | null;

const CONTRACTS: { [Op in PluggableOp]: Contract<`${Op}_forward`> } = {
  gelu: ({ n, x, y }) => ({ inputs: { x: [x, [n]] }, attributes: {}, y: [y, [n]] }),
  layer_norm: ({ rows, cols, eps, x, gamma, beta, y }) => ({
    inputs: { x: [x, [rows, cols]], gamma: [gamma, [cols]], beta: [beta, [cols]] },
    attributes: { eps },
    y: [y, [rows, cols]],
  }),
  linear: ({ rows, n, k, gelu, x, weight, bias, y }) =>
    gelu
      ? null // the header's op has no fused GELU
      : {
          inputs: { x: [x, [rows, k]], weight: [weight, [n, k]], bias: [bias, [n]] },
          attributes: {},
          y: [y, [rows, n]],
        },
  morph_fc({ frames, height, width, channels, chunk, groups, vertical, strided, x, weight, bias, y }) {
    if (groups !== chunk)
      throw new Error(`morphFc: kernels of others have as many groups as tokens in a chunk, ${chunk}, not ${groups}`);
    const shape = [frames, height, width, channels];
    return {
      inputs: { x: [x, shape], weight: [weight, [channels, channels]], bias: [bias, [channels]] },
      attributes: { chunk, vertical: Number(vertical), strided: Number(strided) },
      y: [y, shape],
    };
  },
  temporal_fc({ clips, steps, positions, channels, groups, x, weight, bias, y }) {
    const [shape, row] = [[clips, steps, positions, channels], steps * (channels / groups)];
    const inputs = { x: [x, shape], weight: [weight, [row, row]], bias: [bias, [row]] } as const;
    return { inputs, attributes: { groups }, y: [y, shape] };
  },
};

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
    pluginRun(plugin.plugin, backward, Object.entries(attributes), inputs, outputs);
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

/** The plugin's gradient. If the plugin has none, the op has none. */
function ruleOf(below: Backend, plugin: Plugin, { inputs, attributes, y: [, shape] }: PluginCall): GradientRule {
  const shapes = Object.entries(inputs).map(([name, [, shape]]) => [name, shape] as const);
  const backward: GradientRule['backward'] = (dy, tensors, gradients) => {
    const given = shapes.map(([name, shape], i) => tensorOf(name, shape, tensors[i]));
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
  const over = (below: Backend): Partial<Backend> => ({
    launch(name, args) {
      const call = name === kernel ? contract(args) : null;
      if (!call) return below.launch(name, args);
      const [y, shape] = call.y;
      requirePluginDevice(plugin, y!.device);
      const given = Object.entries(call.inputs).map(([input, [tensor, shape]]) => tensorOf(input, shape, tensor));
      run(below, plugin, false, call.attributes, given, [tensorOf('y', shape, y)]);
      rules.set(y!.handle, ruleOf(below, plugin, call));
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
