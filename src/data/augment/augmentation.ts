import type { Erasing } from './random_erasing';

/** Augmentation of training clips beyond crop and flip. All frames of a clip get the same choices. */
export interface Augmentation {
  /** A policy in timm's notation, such as `rand-m7-n4-mstd0.5-inc1`. */
  randAugment?: string;
  /** Whether the policy applies to whole frames (as in the authors' video code, the default) or to the crop (images). */
  on?: 'frame' | 'crop';
  /** Interpolation of rotations and shears. Default bicubic. */
  interpolation?: 'bicubic' | 'bilinear';
  /** Largest change of brightness, contrast and saturation. */
  colorJitter?: number;
  erasing?: Erasing;
}
