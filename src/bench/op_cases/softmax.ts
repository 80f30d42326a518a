import { softmax } from '../../ops/softmax';
import type { OpCase } from './case';
import { softmax64 } from './float64';

function softmaxCase(shape: readonly number[], scale = 1, offset = 0): OpCase {
  return {
    name: `[${shape.join(', ')}] up to ${scale}${offset ? ` around ${offset}` : ''}`,
    inputs: { x: { shape, scale, offset } },
    forward: ({ x }) => softmax(x!),
    oracle: ({ x }) => ({ shape, data: softmax64(x!.data, shape[shape.length - 1]!) }),
  };
}

/** The network's two and three branches, one column, rows around and beyond a vector, and sharp distributions. */
export const softmaxCases = [
  softmaxCase([2, 5, 3]),
  softmaxCase([7, 2]),
  softmaxCase([4, 1]),
  softmaxCase([3, 16]),
  softmaxCase([2, 33], 10),
  softmaxCase([1, 400]),
  softmaxCase([3, 5], 1, 80),
];
