import type { Tensor } from '../core/tensor';
import { Module, type Layer } from './module';

/** Adds modules as own properties, so that they are named as in PyTorch: `0.weight`, not `items.0.weight`. */
function addAll(to: Module, modules: readonly (readonly [string, Module])[]): void {
  for (const [name, module] of modules) {
    if (name in to || name.includes('.')) throw new Error(`${to.constructor.name}: a module cannot be named '${name}'`);
    Object.assign(to, { [name]: module });
  }
}

const byIndex = (modules: readonly Module[]) => modules.map((module, i) => [String(i), module] as const);

/** Modules in a list, named '0', '1', … @typeParam M their type */
export class ModuleList<M extends Module = Module> extends Module implements Iterable<M> {
  constructor(modules: readonly M[] = []) {
    super();
    addAll(this, byIndex(modules));
  }

  /** The number of modules. */
  get length(): number {
    return this.children().length;
  }

  /** The module at a position; negative ones count from the end. @throws if there is none */
  at(i: number): M {
    const found = this.children().at(i);
    if (!found) throw new Error(`${this.constructor.name}: no module at ${i}, there are ${this.length}`);
    return found[1] as M;
  }

  /** Adds a module at the end. */
  push(module: M): this {
    addAll(this, [[String(this.length), module]]);
    return this;
  }

  /** The modules in order. */
  *[Symbol.iterator](): Iterator<M> {
    for (const [, module] of this.children()) yield module as M;
  }
}

/** Modules that run one after the other, each on the output of the one before. */
export class Sequential extends ModuleList<Layer> {
  constructor(...modules: Layer[]) {
    super(modules);
  }

  /** @param x the input of the first module @returns the output of the last */
  forward(x: Tensor): Tensor {
    return [...this].reduce((y, module) => module.forward(y), x);
  }
}

/** Modules by name. */
export class ModuleDict<M extends Module = Module> extends Module {
  constructor(modules: Readonly<Record<string, M>> = {}) {
    super();
    addAll(this, Object.entries(modules));
  }

  /** Adds a module. @throws if the name is taken */
  set(name: string, module: M): this {
    addAll(this, [[name, module]]);
    return this;
  }

  /** The module of a name. @throws if there is none */
  get(name: string): M {
    const found = this.children().find(([own]) => own === name);
    if (!found) throw new Error(`ModuleDict: no module '${name}', there are ${this.keys().join(', ') || 'none'}`);
    return found[1] as M;
  }

  /** The names. */
  keys(): string[] {
    return this.children().map(([name]) => name);
  }
}
