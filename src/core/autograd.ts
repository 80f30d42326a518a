import { backend, kernels, type GradientRule } from './dispatch';
import type { DType } from './native';
import { expectOptions } from './options';
import { keepNodeInScope, refuseAsync, scope, type GraphNode } from './scope';
import { emptyLike, floatsLike, ones, show, Tensor, type Shape } from './tensor';

/** Destination of a gradient: the node that made the input, or the input itself if it is a leaf. */
interface Edge {
  node: Node | null;
  leaf: Tensor | null;
  shape: Shape;
  dtype: DType;
}

/** Tensors saved for a backward, and lists of them, by name. */
export type Saved = Readonly<Record<string, Tensor | null | readonly (Tensor | null)[]>>;

/**
 * The gradient rule of an op: from the gradient of the output and the saved tensors to one gradient for each input (null where
 * `needs` is false or there is none). It may return `grad` itself; anything else it returns must be newly made.
 */
export type Backward<S extends Saved = Saved> = (
  grad: Tensor,
  saved: S,
  needs: readonly boolean[],
) => readonly (Tensor | null)[];

let nodes = 0;

/** One applied op in the graph. */
class Node implements GraphNode {
  readonly id = nodes++;
  freed = false;

  /**
   * @param saved what the backward reads; empty once it was freed
   * @param versions of the contents of what was saved, in order; null where no gradient that is asked for reads them
   * @param place in anomaly mode: " in" or " after" a layer
   */
  constructor(
    readonly op: string,
    readonly edges: (Edge | null)[],
    readonly backward: Backward,
    readonly shape: Shape,
    readonly hooks: ((grad: Tensor) => Tensor | void)[],
    public saved: Saved,
    readonly versions: readonly (number | null)[],
    readonly place: string,
  ) {}

  /** Frees what was saved for the backward. */
  free(): void {
    eachTensor(this.saved, (t) => t.dispose());
    this.saved = {};
    this.freed = true;
  }
}

/** Arguments of `record`: an applied op. */
export interface Recorded<S extends Saved> {
  op: string;
  inputs: readonly (Tensor | null)[];
  output: Tensor;
  /** Tensors the backward reads: inputs, the output, or temporaries of the op (which this call takes over, or frees). */
  saved?: S;
  /** The inputs whose gradients read a saved tensor, where those are not all: it may change when none of them has a gradient. */
  readFor?: Partial<Record<keyof S, readonly (Tensor | null)[]>>;
  /** null for an op that has no gradient: using it on an input that needs one is an error. */
  backward: Backward<S> | null;
}

let gradEnabled = true;
/** In anomaly mode the layers of parameters, and the layer that was reached last. */
let anomaly: { layers: ReadonlyMap<Tensor, string>; last: string } | null = null;
/** The leaves with gradients that ops were applied to, while `withLeaves` runs. */
let leaves: Set<Tensor> | null = null;
/** Called with a leaf after a gradient was added to it, while `withLeafGradients` runs. */
let onLeafGradient: ((leaf: Tensor) => void) | null = null;

function withGrad<T>(enabled: boolean, who: string, body: () => T): T {
  const before = gradEnabled;
  gradEnabled = enabled;
  try {
    return refuseAsync(who, body());
  } finally {
    gradEnabled = before;
  }
}

/** Runs `body` without building a graph. The body must be synchronous. */
export function noGrad<T>(body: () => T): T {
  return withGrad(false, 'noGrad', body);
}

/** Runs `body` building a graph, also inside `noGrad`. The body must be synchronous. */
export function enableGrad<T>(body: () => T): T {
  return withGrad(true, 'enableGrad', body);
}

/** Runs `body`; also returns the leaves with gradients that it applied ops to, inside `noGrad` too. */
export function withLeaves<T>(body: () => T): [T, Tensor[]] {
  const outer = leaves;
  const found = new Set<Tensor>();
  leaves = found;
  try {
    return [body(), [...found]];
  } finally {
    leaves = outer;
    for (const t of found) outer?.add(t);
  }
}

/** Runs `body`; `listener` is called with each leaf as soon as a backward has added a gradient to it. */
export function withLeafGradients<T>(listener: (leaf: Tensor) => void, body: () => T): T {
  const outer = onLeafGradient;
  onLeafGradient = listener;
  try {
    return refuseAsync('withLeafGradients', body());
  } finally {
    onLeafGradient = outer;
  }
}

/** Returns true unless inside `noGrad`. */
export function isGradEnabled(): boolean {
  return gradEnabled;
}

/**
 * In anomaly mode every op's output and gradients are checked, and the op that made the first NaN or Inf is named; with the names
 * of parameters, so is the layer that they belong to (or, for an op without any, the one before it).
 */
