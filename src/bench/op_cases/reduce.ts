import { mean, sum, type ReduceOptions } from '../../ops/reduce';
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
