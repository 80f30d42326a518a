import { gelu } from '../../ops/gelu';
import { array64, type OpCase } from './case';
import { gelu64 } from './float64';

/** Creates a case. */
export function geluCase(shape: readonly number[], scale: number): OpCase {
  return {
    name: `[${shape.join(', ')}] up to ${scale}`,
    inputs: { x: { shape, scale } },
    forward: ({ x }) => gelu(x!),
    oracle: ({ x }) => array64(shape, (i) => gelu64(x!.data[i]!)),
  };
}

/** Around zero, over the curved range, and far out where GELU is zero or the identity. */
export const geluCases = [geluCase([1], 1), geluCase([3, 37], 1), geluCase([257], 4), geluCase([2, 50], 30)];
