import * as ops from '../../../ops';
import type { Tensor } from '../../../core/tensor';
import { array64, type Array64, type Input, type OpCase } from '../../op_cases/case';
import type { KernelCase } from '../kernel_case';
import type { Stage } from '../stages';

/** An op of rows of `c` numbers, with its oracle. */
interface Basic {
  /** The inputs for a number of rows, by name. */
  inputs: (rows: number, c: number) => Record<string, Input>;
  forward: (t: Record<string, Tensor>, rows: number, c: number) => Tensor;
  oracle: (t: Record<string, Array64>, rows: number, c: number) => Array64;
  /** Multiply-adds for each number of x. */
  macs?: (c: number) => number;
  /** The backward reads only the upstream gradient. */
  backwardReadsNothing?: true;
  /** Its result in bf16 is rounded this often; default once. */
  roundings?: number;
  /** See `OpCase`. */
  jumps?: true;
}

const one = (rows: number, c: number): Record<string, Input> => ({ x: { shape: [rows, c] } });
const two = (rows: number, c: number): Record<string, Input> => ({ ...one(rows, c), y: { shape: [rows, c] } });

/** An op of each element of x, or of x and y. */
const elements = (forward: Basic['forward'], of: (x: number, y: number) => number, inputs: Basic['inputs'] = one) => ({
  inputs,
  forward,
  oracle: ({ x, y }: Record<string, Array64>) => array64(x!.shape, (i) => of(x!.data[i]!, y?.data[i] ?? 0)),
});

/** An op that turns each row into one number. */
const reduction = (forward: Basic['forward'], of: (row: Float64Array) => number): Basic => ({
  inputs: one,
  forward,
  oracle: ({ x }, rows, c) => array64([rows], (i) => of(x!.data.subarray(i * c, (i + 1) * c))),
});

/** A mean over all elements. */
const loss = (
  forward: Basic['forward'],
  of: (x: number, y: number) => number,
  inputs: Basic['inputs'] = two,
): Basic => ({
  inputs,
  forward,
  oracle: ({ x, y }) => array64([], () => x!.data.reduce((sum, v, i) => sum + of(v, y!.data[i]!), 0) / x!.data.length),
});

/** An op that takes each element of the output from position `from(i)` of x. */
const copy = (
  forward: Basic['forward'],
  shape: (rows: number, c: number) => number[],
  from: (i: number, rows: number, c: number) => number,
): Basic => ({
  inputs: one,
  forward,
  oracle: ({ x }, rows, c) => array64(shape(rows, c), (i) => x!.data[from(i, rows, c)] ?? 0),
  backwardReadsNothing: true,
});

const sum = (row: Float64Array): number => row.reduce((a, b) => a + b, 0);
const variance = (row: Float64Array): number =>
  row.reduce((total, v) => total + (v - sum(row) / row.length) ** 2, 0) / (row.length - 1);
/** Which column or row an index names: every 7th, in turn. */
const index = (count: number, of: number) => Array.from({ length: count }, (_, i) => (i * 7) % of);
const SIDE = 8; // of pictures for pooling

