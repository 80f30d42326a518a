/** Augmentation of clips as bytes, and the mixing of batches. */
export type { Interpolation } from './affine';
export type { Augmentation } from './augmentation';
export { beta, drawMix, softTargets, type Mix, type MixOptions } from './mix';
export {
  applyAugment,
  drawColorJitter,
  drawRandAugment,
  parseRandAugment,
  type AugmentOp,
  type AugmentTarget,
  type RandAugment,
} from './rand_augment';
export { drawErasing, erase, type ErasedBox, type Erasing } from './random_erasing';
export { drawResizedCrop, resizeCrop, scaleAndCrop } from './resized_crop';
export type { ClipSize } from './size';
