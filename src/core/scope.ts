/** An applied op in the graph. What it keeps for a backward is freed by that, or with its scope. */
export interface GraphNode {
  /** The nodes that made its inputs; null for an input without one. */
  readonly edges: readonly ({ readonly node: GraphNode | null } | null)[];
  /** Whether what it kept is gone. */
  readonly freed: boolean;
  /** Frees what it keeps. Harmless when repeated. */
  free(): void;
}

/** A tensor, as far as a scope needs it to free it. */
export interface Scoped {
  /** Outlives the scope. */
  readonly persistent: boolean;
  readonly node: GraphNode | null;
  /** The gradient of a leaf: it lasts as long as the leaf. */
  readonly grad: Scoped | null;
  dispose(): void;
}

interface Frame {
  tensors: Scoped[];
  nodes: GraphNode[];
}

const scopes: Frame[] = [];

/** Registers a new tensor with the innermost scope. Called by the Tensor constructor alone. */
export function keepInScope(tensor: Scoped): void {
  scopes[scopes.length - 1]?.tensors.push(tensor);
}

/** Registers a new node of the graph with the innermost scope. Called by `record` alone. */
export function keepNodeInScope(node: GraphNode): void {
  scopes[scopes.length - 1]?.nodes.push(node);
}

/** Collects the tensors at any depth of arrays and plain objects of a returned value: a scope keeps them. */
function collect(value: unknown, into: Set<unknown>): void {
  if (typeof value !== 'object' || value === null || into.has(value)) return;
  into.add(value);
  const nested = Array.isArray(value)
    ? value
    : Object.getPrototypeOf(value) === Object.prototype
      ? Object.values(value)
      : [];
  for (const item of nested) collect(item, into);
}

/** Those of the nodes that a backward from one of the tensors would visit. */
function reached(nodes: readonly GraphNode[], tensors: readonly Scoped[]): Set<GraphNode> {
  const among = new Set(nodes); // earlier nodes do not lead back to these
  const found = new Set<GraphNode>();
  const stack = tensors.map(({ node }) => node);
  while (stack.length > 0) {
    const node = stack.pop();
    if (!node || found.has(node) || !among.has(node)) continue;
    found.add(node);
    for (const edge of node.edges) if (edge) stack.push(edge.node);
  }
  return found;
}

/** Frees what a scope does not keep; returns what it keeps. */
function close({ tensors, nodes }: Frame, result: unknown): Scoped[] {
  const returned = new Set<unknown>();
  collect(result, returned);
  const [kept, rest] = [tensors.filter((t) => returned.has(t)), tensors.filter((t) => !returned.has(t))];
  const persistent = rest.filter((t) => t.persistent);
  const live = reached(nodes, [...kept, ...persistent]);
  for (const node of nodes) {
    if (!live.has(node)) node.free();
    else if (!node.freed) keepNodeInScope(node);
  }
  kept.forEach(keepInScope);
  for (const t of rest) {
    if (t.persistent) continue;
    if (t.grad && !returned.has(t.grad)) t.grad.dispose();
    t.dispose();
  }
  return kept;
}

/**
 * Returns what a body returned. Throws where that is a promise: what holds while the body runs would end at its first await.
 * @param who the function whose body it is
 */
export function refuseAsync<T>(who: string, result: T): T {
  const then = (result as { then?: unknown } | null | undefined)?.then;
  if (typeof then !== 'function') return result;
  then.call(result, undefined, () => undefined); // the error below is the one to see
  throw new Error(`${who}: the body must not be asynchronous`);
}

/**
 * Runs `body` and frees every tensor it made with its gradient, except those it returns (alone, in arrays, or in plain objects) and
 * those marked `persistent` (parameters, their gradients, optimizer state). What the graph of a returned tensor saved stays alive until
 * `backward`; the rest of the graph made here is freed too, and all of it where the body throws. The body must be synchronous: a
 * promise would outlive its scope.
 */
export function scope<T>(body: () => T): T {
  return scopeKeeping('scope', body).result;
}

/** As `scope`, for the function `who`: the result of `body`, and those of its tensors that were made in it. */
export function scopeKeeping<T>(who: string, body: () => T): { result: T; kept: readonly Scoped[] } {
  const frame: Frame = { tensors: [], nodes: [] };
  scopes.push(frame);
  let result: T | undefined;
  let kept: readonly Scoped[];
  try {
    result = refuseAsync(who, body());
  } finally {
    scopes.pop();
    kept = close(frame, result);
  }
  return { result, kept };
}
