import { temporalFc } from '../../ops/temporal_fc';
import type { OpCase } from './case';
import { temporalFc64 } from './float64';

/** Creates a case. */
export function temporalFcCase(shape: readonly number[], groups: number, withBias = true): OpCase {
  const row = shape[1]! * (shape[4]! / groups);
  return {
    name: `[${shape.join(', ')}] in ${groups} groups${withBias ? '' : ', no bias'}`,
    inputs: {
      x: { shape },
      weight: { shape: [row, row], scale: Math.sqrt(3 / row) },
      ...(withBias ? { bias: { shape: [row], scale: 0.5 } } : {}),
    },
    forward: ({ x, weight, bias }) => temporalFc(x!, weight!, bias ?? null, groups),
    oracle: ({ x, weight, bias }) => ({ shape, data: temporalFc64(x!, weight!, bias, groups) }),
  };
}

/** One step and many, runs of 1 and more, several clips, numbers of groups other than steps. */
export const temporalFcCases = [
  temporalFcCase([1, 4, 2, 2, 8], 4),
  temporalFcCase([2, 3, 2, 3, 6], 2),
  temporalFcCase([1, 8, 1, 1, 8], 8, false),
  temporalFcCase([2, 1, 3, 1, 5], 1),
  temporalFcCase([1, 2, 5, 3, 7], 7),
];
