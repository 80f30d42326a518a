import { record } from '../core/autograd';
import { kernels } from '../core/dispatch';
import { scope } from '../core/scope';
import { elements, emptyLike, show, tensor, type Shape, type Tensor } from '../core/tensor';
import { castLike } from './cast';
import { expectFloats } from './check';

const MAX_DIMS = 6;
/** The functions of the kernel, in the order of native/ops/pointwise_functions.h, which has their derivatives. */
const KINDS = [
  'add',
  'sub',
  'mul',
  'div',
  'minimum',
  'maximum',
  'pow',
  'equal',
  'less',
  'lessEqual',
  'keep',
  'drop',
] as const;
type Kind = (typeof KINDS)[number];
/** What the kernel computes: y itself, dy/da or dy/db. */
const SLOPE = { none: 0, a: 1, b: 2 } as const;

/** A loop over one dimension: its length and the stride of each operand. */
interface Dim {
  size: number;
  strides: number[];
}

/** NumPy's broadcast shape: dimensions are aligned at the end, sizes of 1 are repeated. */
export function broadcastShape(op: string, a: Shape, b: Shape): number[] {
  const n = Math.max(a.length, b.length);
  return Array.from({ length: n }, (_, i) => {
    const [x, y] = [a[a.length - n + i] ?? 1, b[b.length - n + i] ?? 1];
    if (x !== y && x !== 1 && y !== 1) throw new Error(`${op}: shapes ${show(a)} and ${show(b)} do not broadcast`);
    return x === 1 ? y : x;
  });
}

/** Row-major strides of `shape` within the broadcast shape `out`; 0 where it is repeated. */
export function stridesIn(shape: Shape, out: Shape): number[] {
  const offset = out.length - shape.length;
  let stride = elements(shape);
  return out.map((_, i) => {
    const size = shape[i - offset];
    if (size === undefined) return 0;
    stride = size === 0 ? 0 : stride / size;
    return size === 1 ? 0 : stride;
  });
}

/** Merges adjacent dimensions that are contiguous in every operand, and drops sizes of 1. */
function collapse(out: Shape, strides: number[][]): Dim[] {
  const dims: Dim[] = [];
  out.forEach((size, i) => {
    if (size === 1) return;
    const mine = strides.map((s) => s[i] as number);
    const last = dims[dims.length - 1];
    if (last && mine.every((s, operand) => last.strides[operand] === s * size)) {
      dims[dims.length - 1] = { size: last.size * size, strides: mine };
    } else dims.push({ size, strides: mine });
  });
  return dims;
}

/** The loop nest as kernel arguments, padded in front to `MAX_DIMS`: sizes, and the strides of an operand. */
function walk(op: string, dims: Dim[]): { sizes: number[]; strides: (operand: number) => number[] } {
  if (dims.length > MAX_DIMS) throw new Error(`${op}: more than ${MAX_DIMS} dimensions that cannot be joined`);
  const pad = (values: number[], fill: number) => [...Array<number>(MAX_DIMS - values.length).fill(fill), ...values];
  const strides = (operand: number) => pad(dims.map((d) => d.strides[operand] as number), 0); // prettier-ignore
  return { sizes: pad(dims.map((d) => d.size), 1), strides }; // prettier-ignore
}

/** Sums x into y over the dimensions `reduced`, for each element of the dimensions `kept`. */
function reduceInto(y: Tensor, op: string, x: Tensor, kept: Dim[], reduced: Dim[]): Tensor {
  const [outer, inner] = [walk(op, kept), walk(op, reduced)];
  kernels.arithmeticReduce({
    kept: outer.sizes,
    keptStride: outer.strides(0),
    reduced: inner.sizes,
    reducedStride: inner.strides(0),
    lengthX: x.size,
    x,
    y,
  });
  return y;
}

function compute(kind: Kind, a: Tensor, b: Tensor, slope: keyof typeof SLOPE = 'none'): Tensor {
  const shape = broadcastShape(kind, a.shape, b.shape);
  const y = emptyLike(a, shape);
  const dims = collapse(shape, [stridesIn(a.shape, shape), stridesIn(b.shape, shape)]);
  const { sizes, strides } = walk(kind, dims);
  kernels.arithmeticForward({
    kind: KINDS.indexOf(kind),
    slope: SLOPE[slope],
    dims: sizes,
    strideA: strides(0),
    strideB: strides(1),
    lengthA: a.size,
    lengthB: b.size,
    a,
    b,
    y,
  });
  return y;
}

/** Sums x down to `shape`, which must broadcast to x's: the gradient of a broadcast, and the kernel of reductions. */
export function sumTo(x: Tensor, shape: Shape): Tensor {
  if (show(x.shape) === show(shape)) return x;
  const missing = x.ndim - shape.length;
  const repeated = x.shape.map((size, i) => size !== 1 && (shape[i - missing] ?? 1) === 1);
  const own = stridesIn(x.shape, x.shape);
  const part = (wanted: boolean) =>
    collapse(
      x.shape.map((s, i) => (repeated[i] === wanted ? s : 1)),
      [own],
    );
  return reduceInto(emptyLike(x, shape), 'sum', x, part(false), part(true));
}

