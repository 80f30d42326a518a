import { resize, type ResizeMode } from '../../ops/resize';
import { array64, type Array64, type OpCase } from './case';

/** The two places that an output reads along an axis, and the weight of the second. */
export function place(
  at: number,
  from: number,
  to: number,
  mode: ResizeMode,
): [first: number, second: number, weight: number] {
  if (mode === 'nearest') return [Math.floor((at * from) / to), 0, 0];
  const position = Math.max(0, ((at + 0.5) * from) / to - 0.5);
  const first = Math.min(Math.floor(position), from - 1);
  return [first, Math.min(first + 1, from - 1), position - first];
}

/** A picture [B, H, W, C] at another size, in float64. */
export function resized({ shape, data }: Array64, size: readonly [number, number], mode: ResizeMode): Array64 {
  const [batch, height, width, channels] = shape as [number, number, number, number];
  return array64([batch, ...size, channels], (index) => {
    const [c, x] = [index % channels, Math.floor(index / channels) % size[1]];
    const y = Math.floor(index / channels / size[1]) % size[0];
    const b = Math.floor(index / channels / size[1] / size[0]);
    const [top, bottom, down] = place(y, height, size[0], mode);
    const [left, right, across] = place(x, width, size[1], mode);
    const at = (i: number, j: number): number => data[((b * height + i) * width + j) * channels + c]!;
    const line = (i: number): number => (1 - across) * at(i, left) + (across === 0 ? 0 : across * at(i, right));
    return (1 - down) * line(top) + (down === 0 ? 0 : down * line(bottom));
  });
}

/** Creates a case. */
export function resizeCase(shape: readonly number[], size: readonly [number, number], mode: ResizeMode): OpCase {
  return {
    name: `${mode} [${shape.join(', ')}] to ${size.join('×')}`,
    inputs: { x: { shape } },
    forward: ({ x }) => resize(x!, size, mode),
    oracle: ({ x }) => resized(x!, size, mode),
  };
}

/** Doubling, odd ratios, reduction, one row or column, widths around a vector's. */
export const resizeCases: OpCase[] = (['bilinear', 'nearest'] as const).flatMap((mode) => [
  resizeCase([2, 3, 4, 5], [6, 8], mode),
  resizeCase([1, 5, 3, 17], [9, 7], mode),
  resizeCase([1, 1, 4, 8], [3, 16], mode),
  resizeCase([1, 7, 1, 3], [2, 5], mode),
  resizeCase([1, 9, 10, 2], [4, 3], mode),
  resizeCase([1, 2, 2, 1], [13, 11], mode),
]);
