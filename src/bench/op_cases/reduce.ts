import { mean, norm, std, sum, variance, type ReduceOptions } from '../../ops/reduce';
import type { Tensor } from '../../core/tensor';
import { logsumexp, min } from '../../ops/max';
import { cumsum } from '../../ops/cumsum';
import { indexSelect } from '../../ops/index_rows';
import { array64, type Array64, type OpCase } from './case';

function reduce64(x: Array64, axes: readonly number[], keepDims: boolean, average: boolean): Array64 {
  const kept = x.shape.map((s, i) => (axes.includes(i) ? 1 : s));
  const out = array64(keepDims ? kept : x.shape.filter((_, i) => !axes.includes(i)), () => 0);
  x.data.forEach((v, flat) => {
    let [rest, at, stride] = [flat, 0, 1];
    for (let i = x.shape.length - 1; i >= 0; i--) {
      const index = rest % x.shape[i]!;
      rest = Math.floor(rest / x.shape[i]!);
      if (!axes.includes(i)) at += index * stride;
      stride *= kept[i]!;
    }
    out.data[at]! += v;
  });
  const n = x.data.length / out.data.length;
  return average ? { shape: out.shape, data: out.data.map((v) => v / n) } : out;
}

function reduceCase(
  shape: readonly number[],
  axes: readonly number[],
  options: ReduceOptions,
  average = false,
): OpCase {
  return {
    name: `${average ? 'mean' : 'sum'} of [${shape.join(', ')}] over ${axes.join(', ')}`,
    inputs: { x: { shape } },
    forward: ({ x }) => (average ? mean : sum)(x!, options),
    oracle: ({ x }) => reduce64(x!, axes, options.keepDims ?? false, average),
  };
}

/** All dimensions, one, several, negative ones, with keepdim. */
export const reduceCases: OpCase[] = [
  reduceCase([5], [0], {}),
  reduceCase([2, 3, 4], [0, 1, 2], {}),
  reduceCase([2, 3, 4], [1], { axis: 1 }),
  reduceCase([2, 3, 4], [2], { axis: -1, keepDims: true }, true),
  reduceCase([3, 2, 1, 5], [0, 3], { axis: [0, 3] }, true),
  {
    name: 'indexSelect, one row twice',
    inputs: { x: { shape: [4, 3] }, index: { shape: [5], dtype: 'i32', values: [2, 0, 2, 3, 2] } },
    forward: ({ x, index }) => indexSelect(x!, index!),
    oracle: ({ x, index }) => array64([5, 3], (i) => x!.data[index!.data[Math.floor(i / 3)]! * 3 + (i % 3)]!),
  },
];

/** An op of the rows of [3, 5], with the whole row in float64. */
const ofRows = (
  name: string,
  forward: (x: Tensor) => Tensor,
  row: (values: Float64Array) => number | ArrayLike<number>,
  input = {},
): OpCase => ({
  name,
  inputs: { x: { shape: [3, 5], ...input } },
  forward: ({ x }) => forward(x!),
  oracle: ({ x }) => {
    const rows = [0, 1, 2].map((i) => row(x!.data.slice(i * 5, i * 5 + 5)));
    const flat = rows.flatMap((r) => (typeof r === 'number' ? [r] : Array.from(r)));
    return { shape: flat.length === 3 ? [3] : [3, 5], data: Float64Array.from(flat) };
  },
});

const sum64 = (values: ArrayLike<number>) => Array.from(values).reduce((a, b) => a + b, 0);
const variance64 = (x: Float64Array, correction = 1) => {
  const centre = sum64(x) / x.length;
  return sum64(x.map((v) => (v - centre) ** 2)) / (x.length - correction);
};
const norm64 = (x: Float64Array, p: number) => sum64(x.map((v) => Math.abs(v) ** p)) ** (1 / p);

/** Statistics, norms, minima, log-sum-exp at large values, and cumulative sums along rows. */
export const rowCases: OpCase[] = [
  ofRows('variance', (x) => variance(x, 1), (x) => variance64(x)), // prettier-ignore
  ofRows(
    'variance, biased',
    (x) => variance(x, { axis: -1, correction: 0 }),
    (x) => variance64(x, 0),
  ),
  ofRows('std', (x) => std(x, -1), (x) => Math.sqrt(variance64(x))), // prettier-ignore
  ofRows('norm', (x) => norm(x, 1), (x) => norm64(x, 2)), // prettier-ignore
  ofRows(
    'norm of order 1',
    (x) => norm(x, { p: 1, axis: [1] }),
    (x) => norm64(x, 1),
  ),
  ofRows(
    'norm of order 3',
    (x) => norm(x, { p: 3, axis: -1 }),
    (x) => norm64(x, 3),
  ),
  ofRows('min', (x) => min(x, 1), (x) => Math.min(...x)), // prettier-ignore
  ofRows(
    'logsumexp at 200',
    (x) => logsumexp(x, 1),
    (x) => 200 + Math.log(sum64(x.map((v) => Math.exp(v - 200)))),
    { scale: 5, offset: 200 },
  ),
  ofRows(
    'cumsum of rows',
    (x) => cumsum(x, -1),
    (x) => x.map((_, i) => sum64(x.subarray(0, i + 1))),
  ),
  {
    name: 'cumsum of columns',
    inputs: { x: { shape: [3, 4] } },
    forward: ({ x }) => cumsum(x!, 0),
    oracle: ({ x }) => array64([3, 4], (i) => sum64(x!.data.filter((_, j) => j <= i && j % 4 === i % 4))),
  },
];
