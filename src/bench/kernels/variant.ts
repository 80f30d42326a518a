import path from 'node:path';
import { backward, noGrad } from '../../core/autograd';
import { scope } from '../../core/scope';
import { native, type GemmBackend, type Precision } from '../../core/native';
import { getDefaultDevice, type Tensor } from '../../core/tensor';
import type { Array64, OpCase } from '../op_cases/case';
import { gradientFor, hasGrad, makeInput, makeTensor, mapInputs, rounded } from '../op_cases/tensors';
import { uniform } from '../op_cases/random';
import { blasPlugins, naivePlugin, withPlugin, type PluggableOp, type Plugin } from '../../core/plugins';
import { baseFlags, kernelFlags } from '../flags';

/** An implementation of an op: ours, or a plugin's that replaces it while `body` runs. */
export interface Variant {
  name: string;
  /** Compiler flags and other distinguishing facts. */
  flags: string;
  /** Whether it implements the backward. */
  backward: boolean;
  /** From a user's library: verified on more shapes and with guard pages. */
  foreign?: true;
  /** A slow reference: a run of seconds is measured once. */
  baseline?: true;
  /** May use faster instructions than those that measure the arithmetic limit. */
  beyondLimit?: true;
  use<T>(body: () => T): T;
}

/** Our own kernels. */
export const OURS: Variant = {
  name: 'morphmlp',
  get flags() {
    return kernelFlags();
  },
  backward: true,
  use: (body) => body(),
};

/** Wraps a plugin as a variant named after its file. */
export function pluginVariant(plugin: Plugin): Variant {
  const { flags, backward, file } = plugin;
  const { name } = path.parse(file);
  return { name, flags, backward, foreign: true, use: (body) => withPlugin(plugin, body) };
}

/** Variants of an op that use BLAS libraries, with copies for the permutations. */
export function blasVariants(op: PluggableOp): Variant[] {
  return blasPlugins(op, getDefaultDevice()).map((plugin) => {
    const { name, flags } = plugin;
    return { name, flags, backward: true, use: (body) => withPlugin(plugin, body) };
  });
}

/** Selects the instructions of bf16 GEMMs while `body` runs. */
const withGemm = (name: GemmBackend) => {
  return <T>(body: () => T): T => {
    const before = native.cudaGemm();
    native.cudaUseGemm(name);
    try {
      return body();
    } finally {
      native.cudaUseGemm(before);
    }
  };
};

/** Why TMA and wgmma are unavailable, or undefined if they are available. */
export function wgmmaUnavailable(): string | undefined {
  try {
    withGemm('wgmma')(() => undefined);
    return undefined;
  } catch (error) {
    return (error as Error).message.replace(/^wgmma is not available: /, '');
  }
}

/** A variant of `linear` in bf16 by TMA and wgmma, if available. It can exceed our limit, which is measured with mma.sync. */
export function wgmmaVariants(op: PluggableOp): Variant[] {
  if (op !== 'linear' || wgmmaUnavailable() !== undefined) return [];
  const use = withGemm('wgmma');
  return [{ name: 'wgmma', flags: use(kernelFlags), backward: true, beyondLimit: true, use }];
}

/** The naive kernel of an op as a variant. */
export function naiveVariant(op: PluggableOp): Variant {
  const plugin = naivePlugin(op, getDefaultDevice());
  return { name: 'naive', flags: baseFlags(), backward: true, baseline: true, use: (body) => withPlugin(plugin, body) };
}

/** The other implementations to rank with plugins: BLAS libraries and the naive kernel, if they take the precision. */
export function peersOf(op: PluggableOp, precision: Precision): Variant[] {
  const takes = [...blasPlugins(op, getDefaultDevice()), naivePlugin(op, getDefaultDevice())].filter(({ dtypes }) =>
    dtypes.includes(precision),
  );
  const names = new Set(takes.map(({ file, name }) => (file === 'built in' ? 'naive' : name)));
  return [...blasVariants(op), naiveVariant(op)].filter(({ name }) => names.has(name));
}

/** Copies of the output and of each input's gradient by name. */
export interface Results {
  y: Float32Array;
  grads: Record<string, Float32Array>;
}

/** Generates the inputs of a case from a seed. */
export function arraysOf(c: OpCase, seed: number): Record<string, Array64> {
  return mapInputs(c, (input, _, i) => makeInput(input, 1000 * seed + i));
}

/** Generates the upstream gradient of a case with `size` output elements. */
export function upstreamOf({ roundings }: OpCase, seed: number, size: number): Float32Array {
  const made = uniform(1000 * seed + 977, size);
  return roundings ? rounded(made) : made;
}

/** Copies and clears the gradients of the inputs. */
export function takeGradients(c: OpCase, inputs: Record<string, Tensor>): Record<string, Float32Array> {
  const grads: Record<string, Float32Array> = {};
  for (const [name, t] of Object.entries(inputs)) {
    if (!hasGrad(c.inputs[name]!)) continue;
    grads[name] = t.grad?.floats() ?? new Float32Array();
    t.grad?.dispose();
    t.grad = null;
  }
  return grads;
}

/** Runs a variant once on this data. @throws if it modified an input */
export function runVariant(c: OpCase, variant: Variant, arrays: Record<string, Array64>, gy: Float32Array): Results {
  return scope(() =>
    variant.use(() => {
      const inputs = mapInputs(c, (input, name) => makeTensor(input, arrays[name]!, variant.backward));
      const output = variant.backward ? c.forward(inputs) : noGrad(() => c.forward(inputs));
      const y = output.floats();
      if (variant.backward) backward(output, gradientFor(output, gy));
      const grads = variant.backward ? takeGradients(c, inputs) : {};
      for (const [name, t] of Object.entries(inputs)) {
        const { dtype = 'f32', updated = false } = c.inputs[name]!;
        if (dtype !== 'i32' && !updated && !sameNumbers(t.floats(), arrays[name]!.data))
          throw new Error(`${variant.name} wrote to its input ${name}`);
      }
      return { y, grads };
    }),
  );
}

const sameNumbers = (a: Float32Array, b: Float64Array): boolean => a.every((v, i) => v === Math.fround(b[i]!));

/** The number of output elements of a case. */
export function outputSize(c: OpCase, arrays: Record<string, Array64>): number {
  return scope(() =>
    noGrad(() => c.forward(mapInputs(c, (input, name) => makeTensor(input, arrays[name]!, false))).size),
  );
}
