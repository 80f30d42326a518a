import { scope } from '../core/scope';
import { show, type Tensor } from '../core/tensor';
import { add, mul, sub } from './arithmetic';
import { inF32 } from './cast';
import { expectF32, expectFloats, expectInteger, expectShape } from './check';
import { rsqrt } from './pointwise';
import { mean, variance } from './reduce';
import { reshape } from './reshape';

/**
 * GroupNorm: normalises each group of channels of each element of the batch by its mean and variance.
 * @param x [B, C, ...]
 * @param groups divides C
 * @param gamma [C] @param beta [C]
 * @returns the shape of x
 */
export function groupNorm(x: Tensor, groups: number, gamma: Tensor, beta: Tensor, eps = 1e-5): Tensor {
  expectFloats('groupNorm', 'pointwise', { x });
  expectF32('groupNorm', { gamma, beta });
  expectInteger('groupNorm', 'groups', groups, 1);
  const [batch, channels] = x.shape;
  if (batch === undefined || channels === undefined || x.size === 0)
    throw new Error(`groupNorm: x must be [B, C, ...] with elements, got ${show(x.shape)}`);
  if (channels % groups !== 0) throw new Error(`groupNorm: ${channels} channels do not divide into ${groups} groups`);
  expectShape('groupNorm', { gamma, beta }, [channels]);
  const each = [channels, ...x.shape.slice(2).map(() => 1)];
  return inF32(x, (x) =>
    scope(() => {
      const rows = reshape(x, [batch * groups, -1]);
      const scale = rsqrt(add(variance(rows, { axis: 1, keepDims: true, correction: 0 }), eps));
      const normed = reshape(mul(sub(rows, mean(rows, { axis: 1, keepDims: true })), scale), x.shape);
      return add(mul(normed, reshape(gamma, each)), reshape(beta, each));
    }),
  );
}
