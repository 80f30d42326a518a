/**
 * The border between the package and its callers. Surplus arguments are refused, which JavaScript would ignore: `sum(x, 0, true)` would sum
 * without keeping dimensions. Errors name the function that was called, whichever of its parts or kernels found them.
 */

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

const described = (value: unknown): string => {
  if (typeof value === 'string') return `'${value}'`;
  if (Array.isArray(value)) return `[${value.map(described).join(', ')}]`;
  const shape = (value as { shape?: unknown } | null)?.shape;
  if (Array.isArray(shape)) return `a tensor ${described(shape)}`;
  return typeof value === 'object' && value !== null ? `an object of ${Object.keys(value).join(', ')}` : String(value);
};

/** The message of an error that a call of `who` met; null if it names the cause already. */
function messageFor(who: string, error: Error, args: readonly unknown[]): string | null {
  const text = error.message;
  if (error instanceof TypeError || error instanceof RangeError)
    return `${who}: cannot compute with the arguments (${args.map(described).join(', ')})`;
  const named = /^(backward of )?(\w+): /.exec(text);
  if (!named || named[1] || [who, 'backward', 'forwardAsync'].includes(named[2]!)) return null;
  return `${who}: ${text.slice(named[0].length)}`;
}

/** Calls an op; its errors name it, and not a part of it: `mean: x must be f32`, and not `sum: x must be f32`. */
export function callAs<T, Args extends unknown[]>(who: string, op: (...args: Args) => T, ...args: Args): T {
  try {
    return op(...args);
  } catch (error) {
    const message = error instanceof Error ? messageFor(who, error, args) : null;
    throw message === null ? error : new Error(message, { cause: error });
  }
}

/** A function that is public under two names (`gelu`, `nn.gelu`) stays one. */
const limited = new WeakMap<object, object>();

function limit<F extends (...args: unknown[]) => unknown>(who: string, target: F, most: number, isOp: boolean): F {
  const made: F = new Proxy(target, {
    apply(_, self, args) {
      expectAtMost(who, most, args.length);
      return isOp ? callAs(who, target, ...args) : Reflect.apply(target, self, args);
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

/**
 * The exports of a module, with functions and classes that refuse more arguments than `limits` says.
 * @param within `nn.`
 * @param areOps functions of numbers and tensors, which call none of their caller's: their errors are named
 */
export function limitExports<Exports extends object>(
  exports: Exports,
  limits: Limits<Exports>,
  within = '',
  areOps = false,
): Exports {
  const most = limits as Readonly<Record<string, number | undefined>>;
  const entries = Object.entries(exports).map(([name, value]: [string, unknown]) => {
    if (typeof value !== 'function') return [name, value];
    if (!Object.hasOwn(limits, name)) throw new Error(`${within}${name} has no limit of its arguments`);
    if (!limited.has(value)) limited.set(value, limit(within + name, value as () => unknown, most[name]!, areOps));
    return [name, limited.get(value)];
  });
  return Object.fromEntries(entries) as Exports;
}
