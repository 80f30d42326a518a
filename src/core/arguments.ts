/** Surplus arguments are refused, which JavaScript would ignore: `sum(x, 0, true)` would sum without keeping dimensions. */

type Callable = (abstract new (...args: never[]) => unknown) | ((...args: never[]) => unknown);

/** The most arguments that a function or constructor takes, by its type; `number` (Infinity) if it collects the last ones. */
export type MostOf<F> = F extends abstract new (...args: infer Args) => unknown
  ? Required<Args>['length']
  : F extends (...args: infer Args) => unknown
    ? Required<Args>['length']
    : never;

/** The most arguments of every function and class of a module. */
export type Limits<Exports> = {
  readonly [Name in keyof Exports as Exports[Name] extends Callable ? Name : never]: MostOf<Exports[Name]>;
};

/** Throws if more arguments came than a function takes. */
export function expectAtMost(who: string, most: number, given: number): void {
  if (given <= most) return;
  const expected = most === 0 ? 'no arguments' : `at most ${most} argument${most === 1 ? '' : 's'}`;
  throw new Error(`${who}: expected ${expected}, got ${given}`);
}

/** A function that is public under two names (`gelu`, `nn.gelu`) stays one. */
const limited = new WeakMap<object, object>();

function limit<F extends (...args: unknown[]) => unknown>(who: string, target: F, most: number): F {
  const made: F = new Proxy(target, {
    apply(_, self, args) {
      expectAtMost(who, most, args.length);
      return Reflect.apply(target, self, args);
    },
    construct(_, args, newTarget) {
      const derived = newTarget !== made;
      if (!derived) expectAtMost(who, most, args.length);
      return Reflect.construct(target, args, derived ? newTarget : target) as object;
    },
  });
  const isClass = Object.getOwnPropertyDescriptor(target, 'prototype')?.writable === false;
  if (isClass) (target.prototype as object).constructor = made; // x.constructor === nn.Linear
  return made;
}

/** The exports of a module, with functions and classes that refuse more arguments than `limits` says. @param within `nn.` */
export function limitExports<Exports extends object>(exports: Exports, limits: Limits<Exports>, within = ''): Exports {
  const most = limits as Readonly<Record<string, number | undefined>>;
  const entries = Object.entries(exports).map(([name, value]: [string, unknown]) => {
    if (typeof value !== 'function') return [name, value];
    if (!Object.hasOwn(limits, name)) throw new Error(`${within}${name} has no limit of its arguments`);
    if (!limited.has(value)) limited.set(value, limit(within + name, value as () => unknown, most[name]!));
    return [name, limited.get(value)];
  });
  return Object.fromEntries(entries) as Exports;
}
