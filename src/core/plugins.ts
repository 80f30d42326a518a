/** Kernels out of other libraries (`include/morphmlp_kernel.h`), and which of them stand in for ours at the moment: layers of the dispatcher. */
import path from 'node:path';
import { addLayer, withLayer, type Backend, type GradientRule, type Layer } from './dispatch';
import type { KernelArguments } from './kernels';
import { native, type PluginDescription, type PluginTensor } from './native';
import type { Device, Handle, Operand } from './operand';
import { requireDevice } from './runtime';

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

/** A tensor that a plugin is given, and the shape that it sees. */
type Given = readonly [tensor: Operand | null, shape: readonly number[]];

/** What a plugin is called with, in the order of the header; null for a bias that is not there. */
interface PluginCall {
  inputs: Readonly<Record<string, Given>>;
  attributes: Readonly<Record<string, number>>;
  y: Given;
}

/** A kernel that a plugin stands in for, and how its arguments become those of a plugin; null where it stays ours. */
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
      ? null // in one pass with the GELU: not the header's op
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

/** A plugin said that it is not made for these shapes. */
export class UnsupportedError extends Error {}

/** Is given each run of a plugin: its direction before, null when it is over. */
export type PluginWatcher = (plugin: Plugin, direction: 'forward' | 'backward' | null) => void;

let watcher: PluginWatcher | null = null;

/** Calls `watch` before and after each run of a plugin, so that it is known what ran when nothing comes back; null ends it. */
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

/** The plugin's gradient: a plugin that has none leaves the op without one. */
function ruleOf(below: Backend, plugin: Plugin, { inputs, attributes, y: [, shape] }: PluginCall): GradientRule {
  const shapes = Object.entries(inputs).map(([name, [, shape]]) => [name, shape] as const);
  const backward: GradientRule['backward'] = (dy, tensors, gradients) => {
    const given = shapes.map(([name, shape], i) => tensorOf(name, shape, tensors[i]));
    const wanted = shapes.map(([name, shape], i) => tensorOf(`d${name}`, shape, gradients[i]));
    run(below, plugin, true, attributes, [...given, tensorOf('dy', shape, dy)], wanted);
  };
  return { op: `${plugin.op} of ${plugin.name}`, backward: plugin.backward ? backward : null };
}

/** The layer in which a plugin takes the calls of its op's forward, and gives the gradient of what it made. */
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

/** The plugins that stand in for an op, the last one for ours. */
let active: readonly Plugin[] = [];

/** The plugin that stands in for an op now. */
export const pluginFor = (op: PluggableOp): Plugin | undefined => active.filter((plugin) => plugin.op === op).at(-1);

/** From now on this plugin stands in for its op; at most one may. */
export function usePlugin(plugin: Plugin): void {
  const before = pluginFor(plugin.op);
  if (before === plugin) return;
  if (before) throw new Error(`${plugin.file}: ${before.file} stands in for ${plugin.op} already`);
  active = [...active, plugin];
  addLayer(layerOf(plugin));
}

/** Lets the plugin stand in for its op while `body` runs. */
export function withPlugin<T>(plugin: Plugin, body: () => T): T {
  const before = active;
  active = [...active, plugin];
  try {
    return withLayer(layerOf(plugin), body);
  } finally {
    active = before;
  }
}
