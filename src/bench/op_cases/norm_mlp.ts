import { normMlp } from '../../ops/norm_mlp';
import { tensor } from '../../core/tensor';
import { array64, type Array64, type OpCase } from './case';
import { gelu64, layerNorm64, linear64 } from './float64';

function oracle(i: Record<string, Array64>, scale: readonly number[] | null): Array64 {
  const normed = layerNorm64(i.x!, i.gamma!, i.beta!);
  const hidden = linear64(normed, i.w1!, i.b1).map(gelu64);
  const out = linear64(hidden, i.w2!, i.b2);
  const clip = out.length / i.x!.shape[0]!;
  return array64(i.x!.shape, (j) => i.x!.data[j]! + (scale?.[Math.floor(j / clip)] ?? 1) * out[j]!);
}

/** Creates a case. */
export function normMlpCase(shape: readonly number[], hidden: number, scale: readonly number[] | null = null): OpCase {
  const c = shape[shape.length - 1]!;
  return {
    name: `[${shape.join(', ')}] -> ${hidden}${scale ? `, scale ${scale.join(' ')}` : ''}`,
    inputs: {
      x: { shape },
      gamma: { shape: [c], scale: 0.2, offset: 1 },
      beta: { shape: [c], scale: 0.1 },
      w1: { shape: [hidden, c], scale: Math.sqrt(3 / c) },
      b1: { shape: [hidden], scale: 0.1 },
      w2: { shape: [c, hidden], scale: Math.sqrt(3 / hidden) },
      b2: { shape: [c], scale: 0.1 },
    },
    forward: (t) => {
      const parameters = { gamma: t.gamma!, beta: t.beta!, w1: t.w1!, b1: t.b1!, w2: t.w2!, b2: t.b2! };
      return normMlp(t.x!, parameters, scale && tensor(Float32Array.from(scale)));
    },
    oracle: (inputs) => oracle(inputs, scale),
  };
}

/** Odd widths, several clips with one dropped, more rows than a block. */
export const normMlpCases = [
  normMlpCase([1, 3, 5], 7),
  normMlpCase([2, 2, 3, 12], 36),
  normMlpCase([3, 5, 9], 20, [0, 1.25, 2]),
  normMlpCase([2, 130, 4], 6, [1.5, 0]),
];
