import { permute } from '../../ops/permute';
import { slice } from '../../ops/slice';
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

function sliceCase(shape: readonly number[], axis: number, start: number, end: number): OpCase {
  const d = (axis + shape.length) % shape.length;
  const strides = stridesOf(shape);
  const at = (index: number[]) => index.reduce((sum, n, i) => sum + strides[i]! * (i === d ? n + start : n), 0);
  const out = shape.map((n, i) => (i === d ? end - start : n));
  const name = `slice ${start} to ${end} of dimension ${axis} of [${shape.join(', ')}]`;
  return { ...picked(name, shape, out, at), forward: ({ x }) => slice(x!, axis, start, end) };
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
];
