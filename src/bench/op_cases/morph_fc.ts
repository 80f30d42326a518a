import { morphFc } from '../../ops/morph_fc';
import type { OpCase } from './case';
import { morphFc64, type MorphOptions } from './float64';

/** Creates a case. */
export function morphFcCase(shape: readonly number[], options: MorphOptions, withBias = true): OpCase {
  const { axis, chunk, groups = chunk, order } = options;
  const row = (chunk * shape[4]!) / groups;
  const words = [axis, `L = ${chunk}`, ...(groups === chunk ? [] : [`${groups} groups`]), order];
  return {
    name: `[${shape.join(', ')}] ${words.join(', ')}${withBias ? '' : ', no bias'}`,
    inputs: {
      x: { shape },
      weight: { shape: [row, row], scale: Math.sqrt(3 / row) },
      ...(withBias ? { bias: { shape: [row], scale: 0.5 } } : {}),
    },
    forward: ({ x, weight, bias }) => morphFc(x!, weight!, bias ?? null, options),
    oracle: ({ x, weight, bias }) => ({ shape, data: morphFc64(x!, weight!, bias, options) }),
  };
}

const consecutive = { order: 'consecutive' } as const;

/** Chunks of part of a row, of two rows and across row ends; padded frames; both orders; runs of 1 and more. */
export const morphFcCases = [
  morphFcCase([1, 1, 4, 4, 8], { axis: 'width', chunk: 4, ...consecutive }),
  morphFcCase([2, 1, 4, 6, 6], { axis: 'height', chunk: 3, ...consecutive }),
  morphFcCase([1, 2, 2, 3, 12], { axis: 'width', chunk: 6, ...consecutive }, false),
  morphFcCase([1, 1, 3, 4, 10], { axis: 'height', chunk: 5, ...consecutive }),
  morphFcCase([1, 2, 3, 3, 8], { axis: 'width', chunk: 4, ...consecutive }),
  morphFcCase([1, 1, 4, 4, 8], { axis: 'height', chunk: 4, order: 'strided' }),
  morphFcCase([1, 1, 3, 3, 4], { axis: 'height', chunk: 2, order: 'strided' }),
  morphFcCase([1, 1, 5, 4, 7], { axis: 'width', chunk: 7, ...consecutive }),
  morphFcCase([1, 1, 2, 2, 5], { axis: 'height', chunk: 1, ...consecutive }),
];

/** More and fewer groups than tokens per chunk (table 8 of the paper); plugins only support equal numbers. */
export const morphFcGroupCases = [
  morphFcCase([1, 2, 3, 4, 12], { axis: 'width', chunk: 3, groups: 6, ...consecutive }),
  morphFcCase([2, 1, 3, 3, 8], { axis: 'height', chunk: 4, groups: 2, ...consecutive }),
  morphFcCase([1, 1, 3, 2, 6], { axis: 'width', chunk: 4, groups: 1, order: 'strided' }, false),
];
