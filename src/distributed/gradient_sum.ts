/** Sums the gradients of a step's slices, over all ranks, while the backward of the last is still running. */
import { withLeafGradients } from '../core/autograd';
import { kernels } from '../core/dispatch';
import { empty, type Tensor } from '../core/tensor';
import type { Ranks, SumJob } from './ranks';

/** The slices (micro-batches) of a step: `total`, of which this rank has `count` from `first` on. */
export interface Slices {
  total: number;
  first: number;
  count: number;
}

/** This rank's slices. @throws if the ranks do not divide them */
export function slicesOf(total: number, { rank, size }: Ranks): Slices {
  if (total % size !== 0)
    throw new Error(
      `${size} ranks need a number of micro-batches a step that they divide, got ${total}: ` +
        'give --micro-batch as --batch-size divided by a multiple of the ranks',
    );
  const count = total / size;
  return { total, first: rank * count, count };
}

/** A node of the tree: the sum of `count` slices from `first` on; null for a tensor of which no slice has been read. */
interface Node {
  first: number;
  count: number;
  gradients: (Tensor | null)[];
}

/** Copies of all gradients that the sums of a rank's slices hold at once, besides those of a bucket. */
export function gradientCopies({ first, count }: Slices): number {
  const stack: Span[] = [];
  let most = 1;
  for (let slice = first; slice < first + count; slice++) {
    let node = { first: slice, count: 1 };
    most = Math.max(most, stack.length + (isPair(stack.at(-1), node) ? 0 : 1));
    for (let left = stack.at(-1); isPair(left, node); left = stack.at(-1)) {
      stack.pop();
      node = { first: left.first, count: 2 * node.count };
    }
    stack.push(node);
  }
  return most;
}

/** Elements of a bucket: 25 MB, large enough for the network and small enough to begin early. */
const BUCKET = 6_553_600;

interface Bucket {
  params: readonly Tensor[];
  /** Nodes of the slices so far, as a stack (see native/runtime/slice_tree.h). */
  nodes: Node[];
  /** Parameters whose gradient of the current slice is complete. */
  ready: number;
}

function addInto(into: Tensor, from: Tensor): Tensor {
  kernels.accumulateForward({ n: into.size, from, into });
  from.dispose();
  return into;
}

const added = (a: Tensor | null, b: Tensor | null): Tensor | null => (a && b ? addInto(a, b) : (a ?? b));

type Span = Pick<Node, 'first' | 'count'>;

const isPair = <T extends Span>(left: T | undefined, right: Span): left is T =>
  left !== undefined && left.count === right.count && left.first % (2 * left.count) === 0;

function merge(left: Node, right: Node): Node {
  const gradients = left.gradients.map((g, i) => added(g, right.gradients[i]!));
  return { first: left.first, count: left.count + right.count, gradients };
}

/** Elements that the sums over slices hold at once, at most, besides one copy of all gradients. */
export function extraGradients(slices: Slices, parameters: number): number {
  if (slices.total === 1) return 0;
  return (gradientCopies(slices) - 1) * parameters + Math.min(parameters, BUCKET);
}

/** Parameters in the order of the backward, in runs of about 25 MB. */
function bucketsOf(params: readonly Tensor[]): Bucket[] {
  const buckets: Tensor[][] = [];
  let room = 0;
  for (const p of [...params].reverse()) {
    if (room < p.size) room = buckets.push([]) && BUCKET;
    buckets.at(-1)!.push(p);
    room -= p.size;
  }
  return buckets.map((own) => ({ params: own, nodes: [], ready: 0 }));
}

/**
 * Sums the gradients of a step's slices by a tree that depends on their number alone, so that the bits do not depend on the number of
 * ranks. Buckets of parameters are sent as soon as the backward of the last slice has passed them. A parameter must be used
 * once in the network.
 */
export class GradientSum {
  private readonly buckets: Bucket[];
  private readonly bucketOf: ReadonlyMap<Tensor, Bucket>;
  /** The slice that comes next, and the number of buckets that are under way. */
  private next: number;
  private sent = 0;
  private job: SumJob | null = null;
  private sums: Tensor[][] = [];
  /** Parameters that no rank has a gradient for; null before the first step. */
  private untouched: ReadonlySet<Tensor> | null = null;
  private readonly touched = new Set<Tensor>();
  /** Parameters that took gradients in the last step. */
  private learning = 0;

  constructor(
    params: readonly Tensor[],
    private readonly slices: Slices,
    private readonly ranks: Ranks,
    private readonly fast = false,
    /** Send no bucket before `finish`: the backward exchanges messages of its own, and one rank may have no backward. */
    private readonly late = false,
  ) {
    this.buckets = bucketsOf(params.filter((p) => p.requiresGrad));
    this.bucketOf = new Map(this.buckets.flatMap((bucket) => bucket.params.map((p) => [p, bucket])));
    this.next = slices.first;
  }