export function setAnomalyDetection(enabled: boolean, parameters: readonly (readonly [string, Tensor])[] = []): void {
  const layerOf = (name: string): string => name.split('.').slice(0, -1).join('.') || name;
  anomaly = enabled ? { layers: new Map(parameters.map(([name, t]) => [t, layerOf(name)])), last: '' } : null;
}

/** Location of an op in the network, from its parameters: " in" or " after" a layer; empty if unknown. */
function placeOf(inputs: readonly (Tensor | null)[]): string {
  if (!anomaly) return '';
  const { layers } = anomaly;
  const own = [...new Set(inputs.flatMap((t) => (t && layers.get(t)) ?? []))].join(', ');
  if (own) anomaly.last = own;
  return anomaly.last && ` ${own ? 'in' : 'after'} ${anomaly.last}`;
}

/** The number of NaN and infinite elements of an f32 or bf16 tensor. */
export function countNonFinite(t: Tensor): number {
  return scope(() => {
    const found = floatsLike(t, [1]);
    kernels.nonFiniteCount({ n: t.size, x: t, found });
    return found.item();
  });
}

function checkFinite(t: Tensor, where: string): void {
  if (!anomaly || (t.dtype !== 'f32' && t.dtype !== 'bf16')) return;
  const bad = countNonFinite(t);
  if (bad > 0) throw new Error(`${where}: ${bad} of ${t.size} elements are NaN or infinite, shape ${show(t.shape)}`);
}

/** The node that made a tensor: `record` alone sets it. */
const nodeOf = (t: Tensor) => t.node as Node | null;

function edge(input: Tensor | null): Edge | null {
  if (!input?.requiresGrad) return null;
  return { node: nodeOf(input), leaf: input.node ? null : input, shape: input.shape, dtype: input.dtype };
}

type Tensors = readonly (Tensor | null)[];

/** Calls `visit` for each tensor of a record, lists included. Plain loops: every op comes here. */
function eachTensor(saved: Saved, visit: (t: Tensor, name: string) => void): void {
  for (const name in saved) {
    const value = saved[name];
    const list = Array.isArray(value) ? (value as Tensors) : [value as Tensor | null];
    for (const t of list) if (t) visit(t, name);
  }
}

/** Keeps what the backward reads: shared memory for inputs and the output, the object itself for the op's own temporaries. */
function keep(t: Tensor | null, inputs: Tensors, output: Tensor): Tensor | null {
  const kept = t && (t === output || inputs.includes(t)) ? t.detach() : t;
  if (kept) kept.persistent = true;
  return kept;
}

function keepAll<S extends Saved>(saved: S, inputs: Tensors, output: Tensor): S {
  const kept: Record<string, Saved[string]> = {};
  for (const name in saved) {
    const value: Saved[string] = saved[name] ?? null;
    if (Array.isArray(value)) kept[name] = (value as Tensors).map((t) => keep(t, inputs, output));
    else kept[name] = keep(value as Tensor | null, inputs, output);
  }
  return kept as S;
}

function freeTemporaries(saved: Saved, inputs: Tensors, output: Tensor): void {
  eachTensor(saved, (t) => {
    if (t !== output && !inputs.includes(t)) t.dispose();
  });
}

/** An applied op whose gradient is that of a rule: it reads the inputs. */
function byRule({ op, backward }: GradientRule, inputs: Tensors, output: Tensor): Recorded<{ inputs: Tensors }> {
  const gradientsOf: Backward<{ inputs: Tensors }> = (dy, { inputs }, needs) => {
    const gradients = inputs.map((t, i) => (t && needs[i] ? emptyLike(t) : null));
    backward!(dy, inputs, gradients);
    return gradients;
  };
  return { op, inputs, output, saved: { inputs }, backward: backward && gradientsOf };
}

/**
 * Enters an applied op into the graph and returns its output. Without a gradient to compute, it frees the op's temporaries.
 * @throws when the op has no backward and an input needs a gradient.
 */
export function record<S extends Saved = Record<never, never>>(applied: Recorded<S>): Tensor {
  const { inputs, output, saved } = applied;
  const rule = backend.gradientRule(output);
  if (!rule) return enter(applied);
  if (saved) freeTemporaries(saved, inputs, output);
  return enter(byRule(rule, inputs, output));
}

/** The versions of what was kept, in order; null where no gradient that is asked for reads the contents. */
function versionsOf<S extends Saved>(kept: S, readFor: Recorded<S>['readFor']): (number | null)[] {
  const versions: (number | null)[] = [];
  eachTensor(kept, (t, name) => {
    const isRead = readFor?.[name]?.some((input) => input?.requiresGrad) ?? true;
    versions.push(isRead ? t.version : null);
  });
  return versions;
}

