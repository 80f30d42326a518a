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

/** Stacks of matrices whose leading dimensions broadcast. */
function stackCase(a: readonly number[], b: readonly number[], batch: readonly number[]): OpCase {
  const [m, k, n] = [a.at(-2)!, a.at(-1)!, b.at(-1)!];
  /** The matrix of an operand for the flat index of the batch. */
  const at = (shape: readonly number[], flat: number): number => {
    const own = shape.slice(0, -2);
    let [rest, offset, stride] = [flat, 0, 1];
    for (let d = batch.length - 1; d >= 0; d--) {
      const size = own[d - batch.length + own.length] ?? 1;
      if (size > 1) offset += (rest % batch[d]!) * stride;
      stride *= size;
      rest = Math.floor(rest / batch[d]!);
    }
    return offset;
  };
  return {
    name: `[${a.join(', ')}] [${b.join(', ')}]`,
    inputs: { a: { shape: a }, b: { shape: b } },
    forward: ({ a, b }) => matmul(a!, b!),
    oracle: (x) =>
      array64([...batch, m, n], (i) => {
        const [matrix, row, column] = [Math.floor(i / (m * n)), Math.floor(i / n) % m, i % n];
        const [fromA, fromB] = [at(a, matrix) * m * k + row * k, at(b, matrix) * k * n + column];
        let sum = 0;
        for (let j = 0; j < k; j++) sum += x.a!.data[fromA + j]! * x.b!.data[fromB + j * n]!;
        return sum;
      }),
  };
}

/** Equal stacks, one matrix for all, one for each of the other's dimensions, and sizes around tiles. */
export const matmulStackCases = [
  stackCase([3, 4, 5], [3, 5, 2], [3]),
  stackCase([2, 3, 4, 5], [5, 6], [2, 3]),
  stackCase([4, 5], [3, 5, 2], [3]),
  stackCase([2, 1, 3, 4], [5, 4, 2], [2, 5]),
  stackCase([2, 17, 18], [2, 18, 33], [2]),
];
