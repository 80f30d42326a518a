import { linear } from '../../ops/linear';
import { array64, type Array64, type OpCase } from './case';
import { gelu64, linear64 } from './float64';

const squares = ({ shape, data }: Array64): Array64 => ({ shape, data: data.map((v) => v * v) });

/** Creates a case. */
export function linearCase(
  rows: readonly number[],
  n: number,
  k: number,
  options: { gelu?: boolean; bias?: boolean } = {},
): OpCase {
  const { gelu = false, bias = true } = options;
  return {
    name: `[${rows.join(', ')}, ${k}] -> ${n}${gelu ? ', gelu' : ''}${bias ? '' : ', no bias'}`,
    inputs: {
      x: { shape: [...rows, k] },
      weight: { shape: [n, k], scale: Math.sqrt(3 / k) },
      ...(bias ? { bias: { shape: [n], scale: 0.5 } } : {}),
    },
    forward: ({ x, weight, bias }) => linear(x!, weight!, bias ?? null, { gelu }),
    oracle: ({ x, weight, bias }) => {
      const z = linear64(x!.data, weight!, bias);
      return array64([...rows, n], (i) => (gelu ? gelu64(z[i]!) : z[i]!));
    },
    addends: ({ x, weight, bias }) =>
      Math.sqrt(linear64(squares(x!).data, squares(weight!), bias && squares(bias)).reduce((a, b) => a + b, 0)),
  };
}

/** One row and many, widths around vector and panel sizes, with and without bias and GELU. */
export const linearCases = [
  linearCase([1], 1, 1),
  linearCase([3], 5, 7),
  linearCase([2, 3], 17, 33, { gelu: true }),
  linearCase([5], 31, 16, { bias: false }),
  linearCase([15], 40, 12, { gelu: true, bias: false }),
  linearCase([2, 2, 29], 9, 6),
  linearCase([1], 70, 20),
];
