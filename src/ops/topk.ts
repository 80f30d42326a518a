import { expectOptions } from '../core/options';
import { kernels } from '../core/dispatch';
import { scope } from '../core/scope';
import { empty, type Tensor } from '../core/tensor';
import { around, axisOf, withSize } from './axes';
import { cast } from './cast';
import { expectFloats, expectInteger } from './check';
import { gather } from './gather';

/** Options of `topk`. */
export interface TopkOptions {
  /** The dimension; a negative one counts from the end. Default: the last. */
  axis?: number;
  /** false: the smallest. */
  largest?: boolean;
}

/**
 * The k largest elements along a dimension, the largest first. A NaN counts as larger than any number; of equal elements the
 * first comes first. It takes k passes over x, so it is meant for a small k.
 * @returns the values, with gradient, and their positions (i32); of x's shape with k along the dimension
 */
export function topk(x: Tensor, k: number, options: TopkOptions = {}): { values: Tensor; indices: Tensor } {
  expectOptions('topk', options, { axis: true, largest: true });
  const { axis = -1, largest = true } = options;
  expectFloats('topk', 'arithmetic', { x });
  const d = axisOf('topk', x.shape, axis);
  expectInteger('topk', 'k', k, 0, x.shape[d]);
  return scope(() => {
    const indices = empty(withSize(x.shape, d, k), { device: x.device, dtype: 'i32' });
    kernels.topkIndex({ k, largest, x: cast(x.detach(), 'f32'), index: indices, ...around(x.shape, d) });
    return { values: gather(x, d, indices), indices };
  });
}
