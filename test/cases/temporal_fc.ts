import { temporalFc } from '../../src/ops/temporal_fc';
import { array64, type Array64, type OpCase } from './case';
import { linear64 } from './float64';

function oracle({ x, weight, bias }: Record<string, Array64>, groups: number): Array64 {
  const [b, t, h, w, c] = x!.shape as [number, number, number, number, number];
  const run = c / groups;
  const places: number[] = [];
  for (let clip = 0; clip < b; clip++)
    for (let position = 0; position < h * w; position++)
      for (let g = 0; g < groups; g++)
        for (let i = 0; i < t * run; i++)
          places.push(((clip * t + Math.floor(i / run)) * h * w + position) * c + g * run + (i % run));
  const product = linear64(
    Float64Array.from(places, (place) => x!.data[place]!),
    weight!,
    bias,
  );
  const y = new Float64Array(x!.data.length).fill(NaN);
  places.forEach((place, i) => (y[place] = product[i]!));
  return array64(x!.shape, (i) => y[i]!);
}

function temporalFcCase(shape: readonly number[], groups: number, withBias = true): OpCase {
  const row = shape[1]! * (shape[4]! / groups);
  return {
    name: `[${shape.join(', ')}] in ${groups} groups${withBias ? '' : ', no bias'}`,
    inputs: {
      x: { shape },
      weight: { shape: [row, row], scale: Math.sqrt(3 / row) },
      ...(withBias ? { bias: { shape: [row], scale: 0.5 } } : {}),
    },
    forward: ({ x, weight, bias }) => temporalFc(x!, weight!, bias ?? null, groups),
    oracle: (inputs) => oracle(inputs, groups),
  };
}

/** One step and many, runs of 1 and more, several clips, groups unlike the number of steps. */
export const temporalFcCases = [
  temporalFcCase([1, 4, 2, 2, 8], 4),
  temporalFcCase([2, 3, 2, 3, 6], 2),
  temporalFcCase([1, 8, 1, 1, 8], 8, false),
  temporalFcCase([2, 1, 3, 1, 5], 1),
  temporalFcCase([1, 2, 5, 3, 7], 7),
];
