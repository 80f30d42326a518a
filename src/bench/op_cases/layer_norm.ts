import { layerNorm } from '../../ops/layer_norm';
import type { OpCase } from './case';
import { layerNorm64 } from './float64';

/** Creates a case. */
export function layerNormCase(shape: readonly number[], offset = 0): OpCase {
  const cols = shape[shape.length - 1]!;
  return {
    name: `[${shape.join(', ')}]${offset ? ` around ${offset}` : ''}`,
    inputs: { x: { shape, offset }, gamma: { shape: [cols], scale: 0.2, offset: 1 }, beta: { shape: [cols] } },
    forward: ({ x, gamma, beta }) => layerNorm(x!, gamma!, beta!),
    oracle: ({ x, gamma, beta }) => ({ shape, data: layerNorm64(x!, gamma!, beta!) }),
  };
}

/** Odd widths, one row, many rows, and a mean far from zero (where a naive variance cancels). */
export const layerNormCases = [
  layerNormCase([1, 5]),
  layerNormCase([7, 3]),
  layerNormCase([3, 5, 17]),
  layerNormCase([2, 84]),
  layerNormCase([5, 112]),
  layerNormCase([70, 9]),
  { ...layerNormCase([4, 33], 20), tolerance: { forward: 3e-5, gradient: 1e-4 } },
];
