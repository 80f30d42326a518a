import { logSoftmax, softmax } from '../../ops/softmax';
import { array64, type OpCase } from './case';
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

/** Along the first dimension, and the logarithm at values whose exponentials overflow. */
export const softmaxAxisCases: OpCase[] = [
  {
    name: '[3, 4] along 0',
    inputs: { x: { shape: [3, 4] } },
    forward: ({ x }) => softmax(x!, 0),
    oracle: ({ x }) => {
      const column = (j: number) =>
        softmax64(
          Float64Array.from([0, 4, 8], (i) => x!.data[i + j]!),
          3,
        );
      return array64([3, 4], (i) => column(i % 4)[Math.floor(i / 4)]!);
    },
  },
  {
    name: 'logSoftmax around 100',
    inputs: { x: { shape: [3, 4], scale: 4, offset: 100 } },
    forward: ({ x }) => logSoftmax(x!),
    oracle: ({ x }) => ({ shape: [3, 4], data: softmax64(x!.data, 4).map(Math.log) }),
  },
];
