export { seedInit } from './init';
export { BatchNorm, Conv3d, LayerNorm, Linear } from './layers';
export {
  buffer,
  isParameter,
  Module,
  parameter,
  type KeyMismatch,
  type NamedTensor,
  type StoredTensor,
} from './module';
export { crossEntropy, softCrossEntropy } from '../ops/cross_entropy';
export { gelu } from '../ops/gelu';
export { softmax } from '../ops/softmax';
