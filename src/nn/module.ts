import { inspect } from 'node:util';
import type { Device } from '../core/native';
import { expectOptions } from '../core/options';
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

/** Marks modules of every copy of this package. */
const BRAND = Symbol.for('morphmlp.module');

/** Whether a value is a module. @throws for one of another copy of this package, whose tensors are not ours */
function isModule(value: unknown, name: string): value is Module {
  if (value instanceof Module) return true;
  if (typeof value !== 'object' || value === null || !(BRAND in value)) return false;
  throw new Error(
    `${name} is a module of another copy of morphmlp: install the package once, and import it from there`,
  );
}

/** Called after a forward; a returned tensor replaces the output. */
export type ForwardHook = (module: Module, inputs: readonly unknown[], output: Tensor) => Tensor | void;

/** A module whose forward takes one tensor. */
export interface Layer extends Module {
  /** The layer's output for x. */
  forward(x: Tensor): Tensor;
}

const forwardHooks = new WeakMap<Module, ForwardHook[]>();

/**
 * A part of a network, with PyTorch's names and semantics. Its own properties make the tree, in the order they were assigned:
 * tensors are parameters or buffers, as they were marked, modules are children, arrays of modules are children named by index.
 */
export abstract class Module {
  /** True in training mode: dropout, drop path and batch statistics are active. */
  training = true;

  /** @internal */
  get [BRAND](): true {
    return true;
  }

  /** The direct children with their names. */
  children(): [name: string, module: Module][] {
    return Object.entries(this).flatMap(([name, value]): Named<Module>[] => {
      if (isModule(value, name)) return [[name, value]];
      if (!Array.isArray(value)) return [];
      return value.flatMap((item, i): Named<Module>[] => {
        const place = `${name}.${i}`;
        return isModule(item, place) ? [[place, item]] : [];
      });
    });
  }

  /** This module, named '' (or as given), and all below it with their full names; a shared one once, by its first name. */
  namedModules(prefix = '', seen = new Set<Module>()): [name: string, module: Module][] {
    if (seen.has(this)) return [];
    seen.add(this);
    const below = (name: string) => (prefix ? `${prefix}.${name}` : name);
    return [[prefix, this], ...this.children().flatMap(([name, child]) => child.namedModules(below(name), seen))];
  }

  /** This module and all below it, each once. */
  modules(): Module[] {
    return this.namedModules().map(([, module]) => module);
  }

  /** Calls `f` with every module below and then with this one. */
  apply(f: (module: Module) => void): this {
    for (const module of this.modules().reverse()) f(module);
    return this;
  }

  /**
   * Adds a hook that is called after each `forward` of this module, in the order of their addition.
   * @returns a function that removes it
   * @throws if this module has no forward
   */
  registerForwardHook(hook: ForwardHook): () => void {
    const hooks = forwardHooks.get(this) ?? hooked(this);
    hooks.push(hook);
    return () => {
      const at = hooks.indexOf(hook);
      if (at >= 0) hooks.splice(at, 1);
    };
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
    const there = new Map<Tensor, Tensor>(); // a tensor may be shared by modules
    for (const module of this.modules()) {
      for (const [name, t] of Object.entries(module)) {
        if (!(t instanceof Tensor) || (t.device === device && !there.has(t))) continue;
        if (!there.has(t)) there.set(t, moved(t, device));
        Object.assign(module, { [name]: there.get(t) });
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
   * @param options `strict`: false allows missing and unexpected tensors, but not wrong shapes
   * @returns the names of this module's tensors that `state` lacks, and those of `state` that this module lacks
   * @throws one error that names every missing, unexpected and mis-shaped tensor; nothing has changed then
   */
  loadStateDict(state: ReadonlyMap<string, StoredTensor | Tensor>, options: { strict?: boolean } = {}): KeyMismatch {
    expectOptions('loadStateDict', options, { strict: true });
    const { strict = true } = options;
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

  /** The tree of modules with their settings, as PyTorch prints it; `console.log` prints the same. */
  toString(): string {
    const settings = Object.entries(this).flatMap(([name, value]) =>
      isSetting(value) && name !== 'training' ? [`${name}=${inspect(value, { breakLength: Infinity })}`] : [],
    );
    const lines = this.children().map(([name, child]) => `  (${name}): ${String(child).replace(/\n/g, '\n  ')}\n`);
    return `${this.constructor.name}(${settings.join(', ')}${lines.length > 0 ? `\n${lines.join('')}` : ''})`;
  }

  /** @internal */
  [Symbol.for('nodejs.util.inspect.custom')](): string {
    return this.toString();
  }

  /** Frees all parameters, gradients and buffers. */
  dispose(): void {
    this.zeroGrad();
    for (const [, t] of this.namedTensors()) t.dispose();
  }
}

/** Replaces the forward of a module by one that calls hooks, and returns their list. */
function hooked(module: Module): ForwardHook[] {
  const own = (module as Partial<Layer>).forward as ((...inputs: unknown[]) => Tensor) | undefined;
  if (typeof own !== 'function') throw new Error(`registerForwardHook: ${module.constructor.name} has no forward`);
  const hooks: ForwardHook[] = [];
  const value = (...inputs: unknown[]): Tensor =>
    [...hooks].reduce((output, hook) => hook(module, inputs, output) ?? output, own.apply(module, inputs));
  Object.defineProperty(module, 'forward', { value, configurable: true });
  forwardHooks.set(module, hooks);
  return hooks;
}

/** Whether `toString` shows a property: numbers, texts, switches, and lists and plain objects of them. */
function isSetting(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return ['number', 'string', 'boolean'].includes(typeof value);
  if (!Array.isArray(value) && Object.getPrototypeOf(value) !== Object.prototype) return false;
  return Object.values(value).length > 0 && Object.values(value).every(isSetting);
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
