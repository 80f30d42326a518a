import { record } from '../core/autograd';
import { kernels } from '../core/dispatch';
import { emptyLike, show, type Tensor } from '../core/tensor';
import { expectDims, expectFloats, expectInteger } from './check';

/** How `resize` reads between elements. */
export type ResizeMode = 'nearest' | 'bilinear';

/**
 * Pictures at another size, channels last, as PyTorch's `interpolate` with align_corners=false. `nearest` takes element
 * floor(i · in / out), in whole numbers.
 * @param x [B, H, W, C], f32 or bf16
 * @param size height and width of the result
 * @returns [B, size[0], size[1], C]; x itself if it has that size
 */
export function resize(x: Tensor, size: readonly [number, number], mode: ResizeMode): Tensor {
  expectFloats('resize', 'resize', { x });
  expectDims('resize', 'x', x, 4, '[B, H, W, C]');
  const [batch, height, width, channels] = x.shape as [number, number, number, number];
  size.forEach((n) => expectInteger('resize', 'size', n, 1));
  if (mode !== 'nearest' && mode !== 'bilinear')
    throw new Error(`resize: mode must be nearest or bilinear, got ${String(mode)}`);
  if (height === 0 || width === 0) throw new Error(`resize: x has no elements to read, shape ${show(x.shape)}`);
  const [outHeight, outWidth] = size;
  if (outHeight === height && outWidth === width) return x;
  const at = { batch, height, width, channels, outHeight, outWidth, nearest: mode === 'nearest' };
  const y = emptyLike(x, [batch, outHeight, outWidth, channels]);
  kernels.resizeForward({ x, y, ...at });
  return record({
    op: 'resize',
    inputs: [x],
    output: y,
    backward: (dy) => {
      const dx = emptyLike(dy, [batch, height, width, channels]);
      kernels.resizeBackward({ dy, dx, ...at });
      return [dx];
    },
  });
}
