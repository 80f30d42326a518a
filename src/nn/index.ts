export { ModuleDict, ModuleList, Sequential } from './containers';
export { normal, seedInit, truncatedNormal, uniform } from './init';
export { BatchNorm, Conv3d, LayerNorm, Linear, type LinearModuleOptions } from './layers';
export { AvgPool2d, BatchNorm2d, Conv2d, GlobalAvgPool2d, GroupNorm, MaxPool2d } from './pictures';
export { Dropout, Embedding, Flatten, GELU, ReLU, Sigmoid, Tanh } from './simple';
export {
  buffer,
  isParameter,
  Module,
  parameter,
  type ForwardHook,
  type KeyMismatch,
  type Layer,
  type NamedTensor,
  type StoredTensor,
} from './module';
export { crossEntropy, softCrossEntropy } from '../ops/cross_entropy';
export { gelu } from '../ops/gelu';
export { softmax } from '../ops/softmax';
