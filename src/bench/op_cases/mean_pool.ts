import { meanPool } from '../../ops/mean_pool';
import { array64, type Array64, type OpCase } from './case';

function oracle(inputs: Record<string, Array64>): Array64 {
  const list = Object.values(inputs);
  const { shape, data } = list[0]!;
  const [clips, c] = [shape[0]!, shape[shape.length - 1]!];
  const tokens = data.length / (clips * c);
  return array64([clips, c], (at) => {
    let sum = 0;
    for (let token = 0; token < tokens; token++)
      for (const x of list) sum += x.data[(Math.floor(at / c) * tokens + token) * c + (at % c)]!;
    return sum / tokens;
  });
}

/** Creates a case. */
export function meanPoolCase(shape: readonly number[], count: number, offset = 0): OpCase {
  const inputs = Object.fromEntries(Array.from({ length: count }, (_, i) => [`x${i}`, { shape, offset }]));
  return {
    name: `${count} of [${shape.join(', ')}]${offset ? ` around ${offset}` : ''}`,
    inputs,
    forward: (t) => meanPool(count === 1 ? t.x0! : Object.values(t)),
    oracle,
  };
}

/** One to three inputs, odd widths, no inner dimensions, and token counts around and beyond the sum's blocks. */
export const meanPoolCases = [
  meanPoolCase([1, 2, 3, 3, 5], 3),
  meanPoolCase([3, 4, 17], 2),
  meanPoolCase([2, 9], 1),
  meanPoolCase([2, 16, 3], 1),
  meanPoolCase([1, 17, 33], 2),
  meanPoolCase([1, 300, 2], 3, 5),
];