function enter<S extends Saved>({ op, inputs, output, saved, backward, readFor }: Recorded<S>): Tensor {
  const place = placeOf(inputs);
  if (anomaly) checkFinite(output, `forward of ${op}${place}`);
  if (leaves) for (const t of inputs) if (t?.requiresGrad && !t.node) leaves.add(t);
  if (!gradEnabled || !inputs.some((t) => t?.requiresGrad)) {
    if (saved) freeTemporaries(saved, inputs, output);
    return output;
  }
  if (backward === null)
    throw new Error(`${op} has no gradient, but an input requires one (detach() it or use noGrad)`);
  const kept = keepAll(saved ?? ({} as S), inputs, output);
  const versions = versionsOf(kept, readFor);
  const { shape, hooks } = output;
  const node = new Node(op, inputs.map(edge), backward as Backward, shape, hooks, kept, versions, place);
  output.node = node;
  output.requiresGrad = true;
  keepNodeInScope(node);
  return output;
}

/** Throws where a tensor that the backward needs was overwritten since the forward: its gradients would be of neither. */
function checkUnchanged({ op, place, saved, versions }: Node): void {
  let i = 0;
  eachTensor(saved, (t, name) => {
    const expected = versions[i++] ?? null;
    if (expected === null || t.version === expected) return;
    throw new Error(
      `backward: one of the tensors needed for the gradient of ${op}${place} was modified: ` +
        `${name} ${show(t.shape)} is at version ${t.version}, expected ${expected} ` +
        '(overwritten between forward and backward, as by optimizer.step(), loadStateDict or copyFrom: run the forward again)',
    );
  });
}

/** A gradient on its way, and whether its memory is ours to write to. */
interface Pending {
  tensor: Tensor;
  owned: boolean;
}

function addInto(into: Tensor, from: Tensor): void {
  kernels.accumulateForward({ n: into.size, from, into });
}

function copyOf(t: Tensor): Tensor {
  const copy = emptyLike(t);
  kernels.accumulateCopy({ n: t.size, from: t, into: copy });
  return copy;
}

function merge(before: Pending | undefined, next: Pending): Pending {
  if (!before) return next;
  const sum = before.owned ? before.tensor : copyOf(before.tensor);
  addInto(sum, next.tensor);
  if (!before.owned) before.tensor.dispose();
  next.tensor.dispose();
  sum.persistent = true;
  return { tensor: sum, owned: true };
}

/** View of a gradient that a hook returned: the hook keeps its tensor. */
function replacement(replaced: unknown, { shape, dtype }: Tensor): Pending {
  if (!(replaced instanceof Tensor))
    throw new Error(`a hook of a gradient must return a tensor or nothing, got ${typeof replaced}`);
  if (!sameShape(replaced.shape, shape) || replaced.dtype !== dtype) {
    const got = `${show(replaced.shape)} of ${replaced.dtype}`;
    throw new Error(`a hook of a gradient of shape ${show(shape)} of ${dtype} returned one of ${got}`);
  }
  const tensor = replaced.detach();
  tensor.persistent = true;
  return { tensor, owned: false };
}

function runHooks(hooks: Node['hooks'], gradient: Pending): Pending {
  let current = gradient;
  try {
    for (const hook of hooks) {
      const replaced: unknown = hook(current.tensor);
      if (replaced === undefined || replaced === null || replaced === current.tensor) continue;
      const next = replacement(replaced, current.tensor);
      current.tensor.dispose();
      current = next;
    }
  } catch (error) {
    current.tensor.dispose();
    throw error;
  }
  return current;
}

function deliverToLeaf(leaf: Tensor, incoming: Pending): void {
  addToLeaf(leaf, runHooks(leaf.hooks, incoming));
  onLeafGradient?.(leaf);
}

function addToLeaf(leaf: Tensor, gradient: Pending): void {
  if (leaf.grad) {
    addInto(leaf.grad, gradient.tensor);
    gradient.tensor.dispose();
    return;
  }
  leaf.grad = gradient.owned ? gradient.tensor : copyOf(gradient.tensor);
  leaf.grad.persistent = true;
  if (!gradient.owned) gradient.tensor.dispose();
}

function reachable(root: Node): Node[] {
  const seen = new Set<Node>([root]);
  const stack = [root];
  for (let node = stack.pop(); node; node = stack.pop()) {
    for (const e of node.edges) {
      if (!e?.node || seen.has(e.node)) continue;
      seen.add(e.node);
      stack.push(e.node);
    }
  }
  return [...seen].sort((a, b) => b.id - a.id);
}

const sameShape = (a: Shape, b: Shape) => a.length === b.length && a.every((size, i) => size === b[i]);

