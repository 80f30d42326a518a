import { record } from '../core/autograd';
import { kernels } from '../core/dispatch';
import { empty, floatsLike, show, type Tensor } from '../core/tensor';
import { expectFloats, expectShape } from './check';

function checkMeanPool(inputs: readonly Tensor[]): { clips: number; tokens: number; channels: number } {
  const [first, ...others] = inputs;
  if (!first || inputs.length > 3) throw new Error(`meanPool: expected 1 to 3 tensors, got ${inputs.length}`);
  expectFloats('meanPool', 'mean_pool', Object.fromEntries(inputs.map((x, i) => [`tensor ${i}`, x])));
  others.forEach((x, i) => expectShape('meanPool', { [`tensor ${i + 1}`]: x }, first.shape));
  if (first.ndim < 2 || first.size === 0)
    throw new Error(`meanPool: expected [B, ..., C] with tokens, got ${show(first.shape)}`);
  const [clips, channels] = [first.shape[0] as number, first.shape[first.ndim - 1] as number];
  return { clips, tokens: first.size / (clips * channels), channels };
}

/**
 * The mean over all dimensions between the first and the last; several inputs are summed first.
 * @param x [B, ..., C], or up to three tensors of the same shape
 * @returns [B, C], f32 also for bf16
 */
export function meanPool(x: Tensor | readonly Tensor[]): Tensor {
  const inputs = Array.isArray(x) ? (x as readonly Tensor[]) : [x as Tensor];
  const at = checkMeanPool(inputs);
  const first = inputs[0] as Tensor;
  const { shape, device, dtype } = first;
  const y = floatsLike(first, [at.clips, at.channels]);
  kernels.meanPoolForward({ inputs: inputs.length, y, x: inputs, ...at });
  return record({
    op: 'meanPool',
    inputs,
    output: y,
    backward: (dy, _, needs) =>
      needs.map((needed) => {
        if (!needed) return null;
        const dx = empty(shape, { device, dtype });
        kernels.meanPoolBackward({ dy, dx, ...at });
        return dx;
      }),
  });
}
