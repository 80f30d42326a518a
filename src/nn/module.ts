import type { Device } from '../core/native';
import { show, Tensor, type NumericArray, type Shape } from '../core/tensor';

/** A tensor of a file. */
export interface StoredTensor {
  shape: Shape;
  data: NumericArray;
  /** The reason why the tensor could not be read; reading its shape or data then throws. */
  notRead?: string;
}

/** Tensors marked by `parameter`, which stay parameters while they are frozen. */
const declared = new WeakSet<Tensor>();

/** Returns true for a tensor that was marked by `parameter`, frozen or not, and for one that requires a gradient. */
export const isParameter = (t: Tensor): boolean => t.requiresGrad || declared.has(t);

/**
 * Marks a tensor as a parameter: it takes gradients and outlives every scope. `requiresGrad = false` freezes it: it stays a
 * parameter, takes no gradient, and optimizers leave it as it is.
 */
export function parameter(t: Tensor): Tensor {
  declared.add(t);
  t.requiresGrad = true;
  t.persistent = true;
  return t;
}

/** Marks a tensor as a buffer: part of the state, without gradient. */
export function buffer(t: Tensor): Tensor {
  t.persistent = true;
  return t;
}

/** Names that a module and a state do not share. */
export interface KeyMismatch {
  /** Tensors of the module that the state lacks. */
  missing: string[];
  /** Tensors of the state that the module lacks. */
  unexpected: string[];
}

type Named<T> = [name: string, value: T];

/** A tensor under its full name. */
export type NamedTensor = readonly [name: string, tensor: Tensor];

/**
 * A part of a network, with PyTorch's names and semantics. Its own properties make the tree, in the order they were assigned:
 * tensors are parameters or buffers, as they were marked, modules are children, arrays of modules are children named by index.
 */
export abstract class Module {
  /** True in training mode: dropout, drop path and batch statistics are active. */
  training = true;

  /** The direct children with their names. */
  children(): [name: string, module: Module][] {
    return Object.entries(this).flatMap(([name, value]): Named<Module>[] => {
      if (value instanceof Module) return [[name, value]];
      if (!Array.isArray(value)) return [];
      return value.flatMap((item, i): Named<Module>[] => (item instanceof Module ? [[`${name}.${i}`, item]] : []));
    });
  }

  /** This module and all below it. */
  modules(): Module[] {
    return [this, ...this.children().flatMap(([, child]) => child.modules())];
  }

  /** Parameters and buffers with their full names, in PyTorch's order (own tensors first, then children). */
  namedTensors(prefix = ''): [name: string, tensor: Tensor][] {
    const own = Object.entries(this).filter((entry): entry is Named<Tensor> => entry[1] instanceof Tensor);
    return [
      ...own.map(([name, t]): Named<Tensor> => [prefix + name, t]),
      ...this.children().flatMap(([name, child]) => child.namedTensors(`${prefix}${name}.`)),
    ];
  }

  /** The parameters with their full names, frozen ones too; one that several modules share counts once, by its first name. */
  namedParameters(): [name: string, tensor: Tensor][] {
    return once(this.namedTensors().filter(([, t]) => isParameter(t)));
  }

  /** The buffers (running statistics) with their full names, each once. */
  namedBuffers(): [name: string, tensor: Tensor][] {
    return once(this.namedTensors().filter(([, t]) => !isParameter(t)));
  }

  /** The parameters, frozen ones too. */
  parameters(): Tensor[] {
    return this.namedParameters().map(([, t]) => t);
  }

  /** Writes the full names into the tensors, for messages. Called once by the outermost module. */
  nameTensors(): this {
    for (const [name, t] of this.namedTensors()) t.name = name;
    return this;
  }

  /** Sets training mode here and below. */
  train(mode = true): this {
    for (const module of this.modules()) module.training = mode;
    return this;
  }

  /** Sets evaluation mode here and below. */
  eval(): this {
    return this.train(false);
  }

  /** Moves every tensor to a device, in place. */
  to(device: Device): this {
    for (const module of this.modules()) {
      for (const [name, t] of Object.entries(module)) {
        if (t instanceof Tensor && t.device !== device) Object.assign(module, { [name]: moved(t, device) });
      }
    }
    return this;
  }

  /** Drops all gradients. */
  zeroGrad(): void {
    for (const p of this.parameters()) {
      p.grad?.dispose();
      p.grad = null;
    }
  }

  /** Parameters and buffers by full name. The tensors are the module's own, not copies. */
  stateDict(): Map<string, Tensor> {
    return new Map(this.namedTensors());
  }

  /**
   * Copies values into the parameters and buffers. PyTorch's `num_batches_tracked` counters are ignored.
   * @param state of a file (`load`), or of another module (`stateDict`)
   * @param strict false allows missing and unexpected tensors, but not wrong shapes
   * @returns the names of this module's tensors that `state` lacks, and those of `state` that this module lacks
   * @throws one error that names every missing, unexpected and mis-shaped tensor; nothing has changed then
   */
  loadStateDict(state: ReadonlyMap<string, StoredTensor | Tensor>, { strict = true } = {}): KeyMismatch {
    const own = this.stateDict();
    const names = mismatch(own, state);
    const problems = [...misShaped(own, state), ...(strict ? misNamed(names) : [])];
    if (problems.length > 0) throw new Error(`the weights do not fit this model:\n  ${problems.join('\n  ')}`);
    for (const [name, t] of own) {
      const stored = state.get(name);
      if (stored) t.copyFrom(valuesFor(t, stored));
    }
    return names;
  }

  /** Frees all parameters, gradients and buffers. */
  dispose(): void {
    this.zeroGrad();
    for (const [, t] of this.namedTensors()) t.dispose();
  }
}

function moved(t: Tensor, device: Device): Tensor {
  const there = t.to(device);
  if (declared.has(t)) declared.add(there);
  there.requiresGrad = t.requiresGrad;
  there.persistent = t.persistent;
  there.name = t.name;
  t.dispose();
  return there;
}

/** Elements to copy into `t`: a tensor of another float type is widened, never read as bits. */
function valuesFor(t: Tensor, stored: StoredTensor | Tensor): NumericArray {
  if (!(stored instanceof Tensor)) return stored.data;
  return stored.dtype === t.dtype ? stored.data() : stored.floats();
}

/** Each tensor once, by its first name. */
function once(named: [name: string, tensor: Tensor][]): [name: string, tensor: Tensor][] {
  const seen = new Set<Tensor>();
  return named.filter(([, t]) => !seen.has(t) && seen.add(t));
}

type State = ReadonlyMap<string, StoredTensor | Tensor>;

function misShaped(own: Map<string, Tensor>, state: State): string[] {
  return [...own].flatMap(([name, t]) => {
    const stored = state.get(name);
    if (!stored || show(stored.shape) === show(t.shape)) return [];
    return [`${name}: the model has shape ${show(t.shape)}, the weights ${show(stored.shape)}`];
  });
}

function mismatch(own: Map<string, Tensor>, state: State): KeyMismatch {
  const passes = (name: string, t: StoredTensor | Tensor) =>
    name.endsWith('.num_batches_tracked') || ('notRead' in t && t.notRead !== undefined);
  return {
    missing: [...own.keys()].filter((name) => !state.has(name)),
    unexpected: [...state].flatMap(([name, t]) => (own.has(name) || passes(name, t) ? [] : [name])),
  };
}

const misNamed = ({ missing, unexpected }: KeyMismatch): string[] => [
  ...missing.map((name) => `${name}: missing from the weights`),
  ...unexpected.map((name) => `${name}: not in the model`),
];
