import { matmul } from '../../ops/matmul';
import { array64, type OpCase } from './case';

function matmulCase(m: number, k: number, n: number): OpCase {
  return {
    name: `[${m}, ${k}] [${k}, ${n}]`,
    inputs: { a: { shape: [m, k] }, b: { shape: [k, n] } },
    forward: ({ a, b }) => matmul(a!, b!),
    oracle: ({ a, b }) =>
      array64([m, n], (i) => {
        let sum = 0;
        for (let j = 0; j < k; j++) sum += a!.data[Math.floor(i / n) * k + j]! * b!.data[j * n + (i % n)]!;
        return sum;
      }),
  };
}

/** One row, one column, and widths around the vector and panel sizes. */
export const matmulCases = [matmulCase(1, 1, 1), matmulCase(5, 3, 1), matmulCase(1, 7, 19), matmulCase(9, 33, 17)];
