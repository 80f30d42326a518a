import { morphFc, type MorphFcOptions } from '../../src/ops/morph_fc';
import { array64, type Array64, type OpCase } from './case';
import { linear64 } from './float64';

type Options = Required<MorphFcOptions>;

/** The token (row-major position in its frame) at place l of chunk j, by DESIGN's formula; null beyond the frame. */
function tokenAt(
  [h, w]: readonly [number, number],
  { axis, chunk, order }: Options,
  j: number,
  l: number,
): number | null {
  const chunks = Math.ceil((h * w) / chunk);
  const n = order === 'strided' ? l * chunks + j : j * chunk + l;
  if (n >= h * w) return null;
  return axis === 'width' ? n : (n % h) * w + Math.floor(n / h);
}

/** The places of the FC's rows in x: `places[row][l * S + s]` is an index into x, or null for padding. */
function rowPlaces(shape: readonly number[], options: Options): (number | null)[][] {
  const [b, t, h, w, c] = shape as [number, number, number, number, number];
  const run = c / options.chunk;
  const places: (number | null)[][] = [];
  for (let frame = 0; frame < b * t; frame++)
    for (let j = 0; j < Math.ceil((h * w) / options.chunk); j++)
      for (let g = 0; g < options.chunk; g++)
        places.push(
          Array.from({ length: c }, (_, i) => {
            const token = tokenAt([h, w], options, j, Math.floor(i / run));
            return token === null ? null : (frame * h * w + token) * c + g * run + (i % run);
          }),
        );
  return places;
}

function oracle({ x, weight, bias }: Record<string, Array64>, options: Options): Array64 {
  const places = rowPlaces(x!.shape, options).flat();
  const rows = Float64Array.from(places, (place) => (place === null ? 0 : x!.data[place]!));
  const product = linear64(rows, weight!, bias);
  const y = new Float64Array(x!.data.length).fill(NaN);
  places.forEach((place, i) => {
    if (place !== null) y[place] = product[i]!;
  });
  return array64(x!.shape, (i) => y[i]!);
}

function morphFcCase(shape: readonly number[], options: Options, withBias = true): OpCase {
  const c = shape[4]!;
  return {
    name: `[${shape.join(', ')}] ${options.axis}, L = ${options.chunk}, ${options.order}${withBias ? '' : ', no bias'}`,
    inputs: {
      x: { shape },
      weight: { shape: [c, c], scale: Math.sqrt(3 / c) },
      ...(withBias ? { bias: { shape: [c], scale: 0.5 } } : {}),
    },
    forward: ({ x, weight, bias }) => morphFc(x!, weight!, bias ?? null, options),
    oracle: (inputs) => oracle(inputs, options),
  };
}

const consecutive = { order: 'consecutive' } as const;

/** Chunks of part of a row, of two rows, across row ends, ragged (padded) frames, both orders, runs of 1 and more. */
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