const BASIC: Readonly<Record<string, Basic>> = {
  exp: elements(({ x }) => ops.exp(x!), Math.exp),
  sigmoid: elements(
    ({ x }) => ops.sigmoid(x!),
    (x) => 1 / (1 + Math.exp(-x)),
  ),
  relu: elements(
    ({ x }) => ops.relu(x!),
    (x) => Math.max(x, 0),
  ),
  pow: elements(
    ({ x }) => ops.pow(x!, 3),
    (x) => x ** 3,
  ),
  add: {
    ...elements(
      ({ x, y }) => ops.add(x!, y!),
      (x, y) => x + y,
      two,
    ),
    backwardReadsNothing: true,
  },
  mul: elements(
    ({ x, y }) => ops.mul(x!, y!),
    (x, y) => x * y,
    two,
  ),
  'where of a comparison': {
    inputs: (rows, c) => ({ ...two(rows, c), m: { shape: [rows, c], grad: false } }),
    forward: ({ m, x, y }) => ops.where(ops.gt(m!, 0), x!, y!),
    oracle: ({ m, x, y }) => array64(x!.shape, (i) => (m!.data[i]! > 0 ? x : y)!.data[i]!),
  },
  'sum rows': { ...reduction(({ x }) => ops.sum(x!, 1), sum), backwardReadsNothing: true },
  'sum columns': {
    inputs: one,
    forward: ({ x }) => ops.sum(x!, 0),
    oracle: ({ x }, rows, c) =>
      array64([c], (j) => sum(Float64Array.from({ length: rows }, (_, i) => x!.data[i * c + j]!))),
    backwardReadsNothing: true,
  },
  'variance rows': reduction(({ x }) => ops.variance(x!, 1), variance),
  'max rows': {
    ...reduction(
      ({ x }) => ops.max(x!, 1),
      (row) => row.reduce((a, b) => Math.max(a, b)),
    ),
    jumps: true,
  },
  'logsumexp rows': reduction(
    ({ x }) => ops.logsumexp(x!, 1),
    (row) => Math.log(sum(row.map(Math.exp))),
  ),
  'softmax rows': {
    inputs: one,
    forward: ({ x }) => ops.softmax(x!),
    oracle: ({ x }, rows, c) => {
      const totals = Array.from({ length: rows }, (_, i) => sum(x!.data.slice(i * c, (i + 1) * c).map(Math.exp)));
      return array64([rows, c], (i) => Math.exp(x!.data[i]!) / totals[Math.floor(i / c)]!);
    },
  },
  'cumsum rows': {
    inputs: one,
    forward: ({ x }) => ops.cumsum(x!, 1),
    oracle: ({ x }, rows, c) => array64([rows, c], (i) => sum(x!.data.subarray(i - (i % c), i + 1))),
    backwardReadsNothing: true,
  },
  topk: {
    inputs: one,
    jumps: true,
    forward: ({ x }) => ops.topk(x!, 5).values,
    oracle: ({ x }, rows, c) => {
      const sorted = Array.from({ length: rows }, (_, i) => x!.data.slice(i * c, (i + 1) * c).sort());
      return array64([rows, 5], (i) => sorted[Math.floor(i / 5)]![c - 1 - (i % 5)]!);
    },
  },
  cat: copy(({ x }) => ops.cat([x!, x!], 1), (rows, c) => [rows, 2 * c], (i, _, c) => Math.floor(i / (2 * c)) * c + (i % c)), // prettier-ignore
  stack: copy(
    ({ x }) => ops.stack([x!, x!]),
    (rows, c) => [2, rows, c],
    (i, rows, c) => i % (rows * c),
  ),
  pad: copy(
    ({ x }) => ops.pad(x!, [0, 0, 0, 1]),
    (rows, c) => [rows + 1, c],
    (i) => i,
  ),
  permute: copy(({ x }) => ops.transpose(x!, 0, 1), (rows, c) => [c, rows], (i, rows, c) => (i % rows) * c + Math.floor(i / rows)), // prettier-ignore
  gather: {
    inputs: (rows, c) => ({ ...one(rows, c), at: { shape: [rows, 1], dtype: 'i32', values: index(rows, c) } }),
    forward: ({ x, at }) => ops.gather(x!, 1, at!),
    oracle: ({ x, at }, rows, c) => array64([rows, 1], (i) => x!.data[i * c + at!.data[i]!]!),
    backwardReadsNothing: true,
  },
  embedding: {
    inputs: (rows, c) => ({ x: { shape: [1000, c] }, at: { shape: [rows], dtype: 'i32', values: index(rows, 1000) } }),
    forward: ({ x, at }) => ops.indexSelect(x!, at!),
    oracle: ({ x, at }, rows, c) => array64([rows, c], (i) => x!.data[at!.data[Math.floor(i / c)]! * c + (i % c)]!),
    backwardReadsNothing: true,
  },
  'matmul stacks': {
    inputs: (rows, c) => ({ x: { shape: [rows / 8, 8, c] }, y: { shape: [rows / 8, c, 8] } }),
    forward: ({ x, y }) => ops.matmul(x!, y!),
    oracle: ({ x, y }, rows, c) =>
      array64([rows / 8, 8, 8], (i) => {
        const [left, right] = [Math.floor(i / 8) * c, Math.floor(i / 64) * 8 * c + (i % 8)];
        return sum(Float64Array.from({ length: c }, (_, k) => x!.data[left + k]! * y!.data[right + 8 * k]!));
      }),
    macs: () => 8,
  },
  group_norm: {
    inputs: (rows, c) => ({ x: { shape: [rows / 8, c, 8] }, gamma: { shape: [c] }, beta: { shape: [c] } }),
    forward: ({ x, gamma, beta }) => ops.groupNorm(x!, 4, gamma!, beta!),
    oracle: ({ x, gamma, beta }, rows, c) => {
      const n = 2 * c; // numbers of a group
      const groups = Array.from({ length: (rows * c) / n }, (_, g) => {
        const part = x!.data.subarray(g * n, (g + 1) * n);
        return { mean: sum(part) / n, scale: 1 / Math.sqrt((variance(part) * (n - 1)) / n + 1e-5) };
      });
      return array64(x!.shape, (i) => {
        const [{ mean, scale }, channel] = [groups[Math.floor(i / n)]!, Math.floor(i / 8) % c];
        return (x!.data[i]! - mean) * scale * gamma!.data[channel]! + beta!.data[channel]!;
      });
    },
  },
  ...pooling(
    'max_pool2d',
    (x) => ops.maxPool2d(x, 2),
    (four) => Math.max(...four),
    { jumps: true },
  ),
  ...pooling(
    'avg_pool2d',
    (x) => ops.avgPool2d(x, 2),
    (four) => sum(Float64Array.from(four)) / 4,
  ),
  mse_loss: {
    ...loss(
      ({ x, y }) => ops.mseLoss(x!, y!),
      (x, y) => (x - y) ** 2,
    ),
    roundings: 3, // of the difference, its square and the mean
  },
  bce_with_logits: loss(
    ({ x, y }) => ops.bceWithLogits(x!, y!),
    (x, y) => Math.max(x, 0) - x * y + Math.log1p(Math.exp(-Math.abs(x))),
    (rows, c) => ({ ...one(rows, c), y: { shape: [rows, c], scale: 0.5, offset: 0.5, grad: false } }),
  ),
  'cross_entropy labels': {
    inputs: (rows, c) => ({ ...one(rows, c), at: { shape: [rows], dtype: 'i32', values: index(rows, c) } }),
    forward: ({ x, at }) => ops.crossEntropy(x!, at!),
    oracle: ({ x, at }, rows, c) =>
      array64([], () => {
        const each = Float64Array.from({ length: rows }, (_, i) => Math.log(sum(x!.data.slice(i * c, (i + 1) * c).map(Math.exp))) - x!.data[i * c + at!.data[i]!]!); // prettier-ignore
        return sum(each) / rows;
      }),
  },
};

