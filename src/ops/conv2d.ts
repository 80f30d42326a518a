import { expectOptions } from '../core/options';
import { scope } from '../core/scope';
import type { Tensor } from '../core/tensor';
import { expectDims, expectShape } from './check';
import { conv3d } from './conv3d';
import { permute } from './permute';
import { reshape } from './reshape';

/** One number for height and width, or both. */
export type Pair = number | readonly [number, number];

/** Options of `conv2d`. */
export interface Conv2dOptions {
  /** Default 1. */
  stride?: Pair;
  /** Zeros on every side; default 0. */
  padding?: Pair;
  /** Groups of channels that are convolved separately; default 1. */
  groups?: number;
}

/** Height and width. */
export const pairOf = (value: Pair): readonly [number, number] => (typeof value === 'number' ? [value, value] : value);

/**
 * A 2-D convolution in PyTorch's layout. It runs `conv3d`, whose results are channels last, and copies them back.
 * @param x [B, C, H, W]
 * @param weight [out, C / groups, kh, kw]
 * @param bias [out] or null
 * @returns [B, out, H', W']
 */
export function conv2d(x: Tensor, weight: Tensor, bias: Tensor | null, options: Conv2dOptions = {}): Tensor {
  const { stride = 1, padding = 0, groups = 1 } = options;
  expectOptions('conv2d', options, { stride: true, padding: true, groups: true });
  expectDims('conv2d', 'x', x, 4, '[B, C, H, W]');
  expectDims('conv2d', 'weight', weight, 4, '[out, in, kh, kw]');
  expectShape('conv2d', { bias }, [weight.shape[0] as number]);
  const [b, c, h, w] = x.shape as [number, number, number, number];
  const [out, ins, kh, kw] = weight.shape as [number, number, number, number];
  return scope(() => {
    const last = groups > 1; // groups need channels last
    const frames = last ? reshape(permute(x, [0, 2, 3, 1]), [b, 1, h, w, c]) : reshape(x, [b, c, 1, h, w]);
    const y = conv3d(frames, reshape(weight, [out, ins, 1, kh, kw]), bias, {
      stride: [1, ...pairOf(stride)],
      padding: [0, ...pairOf(padding)],
      groups,
      input: last ? 'NTHWC' : 'NCTHW',
    });
    const [, , rows, columns] = y.shape as [number, number, number, number, number];
    return permute(reshape(y, [b, rows, columns, out]), [0, 3, 1, 2]);
  });
}
