import type { Tensor } from './tensor';

const scopes: Tensor[][] = [];

/** Registers a new tensor with the innermost scope. Called by the Tensor constructor alone. */
export function keepInScope(tensor: Tensor): void {
  scopes[scopes.length - 1]?.push(tensor);
}

/** Collects the tensors in the value that a scope returns, at any depth of arrays and plain objects. */
function collect(value: unknown, into: Set<object>): void {
  if (typeof value !== 'object' || value === null || into.has(value)) return;
  into.add(value);
  const nested = Array.isArray(value)
    ? value
    : Object.getPrototypeOf(value) === Object.prototype
      ? Object.values(value)
      : [];
  for (const item of nested) collect(item, into);
}

/** True if a kept value is a tensor whose graph was not freed yet. */
const hasGraph = (value: object): boolean => 'node' in value && value.node !== null && !(value as Tensor).node?.freed;

function close(result: unknown): void {
  const made = scopes.pop() as Tensor[];
  const kept = new Set<object>();
  collect(result, kept);
  const graphIsOver = ![...kept].some(hasGraph);
  for (const tensor of made) {
    if (kept.has(tensor)) keepInScope(tensor);
    else if (!tensor.persistent) {
      tensor.dispose();
      if (graphIsOver) tensor.dropGraph();
    }
  }
}

/**
 * Runs `body` and frees every tensor it made, except those it returns (alone, in arrays, or in plain objects) and those marked
 * `persistent` (parameters, gradients, optimizer state). What the graph of a returned tensor saved stays alive until `backward`;
 * where no returned tensor has a graph, or the body throws, the graph made here is freed too. The body must be synchronous: a
 * promise would outlive its scope.
 */
export function scope<T>(body: () => T): T {
  scopes.push([]);
  let result: T | undefined;
  try {
    result = body();
    if (result instanceof Promise) throw new Error('scope: the body must not be asynchronous');
    return result;
  } finally {
    close(result);
  }
}
