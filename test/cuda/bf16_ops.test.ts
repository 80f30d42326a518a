/** Every op that has bf16 (`BF16_OPS`), forward and backward, against float64. */
import { arithmeticCases } from '../../src/cases/arithmetic';
import { batchNormCases } from '../../src/cases/batch_norm';
import { conv3dCases } from '../../src/cases/conv3d';
import { geluCases } from '../../src/cases/gelu';
import { layerNormCases } from '../../src/cases/layer_norm';
import { linearCase, linearCases } from '../../src/cases/linear';
import { meanPoolCases } from '../../src/cases/mean_pool';
import { morphFcCase, morphFcCases, morphFcGroupCases } from '../../src/cases/morph_fc';
import { normMlpCase, normMlpCases } from '../../src/cases/norm_mlp';
import { normSpatialCase, normSpatialCases } from '../../src/cases/norm_spatial';
import { normTemporalCase, normTemporalCases } from '../../src/cases/norm_temporal';
import { reduceCases } from '../../src/cases/reduce';
import { reorderCases } from '../../src/cases/reorder';
import { reweightCases } from '../../src/cases/reweight';
import { temporalFcCase, temporalFcCases } from '../../src/cases/temporal_fc';
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

// Eight numbers at once, in two of them and more: widths and runs are multiples of 8, lengths are not.
const consecutive = { order: 'consecutive' } as const;
runBf16Cases('linear by octets', [linearCase([5], 24, 40, { gelu: true }), linearCase([2, 3], 9, 16)], x(1, 2));
runBf16Cases(
  'morphFc by octets',
  [
    morphFcCase([1, 1, 3, 3, 16], { axis: 'height', chunk: 2, ...consecutive }),
    morphFcCase([1, 2, 2, 4, 32], { axis: 'width', chunk: 2, ...consecutive }),
    morphFcCase([1, 1, 3, 2, 16], { axis: 'width', chunk: 2, order: 'strided' }),
  ],
  x(1, 1),
);
runBf16Cases('normMlp by octets', [normMlpCase([2, 5, 16], 24, [1.25, 0.5])], x(2, 2));
runBf16Cases(
  'normSpatial by octets',
  [normSpatialCase({ shape: [2, 1, 3, 2, 16], chunk: 2, branches: 3, scale: [0.5, 1.25] })],
  { activations: ['x', 'xt'], roundings: { forward: 2, gradient: 8 } },
);
runBf16Cases('normTemporal by octets', [normTemporalCase([1, 2, 3, 1, 32], 2)], x(2, 2));
runBf16Cases('temporalFc by octets', [temporalFcCase([1, 2, 3, 1, 32], 2)], x(1, 1));