/** Windows of 2 by 2 of pictures [rows / 64, C, 8, 8]. */
function pooling(
  op: string,
  forward: (x: Tensor) => Tensor,
  of: (window: number[]) => number,
  more: Pick<Basic, 'jumps'> = {},
): Record<string, Basic> {
  const half = SIDE / 2;
  const corner = (i: number) => Math.floor(i / half) * 2 * SIDE + (i % half) * 2; // rows of all pictures follow each other
  return {
    [op]: {
      ...more,
      inputs: (rows, c) => ({ x: { shape: [rows / SIDE ** 2, c, SIDE, SIDE] } }),
      forward: ({ x }) => forward(x!),
      oracle: ({ x }, rows, c) =>
        array64([rows / SIDE ** 2, c, half, half], (i) =>
          of([0, 1, SIDE, SIDE + 1].map((step) => x!.data[corner(i) + step]!)),
        ),
    },
  };
}

function caseOf({ inputs, forward, oracle, jumps }: Basic, rows: number, c: number): OpCase {
  const made = inputs(rows, c);
  return {
    name: Object.entries(made).map(([name, { shape }]) => `${name} [${shape.join(', ')}]`).join(', '), // prettier-ignore
    inputs: made,
    ...(jumps ? { jumps } : {}),
    forward: (t) => forward(t, rows, c),
    oracle: (t) => oracle(t, rows, c),
  };
}

/** The general ops on the tokens of stage 1, as rows; verified on fewer of them. */
export const basic = ({ number, tokens, channels }: Stage): KernelCase[] => {
  if (number !== 1) return [];
  const rows = Math.max(64, tokens - (tokens % 64));
  return Object.entries(BASIC).map(([op, one]) => ({
    ...{ op, stage: 1, timed: caseOf(one, rows, channels), verified: caseOf(one, 64, channels) },
    macs: (one.macs?.(channels) ?? 0) * rows * channels,
    ...(one.backwardReadsNothing ? { backwardReadsNothing: true } : {}),
    bf16: {
      activations: ['x', 'y', 'm'],
      roundings: { forward: one.roundings ?? 1, gradient: 1 + (one.roundings ?? 1) },
    },
  }));
};
