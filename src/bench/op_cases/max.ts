import { max, type MaxOptions } from '../../ops/max';
import { array64, type OpCase } from './case';

function maxCase(shape: readonly number[], options: MaxOptions, values?: readonly number[]): OpCase {
  const axis = options.axis === undefined ? undefined : (options.axis + shape.length) % shape.length;
  const kept = shape.map((n, d) => (axis === undefined || d === axis ? 1 : n));
  const inner = axis === undefined ? 1 : shape.slice(axis + 1).reduce((a, b) => a * b, 1);
  const n = axis === undefined ? shape.reduce((a, b) => a * b, 1) : shape[axis]!;
  const out = options.keepDims ? kept : axis === undefined ? [] : shape.filter((_, d) => d !== axis);
  return {
    name: `[${shape.join(', ')}] over ${axis ?? 'all'}${options.keepDims ? ', kept' : ''}`,
    inputs: { x: { shape, ...(values ? { values } : {}) } },
    forward: ({ x }) => max(x!, options),
    oracle: ({ x }) =>
      array64(out, (i) => {
        const start = Math.floor(i / inner) * n * inner + (i % inner);
        return Math.max(...Array.from({ length: n }, (_, j) => x!.data[start + j * inner]!));
      }),
  };
}

/** Over everything, each of three dimensions, negative dimensions, size 1, and rows longer than a kernel block. */
export const maxCases = [
  maxCase([7], {}),
  maxCase([2, 3, 4], {}),
  maxCase([2, 3, 4], { keepDims: true }),
  maxCase([2, 3, 4], { axis: 0 }),
  maxCase([2, 3, 4], { axis: 1, keepDims: true }),
  maxCase([2, 3, 4], { axis: -1 }),
  maxCase([3, 1], { axis: 1 }),
  maxCase([1], {}, [-2]),
];
