import type { Device } from '../core/native';
import { show, Tensor, type NumericArray, type Shape } from '../core/tensor';

/** A tensor of a file. */
export interface StoredTensor {
  shape: Shape;
  data: NumericArray;
  /** The reason why the tensor could not be read; reading its shape or data then throws. */
  notRead?: string;
}

/** Marks a tensor as a parameter: it takes gradients and outlives every scope. */
export function parameter(t: Tensor): Tensor {
  t.requiresGrad = true;
  t.persistent = true;
  return t;
}

/** Marks a tensor as a buffer: part of the state, without gradient. */
export function buffer(t: Tensor): Tensor {
  t.persistent = true;
  return t;
}

type Named<T> = [name: string, value: T];

/** A tensor under its full name. */
export type NamedTensor = readonly [name: string, tensor: Tensor];

/**
 * A part of a network, with PyTorch's names and semantics. Its own properties make the tree, in the order they were assigned:
 * tensors are parameters (or, without gradient, buffers), modules are children, arrays of modules are children named by index.
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

  /** The tensors that take gradients, with their full names. */
  namedParameters(): [name: string, tensor: Tensor][] {
    return this.namedTensors().filter(([, t]) => t.requiresGrad);
  }

  /** The tensors without gradient (running statistics), with their full names. */
  namedBuffers(): [name: string, tensor: Tensor][] {
    return this.namedTensors().filter(([, t]) => !t.requiresGrad);
  }

  /** The tensors that take gradients, which an optimizer updates. */
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
   * @param strict false allows missing and unexpected tensors, but not wrong shapes
   * @throws one error that names every missing, unexpected and mis-shaped tensor; nothing has changed then
   */
  loadStateDict(state: ReadonlyMap<string, StoredTensor>, { strict = true } = {}): void {
    const own = this.stateDict();
    const problems = [...misShaped(own, state), ...(strict ? misNamed(own, state) : [])];
    if (problems.length > 0) throw new Error(`the weights do not fit this model:\n  ${problems.join('\n  ')}`);
    for (const [name, t] of own) {
      const stored = state.get(name);
      if (stored) t.copyFrom(stored.data);
    }
  }

  /** Frees all parameters, gradients and buffers. */
  dispose(): void {
    this.zeroGrad();
    for (const [, t] of this.namedTensors()) t.dispose();
  }
}

function moved(t: Tensor, device: Device): Tensor {
  const there = t.to(device);
  there.requiresGrad = t.requiresGrad;
  there.persistent = t.persistent;
  there.name = t.name;
  t.dispose();
  return there;
}

function misShaped(own: Map<string, Tensor>, state: ReadonlyMap<string, StoredTensor>): string[] {
  return [...own].flatMap(([name, t]) => {
    const stored = state.get(name);
    if (!stored || show(stored.shape) === show(t.shape)) return [];
    return [`${name}: the model has shape ${show(t.shape)}, the file ${show(stored.shape)}`];
  });
}

function misNamed(own: Map<string, Tensor>, state: ReadonlyMap<string, StoredTensor>): string[] {
  const missing = [...own.keys()].filter((name) => !state.has(name)).map((name) => `${name}: missing from the file`);
  const passes = (name: string) => name.endsWith('.num_batches_tracked') || state.get(name)?.notRead !== undefined;
  const extra = [...state.keys()].filter((name) => !own.has(name) && !passes(name));
  return [...missing, ...extra.map((name) => `${name}: not in the model`)];
}
