import './methods';
export type { TensorMethods } from './methods';
export { add, div, maximum, minimum, mul, sub } from './arithmetic';
export { batchNorm, type BatchNormOptions } from './batch_norm';
export { cast, float } from './cast';
export { clipInput, clipSettings, type ClipSettings } from './clip_input';
export { eq, ge, gt, le, lt, maskedFill, ne, where } from './compare';
export { conv2d, type Conv2dOptions, type Pair } from './conv2d';
export { conv3d, type Conv3dOptions, type Triple } from './conv3d';
export { convNorm, type ConvNormParameters } from './conv_norm';
export { crossEntropy, type CrossEntropyOptions, oneHot, softCrossEntropy } from './cross_entropy';
export { cumsum } from './cumsum';
export { dropFactors, dropout, dropPath } from './dropout';
export { clone, expand } from './expand';
export { gather } from './gather';
export { gelu } from './gelu';
export { groupNorm } from './group_norm';
export { indexSelect } from './index_rows';
export { layerNorm } from './layer_norm';
export { linear, type LinearOptions } from './linear';
export {
  bceWithLogits,
  focalLoss,
  klDiv,
  l1Loss,
  mseLoss,
  smoothL1Loss,
  tripletMarginLoss,
  type BceOptions,
  type FocalOptions,
  type KlOptions,
  type LossOptions,
  type Reduction,
  type SmoothL1Options,
  type TripletOptions,
} from './losses';
export { matmul } from './matmul';
export { argmax, logsumexp, max, min, type MaxOptions } from './max';
export { meanPool } from './mean_pool';
export { morphFc, type MorphFcOptions } from './morph_fc';
export { normMlp, type NormMlpParameters } from './norm_mlp';
export { normTemporal, type NormTemporalParameters } from './norm_temporal';
export { permute, transpose } from './permute';
export { pixelCrossEntropy, type PixelLoss } from './pixel_cross_entropy';
export { abs, clamp, cos, exp, log, neg, pow, relu, rsqrt, sigmoid, sin, softplus, sqrt, tanh } from './pointwise';
export {
  mean,
  norm,
  std,
  sum,
  variance,
  type NormOptions,
  type Reduced,
  type ReduceOptions,
  type VarianceOptions,
} from './reduce';
export { avgPool2d, maxPool2d, type PoolOptions } from './pool';
export { reshape } from './reshape';
export { resize, type ResizeMode } from './resize';
export { reweight } from './reweight';
export { cat, flatten, pad, slice, split, squeeze, stack, unsqueeze } from './slice';
export { logSoftmax, softmax } from './softmax';
export { temporalFc } from './temporal_fc';
export { topk, type TopkOptions } from './topk';