  /** Runs the backward of a slice and takes its gradients. Slices come in order; those left out have no clips. */
  collect(slice: number, body: () => void): void {
    while (this.next < slice) this.take(() => null);
    const seen = new Set<Tensor>();
    const listener = (leaf: Tensor) => {
      const bucket = this.bucketOf.get(leaf);
      if (!bucket) return;
      if (seen.has(leaf)) throw new Error(`${leaf.label()} is used twice: its gradients cannot be summed over slices`);
      seen.add(leaf);
      if (++bucket.ready === bucket.params.length) this.push(bucket, (p) => takeGradient(p));
    };
    withLeafGradients(listener, body);
    this.take((p) => takeGradient(p));
  }

  /** Completes the step: `grad` of each parameter is then the sum over all slices of all ranks. */
  finish(): void {
    const { first, count } = this.slices;
    while (this.next < first + count) this.take(() => null);
    if (this.late) this.send();
    if (this.job !== null) this.ranks.finishSums(this.job);
    const learning = this.buckets.reduce((sum, { params }) => sum + params.filter((p) => p.requiresGrad).length, 0);
    if (learning !== this.learning) this.untouched = null; // parameters were frozen or thawed, on all ranks alike
    this.learning = learning;
    const untouched = (this.untouched ??= this.findUntouched());
    for (const [i, { params }] of this.buckets.entries()) {
      const sums = this.sums[i] ?? this.collapse(this.buckets[i]!);
      params.forEach((p, k) => {
        if (untouched.has(p)) sums[k]?.dispose();
        else p.grad = sums[k] ?? null;
      });
      this.buckets[i]!.nodes = [];
    }
    [this.next, this.sent, this.job, this.sums] = [first, 0, null, []];
  }

  /** Frees the sums of a step that is not completed. */
  dispose(): void {
    for (const { nodes } of this.buckets)
      for (const t of nodes.splice(0).flatMap(({ gradients }) => gradients)) t?.dispose();
  }

  /** Pushes the current slice on all buckets that do not have it yet. */
  private take(gradientOf: (p: Tensor) => Tensor | null): void {
    for (const bucket of this.buckets)
      if (bucket.ready < bucket.params.length || bucket.params.length === 0) {
        bucket.ready = bucket.params.length;
        this.push(bucket, gradientOf);
      }
    for (const bucket of this.buckets) bucket.ready = 0;
    this.next += 1;
  }

  private push(bucket: Bucket, gradientOf: (p: Tensor) => Tensor | null): void {
    let node: Node = { first: this.next, count: 1, gradients: bucket.params.map(gradientOf) };
    node.gradients.forEach((g, i) => g && this.touched.add(bucket.params[i]!));
    const { nodes } = bucket;
    while (isPair(nodes.at(-1), node)) node = merge(nodes.pop()!, node);
    nodes.push(node);
    if (!this.late && this.next === this.slices.first + this.slices.count - 1) this.send();
  }

  /** Starts the sums of complete buckets, always in the order of the buckets: all ranks must agree on it. */
  private send(): void {
    if (this.ranks.size === 1) return;
    for (; this.sent < this.buckets.length && this.isComplete(this.buckets[this.sent]!); this.sent++) {
      const { params, nodes } = this.buckets[this.sent]!;
      const sums = params.map((p, i) => this.sumOf(p, nodes[0]!.gradients[i]!));
      this.sums.push(sums);
      const { total: slices } = this.slices;
      const parts = nodes.map(({ gradients }) => gradients);
      this.job = this.ranks.startSum({ slices, nodes: parts, sums, fast: this.fast });
      // The addon holds the buffers until the sum is finished.
      for (const t of nodes.slice(1).flatMap(({ gradients }) => gradients)) t?.dispose();
    }
  }

  private isComplete({ nodes }: Bucket): boolean {
    const last = nodes.at(-1);
    return last !== undefined && last.first + last.count === this.slices.first + this.slices.count;
  }

  /** Where the sum of a parameter goes: over its first node, whose values are sent before it is written. */
  private sumOf(p: Tensor, first: Tensor | null): Tensor {
    return first ?? Object.assign(empty(p.shape, { device: p.device }), { persistent: true });
  }

  private collapse({ params, nodes }: Bucket): (Tensor | null)[] {
    const sum = nodes.reduceRight<Node | null>((right, left) => (right ? merge(left, right) : left), null);
    return sum?.gradients ?? params.map(() => null);
  }

  private findUntouched(): Set<Tensor> {
    const params = [...this.bucketOf.keys()];
    const flags = this.ranks.gather(Float64Array.from(params, (p) => Number(this.touched.has(p))));
    return new Set(params.filter((_, i) => flags.every((rank) => rank[i] === 0)));
  }
}

function takeGradient(p: Tensor): Tensor | null {
  const { grad } = p;
  p.grad = null;
  return grad;
}
