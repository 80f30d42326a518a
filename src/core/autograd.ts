import { backend, kernels, type GradientRule } from './dispatch';
import type { DType } from './native';
import { emptyLike, floatsLike, ones, show, type Shape, type Tensor } from './tensor';
import { scope } from './scope';

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
export class Node {
  readonly id = nodes++;
  freed = false;

  /**
   * @param saved what the backward reads; empty once it was freed
   * @param place in anomaly mode: " in" or " after" a layer
   */
  constructor(
    readonly op: string,
    readonly edges: (Edge | null)[],
    readonly backward: Backward,
    readonly shape: Shape,
    readonly hooks: ((grad: Tensor) => Tensor | void)[],
    public saved: Saved,
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
  /** null for an op that has no gradient: using it on an input that needs one is an error. */
  backward: Backward<S> | null;
  /** Record even if no input needs a gradient: the op reaches parameters that are not among its inputs. */
  always?: boolean;
}

let gradEnabled = true;
/** In anomaly mode the layers of parameters, and the layer that was reached last. */
let anomaly: { layers: ReadonlyMap<Tensor, string>; last: string } | null = null;

function withGrad<T>(enabled: boolean, body: () => T): T {
  const before = gradEnabled;
  gradEnabled = enabled;
  try {
    return body();
  } finally {
    gradEnabled = before;
  }
}

/** Runs `body` without building a graph. */
export function noGrad<T>(body: () => T): T {
  return withGrad(false, body);
}

/** Runs `body` building a graph, also inside `noGrad`. */
export function enableGrad<T>(body: () => T): T {
  return withGrad(true, body);
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

function edge(input: Tensor | null): Edge | null {
  if (!input?.requiresGrad) return null;
  return { node: input.node, leaf: input.node ? null : input, shape: input.shape, dtype: input.dtype };
}

type Tensors = readonly (Tensor | null)[];

/** Calls `visit` for each tensor of a record, lists included. Plain loops: every op comes here. */
function eachTensor(saved: Saved, visit: (t: Tensor) => void): void {
  for (const name in saved) {
    const value = saved[name];
    const list = Array.isArray(value) ? (value as Tensors) : [value as Tensor | null];
    for (const t of list) if (t) visit(t);
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

function enter<S extends Saved>({ op, inputs, output, saved, backward, always }: Recorded<S>): Tensor {
  const place = placeOf(inputs);
  if (anomaly) checkFinite(output, `forward of ${op}${place}`);
  if (!gradEnabled || !(always || inputs.some((t) => t?.requiresGrad))) {
    if (saved) freeTemporaries(saved, inputs, output);
    return output;
  }
  if (backward === null)
    throw new Error(`${op} has no gradient, but an input requires one (detach() it or use noGrad)`);
  const kept = keepAll(saved ?? {}, inputs, output);
  output.node = new Node(op, inputs.map(edge), backward as Backward, output.shape, output.hooks, kept, place);
  output.requiresGrad = true;
  return output;
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

function runHooks(hooks: Node['hooks'], gradient: Pending): Pending {
  return hooks.reduce((current, hook) => {
    const replaced = hook(current.tensor);
    if (!replaced || replaced === current.tensor) return current;
    current.tensor.dispose();
    replaced.persistent = true;
    return { tensor: replaced, owned: false };
  }, gradient);
}

function deliverToLeaf(leaf: Tensor, incoming: Pending): void {
  const gradient = runHooks(leaf.hooks, incoming);
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
  const needs = node.edges.map((e) => e !== null);
  const results = noGrad(() => scope(() => node.backward(gradient, node.saved, needs)));
  return node.edges.map((e, i) => {
    const result = results[i];
    if (e && result) return claim(node, e, result, gradient);
    if (result && result !== gradient) result.dispose();
    return null;
  });
}

function claim(node: Node, e: Edge, result: Tensor, gradient: Tensor): Pending {
  if (!sameShape(result.shape, e.shape)) {
    throw new Error(`backward of ${node.op}: gradient of shape ${show(result.shape)} for an input of ${show(e.shape)}`);
  }
  if (result.dtype !== e.dtype)
    throw new Error(`backward of ${node.op}: a gradient of ${result.dtype} for an input of ${e.dtype}`);
  checkFinite(result, `backward of ${node.op}${node.place}`);
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
    try {
      runNode(node, gradient.tensor).forEach((result, i) => {
        if (result) this.deliver(node.edges[i] as Edge, result);
      });
    } finally {
      gradient.tensor.dispose();
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
  if (!t.node) throw new Error(`backward: ${t.label()} was not computed from anything that requires a gradient`);
  if (t.node.freed) {
    throw new Error(
      `backward: the graph behind this output of ${t.node.op} was freed by an earlier backward; ` +
        'run the forward again, or pass { retainGraph: true } to the first backward',
    );
  }
  return t.node;
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
export function backward(output: Tensor, gradient?: Tensor, { retainGraph = false } = {}): void {
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
  if (output.node) reachable(output.node).forEach((node) => node.free());
}
