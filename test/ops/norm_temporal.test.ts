import { add } from '../../src/ops/arithmetic';
import { layerNorm } from '../../src/ops/layer_norm';
import { linear } from '../../src/ops/linear';
import { temporalFc } from '../../src/ops/temporal_fc';
import type { Tensor } from '../../src/core/tensor';
import { normTemporalCase, normTemporalCases, normTemporalParameters } from '../../src/bench/op_cases/norm_temporal';
import { runCases } from '../support/run_cases';
import { runComposed } from '../support/run_composed';

runCases('normTemporal', normTemporalCases);

function composed(inputs: Record<string, Tensor>, groups: number): Tensor {
  const p = normTemporalParameters(inputs);
  const mixed = temporalFc(layerNorm(inputs.x!, p.gamma, p.beta), p.weight, p.bias, groups);
  return add(inputs.x!, linear(mixed, p.proj, p.projBias));
}

// Several blocks, contiguous runs longer than a vector.
runComposed(normTemporalCase([2, 4, 9, 8, 72], 4), (inputs) => composed(inputs, 4));
runComposed(normTemporalCase([1, 8, 7, 7, 48], 8, false), (inputs) => composed(inputs, 8));