/** Elements of a tensor at `offset` plus multiples of strides. */
export interface Layout {
  strides: readonly number[];
  offset: number;
}

/** Copies elements of x, of this shape, to elements of y. The layout of y must reach each element at most once. */
export function copyStrided(op: string, shape: Shape, x: Tensor, from: Layout, y: Tensor, to: Layout): void {
  const { sizes, strides } = walk(op, collapse(shape, [[...from.strides], [...to.strides]]));
  kernels.arithmeticCopy({
    dims: sizes,
    strideX: strides(0),
    strideY: strides(1),
    offsetX: from.offset,
    offsetY: to.offset,
    lengthX: x.size,
    lengthY: y.size,
    x,
    y,
  });
}

/** Gradients of a and b in the broadcast shape; null for an operand without one. */
type Rule = (dy: Tensor, a: Tensor, b: Tensor) => readonly [(() => Tensor) | null, (() => Tensor) | null];

/** The rule of a function whose derivatives the kernel computes. */
const bySlopes =
  (kind: Kind): Rule =>
  (dy, a, b) => [
    () => compute('mul', dy, compute(kind, a, b, 'a')),
    () => compute('mul', dy, compute(kind, a, b, 'b')),
  ];
const constant: Rule = () => [null, null];

const RULES: Record<Kind, Rule> = {
  add: (dy) => [() => dy, () => dy],
  sub: (dy) => [() => dy, () => compute('mul', dy, numberLike(-1, dy))],
  mul: (dy, a, b) => [() => compute('mul', dy, b), () => compute('mul', dy, a)],
  div: (dy, a, b) => [
    () => compute('div', dy, b),
    () => compute('mul', compute('div', compute('mul', dy, a), compute('mul', b, b)), numberLike(-1, dy)),
  ],
  minimum: bySlopes('minimum'),
  maximum: bySlopes('maximum'),
  pow: bySlopes('pow'),
  equal: constant,
  less: constant,
  lessEqual: constant,
  keep: (dy, _, mask) => [() => compute('keep', dy, mask), null],
  drop: (dy, _, mask) => [() => compute('drop', dy, mask), null],
};

type ReadFor = Record<'a' | 'b', Tensor[]>;

/** The operands whose gradients read a, and b, where those are not both. */
const READ_FOR: Partial<Record<Kind, (a: Tensor, b: Tensor) => ReadFor>> = {
  add: () => ({ a: [], b: [] }),
  sub: () => ({ a: [], b: [] }),
  mul: (a, b) => ({ a: [b], b: [a] }),
  div: (a, b) => ({ a: [b], b: [a, b] }),
  keep: (a) => ({ a: [], b: [a] }),
  drop: (a) => ({ a: [], b: [a] }),
};

/** A number as a scalar of the type and on the device of what it meets. */
function numberLike(value: number, other: Tensor | number): Tensor {
  if (typeof other === 'number') return tensor([value], []);
  return castLike(tensor([value], [], { device: other.device }), other);
}

/** A function of two operands, of which at least one should be a tensor, with NumPy's broadcasting. */
export function binary(kind: Kind, x: Tensor | number, y: Tensor | number): Tensor {
  return scope(() => apply(kind, x, y)); // frees the tensors made of numbers
}

function apply(kind: Kind, x: Tensor | number, y: Tensor | number): Tensor {
  const a = typeof x === 'number' ? numberLike(x, y) : x;
  const b = typeof y === 'number' ? numberLike(y, a) : y;
  expectFloats(kind, 'arithmetic', { a, b });
  return record({
    op: kind,
    inputs: [a, b],
    output: compute(kind, a, b),
    saved: { a, b },
    readFor: READ_FOR[kind]?.(a, b) ?? {},
    backward: (dy, { a, b }, needs) => {
      const [da, db] = RULES[kind](dy, a, b);
      return [needs[0] && da ? sumTo(da(), a.shape) : null, needs[1] && db ? sumTo(db(), b.shape) : null];
    },
  });
}

/** a + b, element by element with NumPy's broadcasting; either may be a number. */
export const add = (a: Tensor | number, b: Tensor | number): Tensor => binary('add', a, b);
/** a − b, element by element with NumPy's broadcasting; either may be a number. */
export const sub = (a: Tensor | number, b: Tensor | number): Tensor => binary('sub', a, b);
/** a · b, element by element with NumPy's broadcasting; either may be a number. */
export const mul = (a: Tensor | number, b: Tensor | number): Tensor => binary('mul', a, b);
/** a / b, element by element with NumPy's broadcasting; either may be a number. */
export const div = (a: Tensor | number, b: Tensor | number): Tensor => binary('div', a, b);
/** The smaller of a and b, element by element with NumPy's broadcasting; NaN if either is. Of equals each gets half the gradient. */
export const minimum = (a: Tensor | number, b: Tensor | number): Tensor => binary('minimum', a, b);
/** The larger of a and b, element by element with NumPy's broadcasting; NaN if either is. Of equals each gets half the gradient. */
export const maximum = (a: Tensor | number, b: Tensor | number): Tensor => binary('maximum', a, b);
