/** Every op that has bf16 (`BF16_OPS`), forward and backward, against float64. */
import { arithmeticCases, whereCases } from '../../src/bench/op_cases/arithmetic';
import { batchNormCases } from '../../src/bench/op_cases/batch_norm';
import { BF16_TERMS } from '../../src/bench/op_cases/bf16';
import { conv3dCase, conv3dCases } from '../../src/bench/op_cases/conv3d';
import { convNormCase, convNormCases } from '../../src/bench/op_cases/conv_norm';
import { geluCases } from '../../src/bench/op_cases/gelu';
import { layerNormCases } from '../../src/bench/op_cases/layer_norm';
import { linearCase, linearCases } from '../../src/bench/op_cases/linear';
import { matmulCases, matmulStackCases } from '../../src/bench/op_cases/matmul';
import { maxCases } from '../../src/bench/op_cases/max';
import { meanPoolCases } from '../../src/bench/op_cases/mean_pool';
import { morphFcCase, morphFcCases, morphFcGroupCases } from '../../src/bench/op_cases/morph_fc';
import { normMlpCase, normMlpCases } from '../../src/bench/op_cases/norm_mlp';
import { normSpatialCase, normSpatialCases } from '../../src/bench/op_cases/norm_spatial';
import { normTemporalCase, normTemporalCases } from '../../src/bench/op_cases/norm_temporal';
import { pointwiseCases } from '../../src/bench/op_cases/pointwise';
import { reduceCases, rowCases } from '../../src/bench/op_cases/reduce';
import { gatherCases, joinCases, reorderCases } from '../../src/bench/op_cases/reorder';
import { resizeCases } from '../../src/bench/op_cases/resize';
import { reweightCases } from '../../src/bench/op_cases/reweight';
import { softmaxAxisCases, softmaxCases } from '../../src/bench/op_cases/softmax';
import { temporalFcCase, temporalFcCases } from '../../src/bench/op_cases/temporal_fc';
import { runBf16Cases } from '../support/run_bf16_cases';

const x = (roundings: number) => ({ activations: ['x'], roundings: { forward: roundings, gradient: roundings } });

runBf16Cases('arithmetic', arithmeticCases, BF16_TERMS.arithmetic);
runBf16Cases('batchNorm', batchNormCases, BF16_TERMS.batch_norm);
runBf16Cases('conv3d', conv3dCases, BF16_TERMS.conv3d);
runBf16Cases(
  'convNorm',
  convNormCases.filter(({ name }) => !name.includes('around')), // what lies between is bf16, which has no digits left there
  BF16_TERMS.conv_norm,
);
runBf16Cases('gelu', geluCases, BF16_TERMS.gelu);
runBf16Cases('layerNorm', layerNormCases, BF16_TERMS.layer_norm);
runBf16Cases('linear', linearCases, BF16_TERMS.linear);
runBf16Cases('meanPool', meanPoolCases, BF16_TERMS.mean_pool);
runBf16Cases('morphFc', [...morphFcCases, ...morphFcGroupCases], BF16_TERMS.morph_fc);
runBf16Cases('normMlp', normMlpCases, BF16_TERMS.norm_mlp);
runBf16Cases('normSpatial', normSpatialCases, BF16_TERMS.norm_spatial);
runBf16Cases('normTemporal', normTemporalCases, BF16_TERMS.norm_temporal);
runBf16Cases(
  'reduce',
  reduceCases.filter(({ inputs }) => !inputs.index),
  x(1),
);
runBf16Cases('permute', reorderCases, x(0));
runBf16Cases('join', joinCases, { activations: ['x', 'a', 'b'], roundings: { forward: 0, gradient: 1 } });
runBf16Cases('gather', gatherCases, x(1));
runBf16Cases('where', whereCases, { activations: ['a', 'b'], roundings: { forward: 0, gradient: 1 } });
runBf16Cases('pointwise', pointwiseCases, x(1));
runBf16Cases('max', maxCases, x(0));
runBf16Cases('rows', rowCases, x(1));
runBf16Cases('softmax', [...softmaxCases, ...softmaxAxisCases], x(1));
runBf16Cases('matmul', [...matmulCases, ...matmulStackCases], BF16_TERMS.arithmetic);
runBf16Cases('resize', resizeCases, BF16_TERMS.resize);
runBf16Cases('reweight', reweightCases, BF16_TERMS.reweight);
runBf16Cases('temporalFc', temporalFcCases, BF16_TERMS.temporal_fc);

// Eight numbers at once, in two of them and more: widths and runs are multiples of 8, lengths are not.
const consecutive = { order: 'consecutive' } as const;
runBf16Cases(
  'linear by octets',
  [linearCase([5], 24, 40, { gelu: true }), linearCase([2, 3], 9, 16)],
  BF16_TERMS.linear,
);
const half = { stride: [1, 2, 2], padding: [0, 1, 1], input: 'NTHWC' } as const;
runBf16Cases(
  'conv3d by octets',
  [
    conv3dCase({ x: [1, 2, 5, 6, 8], weight: [16, 8, 1, 3, 3], ...half }),
    conv3dCase({
      x: [1, 3, 4, 3, 16],
      weight: [8, 16, 2, 3, 2],
      stride: [2, 3, 1],
      padding: [1, 0, 1],
      input: 'NTHWC',
    }),
    conv3dCase({ x: [1, 2, 3, 4, 16], weight: [16, 8, 1, 3, 3], ...half, groups: 2 }),
  ],
  BF16_TERMS.conv3d,
);
runBf16Cases(
  'convNorm by octets',
  [convNormCase({ x: [1, 2, 5, 6, 8], weight: [16, 8, 1, 3, 3], ...half }, { gelu: true })],
  BF16_TERMS.conv_norm,
);
runBf16Cases(
  'morphFc by octets',
  [
    morphFcCase([1, 1, 3, 3, 16], { axis: 'height', chunk: 2, ...consecutive }),
    morphFcCase([1, 2, 2, 4, 32], { axis: 'width', chunk: 2, ...consecutive }),
    morphFcCase([1, 1, 3, 2, 16], { axis: 'width', chunk: 2, order: 'strided' }),
  ],
  BF16_TERMS.morph_fc,
);
runBf16Cases('normMlp by octets', [normMlpCase([2, 5, 16], 24, [1.25, 0.5])], BF16_TERMS.norm_mlp);
runBf16Cases(
  'normSpatial by octets',
  [normSpatialCase({ shape: [2, 1, 3, 2, 16], chunk: 2, branches: 3, scale: [0.5, 1.25] })],
  BF16_TERMS.norm_spatial,
);
runBf16Cases('normTemporal by octets', [normTemporalCase([1, 2, 3, 1, 32], 2)], BF16_TERMS.norm_temporal);
runBf16Cases('temporalFc by octets', [temporalFcCase([1, 2, 3, 1, 32], 2)], BF16_TERMS.temporal_fc);
