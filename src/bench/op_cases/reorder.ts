import type { Tensor } from '../../core/tensor';
import { expand } from '../../ops/expand';
import { gather } from '../../ops/gather';
import { indexSelect } from '../../ops/index_rows';
import { permute, transpose } from '../../ops/permute';
import { cat, pad, slice, split, stack } from '../../ops/slice';
import { topk } from '../../ops/topk';
import { array64, type OpCase } from './case';

const stridesOf = (shape: readonly number[]) => shape.map((_, d) => shape.slice(d + 1).reduce((a, b) => a * b, 1));

/** The source indices of the elements of `shape`; `at` maps an index to its position in x. */
function picked(
  name: string,
  shape: readonly number[],
  out: number[],
  at: (index: number[]) => number,
): Omit<OpCase, 'forward'> {
  const strides = stridesOf(out);
  const index = (i: number) => out.map((n, d) => Math.floor(i / strides[d]!) % n);
  return {
    name,
    inputs: { x: { shape } },
    oracle: ({ x }) => array64(out, (i) => x!.data[at(index(i))]!),
  };
}

function permuteCase(shape: readonly number[], axes: readonly number[]): OpCase {
  const order = axes.map((d) => (d + shape.length) % shape.length);
  const strides = stridesOf(shape);
  const at = (index: number[]) => order.reduce((sum, d, i) => sum + strides[d]! * index[i]!, 0);
  const name = `permute [${shape.join(', ')}] by ${axes.join(', ')}`;
  return {
    ...picked(
      name,
      shape,
      order.map((d) => shape[d]!),
      at,
    ),
    forward: ({ x }) => permute(x!, axes),
  };
}

function sliceCase(shape: readonly number[], axis: number, start: number, end: number, step = 1): OpCase {
  const d = (axis + shape.length) % shape.length;
  const strides = stridesOf(shape);
  const at = (index: number[]) => index.reduce((sum, n, i) => sum + strides[i]! * (i === d ? n * step + start : n), 0);
  const out = shape.map((n, i) => (i === d ? Math.ceil((end - start) / step) : n));
  const name = `slice ${start} to ${end} by ${step} of dimension ${axis} of [${shape.join(', ')}]`;
  return { ...picked(name, shape, out, at), forward: ({ x }) => slice(x!, axis, start, end, step) };
}

/** Transpositions, cycles, the identity, sizes of 1; slices at the ends and in the middle of each dimension. */
export const reorderCases = [
  permuteCase([3, 5], [1, 0]),
  permuteCase([2, 3, 4], [2, 0, 1]),
  permuteCase([2, 3, 4], [0, -1, 1]),
  permuteCase([2, 1, 3, 2, 5], [4, 3, 2, 1, 0]),
  permuteCase([4], [0]),
  sliceCase([5], 0, 1, 4),
  sliceCase([4, 3, 2], 0, 0, 2),
  sliceCase([4, 3, 2], 1, 2, 3),
  sliceCase([4, 3, 5], -1, 1, 5),
  sliceCase([4, 7, 2], 1, 1, 7, 3),
];

/** Takes each element of the output from position `from(i)` of the inputs joined end to end; 9 where that is -1. */
const takenCase = (
  name: string,
  inputs: Record<string, readonly number[]>,
  forward: (t: Record<string, Tensor>) => Tensor,
  shape: readonly number[],
  from: readonly number[],
): OpCase => ({
  name,
  inputs: Object.fromEntries(Object.entries(inputs).map(([input, own]) => [input, { shape: own }])),
  forward,
  oracle: (x) => {
    const joined = Object.values(x).flatMap(({ data }) => Array.from(data));
    return array64(shape, (i) => (from[i] === -1 ? 9 : joined[from[i]!]!));
  },
});

/** Joined, cut, surrounded and repeated tensors, along first, middle and last dimensions. */
export const joinCases = [
  takenCase('cat along 0', { a: [1, 2], b: [2, 2] }, ({ a, b }) => cat([a!, b!]), [3, 2], [0, 1, 2, 3, 4, 5]),
  takenCase('cat along -1', { a: [2, 1], b: [2, 2] }, ({ a, b }) => cat([a!, b!], -1), [2, 3], [0, 2, 3, 1, 4, 5]),
  takenCase('stack along 1', { a: [2, 2], b: [2, 2] }, ({ a, b }) => stack([a!, b!], 1), [2, 2, 2], [0, 1, 4, 5, 2, 3, 6, 7]), // prettier-ignore
  takenCase('stack at the end', { a: [2], b: [2] }, ({ a, b }) => stack([a!, b!], -1), [2, 2], [0, 2, 1, 3]),
  takenCase('the second part of a split', { x: [2, 5] }, ({ x }) => split(x!, [1, 3, 1], 1)[1]!, [2, 3], [1, 2, 3, 6, 7, 8]), // prettier-ignore
  takenCase('the rest of a split by 2', { x: [5, 1] }, ({ x }) => split(x!, 2)[2]!, [1, 1], [4]),
  takenCase('pad of the last dimension', { x: [2, 2] }, ({ x }) => pad(x!, [1, 2], 9), [2, 5], [-1, 0, 1, -1, -1, -1, 2, 3, -1, -1]), // prettier-ignore
  takenCase(
    'pad of two dimensions',
    { x: [1, 2] },
    ({ x }) => pad(x!, [0, 1, 1, 0], 9),
    [2, 3],
    [-1, -1, -1, 0, 1, -1],
  ),
  takenCase('expand', { x: [2, 1] }, ({ x }) => expand(x!, [2, -1, 3]), [2, 2, 3], [0, 0, 0, 1, 1, 1, 0, 0, 0, 1, 1, 1]), // prettier-ignore
  takenCase('transpose', { x: [2, 3] }, ({ x }) => transpose(x!, 0, -1), [3, 2], [0, 3, 1, 4, 2, 5]),
];

/** Chosen elements: indices that repeat, along each dimension, and the largest. */
export const gatherCases: OpCase[] = [
  {
    name: 'gather along the middle',
    inputs: {
      x: { shape: [2, 3, 2] },
      index: { shape: [2, 4, 2], dtype: 'i32', values: [0, 2, 0, 1, 2, 2, 1, 0, 1, 1, 1, 1, 0, 2, 0, 0] },
    },
    forward: ({ x, index }) => gather(x!, 1, index!),
    oracle: ({ x, index }) =>
      array64([2, 4, 2], (i) => x!.data[(Math.floor(i / 8) * 3 + index!.data[i]!) * 2 + (i % 2)]!),
  },
  {
    name: 'indexSelect along the last dimension',
    inputs: { x: { shape: [2, 3] }, index: { shape: [4], dtype: 'i32', values: [2, 0, 2, 1] } },
    forward: ({ x, index }) => indexSelect(x!, index!, -1),
    oracle: ({ x, index }) => array64([2, 4], (i) => x!.data[Math.floor(i / 4) * 3 + index!.data[i % 4]!]!),
  },
  ...([true, false] as const).map((largest): OpCase => ({
    name: `the 3 ${largest ? 'largest' : 'smallest'} of rows`,
    inputs: { x: { shape: [3, 7], values: Array.from({ length: 21 }, (_, i) => (((i * 8) % 21) - 10) / 4) } },
    forward: ({ x }) => topk(x!, 3, { largest }).values,
    oracle: ({ x }) =>
      array64([3, 3], (i) => {
        const row = x!.data.slice(Math.floor(i / 3) * 7, Math.floor(i / 3) * 7 + 7).sort();
        return row[largest ? 6 - (i % 3) : i % 3]!;
      }),
  })),
];
