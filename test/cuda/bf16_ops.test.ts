/** Every op that has bf16 (`BF16_OPS`), forward and backward, against float64. */
import { arithmeticCases } from '../../src/cases/arithmetic';
import { batchNormCases } from '../../src/cases/batch_norm';
import { conv3dCases } from '../../src/cases/conv3d';
import { geluCases } from '../../src/cases/gelu';
import { layerNormCases } from '../../src/cases/layer_norm';
import { linearCases } from '../../src/cases/linear';
import { meanPoolCases } from '../../src/cases/mean_pool';
import { morphFcCases, morphFcGroupCases } from '../../src/cases/morph_fc';
import { normMlpCases } from '../../src/cases/norm_mlp';
import { normSpatialCases } from '../../src/cases/norm_spatial';
import { normTemporalCases } from '../../src/cases/norm_temporal';
import { reduceCases } from '../../src/cases/reduce';
import { reorderCases } from '../../src/cases/reorder';
import { reweightCases } from '../../src/cases/reweight';
import { temporalFcCases } from '../../src/cases/temporal_fc';
import { runBf16Cases, type Bf16Options } from '../support/run_bf16_cases';

const x = (forward: number, gradient: number): Bf16Options => ({
  activations: ['x'],
  roundings: { forward, gradient },
});

runBf16Cases('arithmetic', arithmeticCases, { activations: ['a', 'b'], roundings: { forward: 1, gradient: 2 } });
runBf16Cases('batchNorm', batchNormCases, x(1, 1));
runBf16Cases('conv3d', conv3dCases, x(1, 1));
runBf16Cases('gelu', geluCases, x(1, 1));
runBf16Cases('layerNorm', layerNormCases, x(1, 1));
runBf16Cases('linear', linearCases, x(1, 2));
runBf16Cases('meanPool', meanPoolCases, { activations: ['x0', 'x1', 'x2'], roundings: { forward: 0, gradient: 1 } });
runBf16Cases('morphFc', [...morphFcCases, ...morphFcGroupCases], x(1, 1));
runBf16Cases('normMlp', normMlpCases, x(2, 2));
runBf16Cases('normSpatial', normSpatialCases, {
  activations: ['x', 'xt'],
  // What comes back through the softmax of the branches' weights is small differences of large sums.
  roundings: { forward: 2, gradient: 8 },
});
runBf16Cases('normTemporal', normTemporalCases, x(2, 2));
runBf16Cases(
  'reduce',
  reduceCases.filter(({ inputs }) => !inputs.index),
  x(1, 1),
);
runBf16Cases(
  'permute',
  reorderCases.filter(({ name }) => name.startsWith('permute')),
  x(0, 0),
);
runBf16Cases('reweight', reweightCases, {
  activations: ['branch0', 'branch1', 'branch2'],
  roundings: { forward: 1, gradient: 1 },
});
runBf16Cases('temporalFc', temporalFcCases, x(1, 1));
