import { normTemporal, type NormTemporalParameters } from '../../ops/norm_temporal';
import type { Tensor } from '../../core/tensor';
import { array64, type Array64, type OpCase } from './case';
import { layerNorm64, linear64, temporalFc64 } from './float64';

function oracle(i: Record<string, Array64>, groups: number): Array64 {
  const normed = { shape: i.x!.shape, data: layerNorm64(i.x!, i.gamma!, i.beta!) };
  const out = linear64(temporalFc64(normed, i.weight!, i.bias, groups), i.proj!, i.projBias);
  return array64(i.x!.shape, (j) => i.x!.data[j]! + out[j]!);
}

/** The op's parameters among a case's inputs. */
export function normTemporalParameters(t: Record<string, Tensor>): NormTemporalParameters {
  const { gamma, beta, weight, proj, projBias } = t as Record<string, Tensor> & NormTemporalParameters;
  return { gamma, beta, weight, bias: t.bias ?? null, proj, projBias };
}

/** Creates a case. */
export function normTemporalCase(shape: readonly number[], groups: number, withBias = true): OpCase {
  const [c, row] = [shape[4]!, shape[1]! * (shape[4]! / groups)];
  return {
    name: `[${shape.join(', ')}] in ${groups} groups${withBias ? '' : ', no bias'}`,
    inputs: {
      x: { shape },
      gamma: { shape: [c], scale: 0.2, offset: 1 },
      beta: { shape: [c], scale: 0.1 },
      weight: { shape: [row, row], scale: Math.sqrt(3 / row) },
      ...(withBias ? { bias: { shape: [row], scale: 0.5 } } : {}),
      proj: { shape: [c, c], scale: Math.sqrt(3 / c) },
      projBias: { shape: [c], scale: 0.1 },
    },
    forward: (t) => normTemporal(t.x!, normTemporalParameters(t), groups),
    oracle: (inputs) => oracle(inputs, groups),
  };
}

/** One step and many, runs of 1 and more, blocks across clips, more units than a block. */
export const normTemporalCases = [
  normTemporalCase([1, 4, 2, 2, 8], 4),
  normTemporalCase([2, 3, 2, 3, 6], 2),
  normTemporalCase([1, 8, 1, 1, 8], 8, false),
  normTemporalCase([2, 1, 3, 1, 5], 1),
  normTemporalCase([2, 2, 5, 5, 4], 4, false),
];