/** Runs one node's rule; its results outlive the scope that frees its temporaries. */
function runNode(node: Node, gradient: Tensor): (Pending | null)[] {
  checkUnchanged(node);
  const needs = node.edges.map((e) => e !== null);
  const results = noGrad(() =>
    scope(() => {
      const made = node.backward(gradient, node.saved, needs);
      node.edges.forEach((e, i) => {
        if (e && made[i]) checkGradient(node, e, made[i]);
      });
      return made;
    }),
  );
  return node.edges.map((e, i) => {
    const result = results[i];
    if (e && result) return claim(result, gradient);
    if (result && result !== gradient) result.dispose();
    return null;
  });
}

function checkGradient(node: Node, e: Edge, result: Tensor): void {
  if (!sameShape(result.shape, e.shape)) {
    throw new Error(`backward of ${node.op}: gradient of shape ${show(result.shape)} for an input of ${show(e.shape)}`);
  }
  if (result.dtype !== e.dtype)
    throw new Error(`backward of ${node.op}: a gradient of ${result.dtype} for an input of ${e.dtype}`);
  checkFinite(result, `backward of ${node.op}${node.place}`);
}

function claim(result: Tensor, gradient: Tensor): Pending {
  const tensor = result === gradient ? result.detach() : result;
  tensor.persistent = true;
  return { tensor, owned: result !== gradient };
}

class Sweep {
  private readonly pending = new Map<Node, Pending>();

  start(root: Node, tensor: Tensor): void {
    this.pending.set(root, { tensor, owned: false });
  }

  visit(node: Node): void {
    const arrived = this.pending.get(node);
    this.pending.delete(node);
    if (!arrived) return;
    const gradient = runHooks(node.hooks, arrived);
    const results: (Pending | null)[] = [];
    try {
      results.push(...runNode(node, gradient.tensor));
      for (const e of node.edges) {
        const result = results.shift();
        if (result) this.deliver(e as Edge, result);
      }
    } finally {
      for (const left of [gradient, ...results]) left?.tensor.dispose();
    }
  }

  abandon(): void {
    for (const { tensor } of this.pending.values()) tensor.dispose();
  }

  private deliver(e: Edge, gradient: Pending): void {
    if (e.node) this.pending.set(e.node, merge(this.pending.get(e.node), gradient));
    else deliverToLeaf(e.leaf as Tensor, gradient);
  }
}

function rootOf(t: Tensor): Node {
  const root = nodeOf(t);
  if (!root) throw new Error(`backward: ${t.label()} was not computed from anything that requires a gradient`);
  if (root.freed) {
    throw new Error(
      `backward: the graph behind this output of ${root.op} was freed by an earlier backward; ` +
        'run the forward again, or pass { retainGraph: true } to the first backward',
    );
  }
  return root;
}

function seedGradient(t: Tensor, gradient: Tensor | undefined): Tensor {
  if (!gradient && t.size !== 1) throw new Error(`backward: ${t.label()} is not a scalar: pass its gradient`);
  if (gradient && !sameShape(gradient.shape, t.shape)) {
    throw new Error(`backward: expected a gradient of shape ${show(t.shape)}, got ${show(gradient.shape)}`);
  }
  const dtype = gradient?.dtype ?? 'f32';
  if (dtype !== t.dtype) throw new Error(`backward: ${t.label()} is ${t.dtype}, the gradient ${dtype}`);
  const seed = gradient ? gradient.detach() : ones(t.shape, { device: t.device });
  seed.persistent = true;
  return seed;
}

/**
 * Computes the gradients of everything `output` was made from, adding them to `.grad` of the leaves, and frees the graph with
 * all it saved (unless `retainGraph`). Contributions are added in a fixed order, so gradients have the same bits every time.
 * @param gradient the gradient of `output`; 1 for a scalar.
 */
export function backward(output: Tensor, gradient?: Tensor, options: { retainGraph?: boolean } = {}): void {
  expectOptions('backward', options, { retainGraph: true });
  const { retainGraph = false } = options;
  const root = rootOf(output);
  const sweep = new Sweep();
  sweep.start(root, seedGradient(output, gradient));
  const order = reachable(root);
  try {
    for (const node of order) {
      if (node.freed) throw new Error(`backward: a part of the graph (${node.op}) was freed by an earlier backward`);
      sweep.visit(node);
      if (!retainGraph) node.free();
    }
  } finally {
    sweep.abandon();
    if (!retainGraph) order.forEach((node) => node.free());
  }
}

/** Frees the graph behind `output` without computing gradients. */
export function releaseGraph(output: Tensor): void {
  const root = nodeOf(output);
  if (root) reachable(root).forEach((node) => node.free());
}
