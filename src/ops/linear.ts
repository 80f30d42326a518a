import { expectOptions } from '../core/options';
import { record } from '../core/autograd';
import { isReplaced, kernels } from '../core/dispatch';
import { emptyLike, show, type Tensor } from '../core/tensor';
import { expectDims, expectFloats, expectShape } from './check';
import { fcGradients } from './fc_gradients';
import { gelu as applyGelu, geluBackward } from './gelu';

/** Options of `linear`. */
export interface LinearOptions {
  /** Apply the exact GELU to the result, in the same pass. */
  gelu?: boolean;
}

function checkLinear(x: Tensor, weight: Tensor, bias: Tensor | null): void {
  expectFloats('linear', 'linear', { x }, { weight, bias });
  expectDims('linear', 'weight', weight, 2, '[out, in]');
  const [n, k] = weight.shape as [number, number];
  if (x.ndim === 0 || x.shape[x.ndim - 1] !== k) {
    throw new Error(`linear: x must end in ${k}, the weight's second dimension, got shape ${show(x.shape)}`);
  }
  expectShape('linear', { bias }, [n]);
}

/**
 * y = x weightᵀ + bias, and with `gelu` the exact GELU of that.
 * @param x [..., K]
 * @param weight [N, K], PyTorch's layout
 * @param bias [N] or null
 * @returns [..., N]
 */
export function linear(x: Tensor, weight: Tensor, bias: Tensor | null, options: LinearOptions = {}): Tensor {
  expectOptions('linear', options, { gelu: true });
  const { gelu = false } = options;
  checkLinear(x, weight, bias);
  if (gelu && isReplaced('linear', 'gelu')) return applyGelu(linear(x, weight, bias));
  const [n, k] = weight.shape as [number, number];
  const rows = k === 0 ? 0 : x.size / k;
  const y = emptyLike(x, [...x.shape.slice(0, -1), n]);
  const z = gelu ? emptyLike(y) : null;
  kernels.linearForward({ rows, n, k, gelu, x, weight, bias, y, z });
  return record({
    op: 'linear',
    inputs: [x, weight, bias],
    output: y,
    saved: { x, weight, z },
    readFor: { x: [weight], weight: [x] },
    backward: (dy, { x, weight, z }, needs) => {
      const { dx, dweight, dbias } = fcGradients(x, weight, needs);
      kernels.linearBackward({ rows, n, k, x, weight, dy: z ? geluBackward(dy, z) : dy, dx, dweight, dbias });
      return [dx, dweight, dbias];
    },
  });
}
