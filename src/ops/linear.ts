import { record } from '../core/autograd';
import { kernels } from '../core/native';
import { anyReplaced, applyPlugin, pluginFor, type Plugin } from '../core/plugins';
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
export function linear(x: Tensor, weight: Tensor, bias: Tensor | null, { gelu = false }: LinearOptions = {}): Tensor {
  checkLinear(x, weight, bias);
  if (gelu && anyReplaced('linear', 'gelu')) return applyGelu(linear(x, weight, bias));
  const plugin = pluginFor('linear');
  if (plugin) return pluggedLinear(plugin, x, weight, bias);
  const [n, k] = weight.shape as [number, number];
  const rows = k === 0 ? 0 : x.size / k;
  const y = emptyLike(x, [...x.shape.slice(0, -1), n]);
  const z = gelu ? emptyLike(y) : null;
  const buffers = [x.handle, weight.handle, bias?.handle ?? null, y.handle, z?.handle ?? null];
  kernels.linear_forward(rows, n, k, gelu, ...buffers);
  return record({
    op: 'linear',
    inputs: [x, weight, bias],
    output: y,
    saved: [x, weight, z],
    backward: (dy, [x, weight, z], needs) => linearBackward(z ? geluBackward(dy, z) : dy, x!, weight!, needs),
  });
}

function pluggedLinear(plugin: Plugin, x: Tensor, weight: Tensor, bias: Tensor | null): Tensor {
  const [n, k] = weight.shape as [number, number];
  const rows = k === 0 ? 0 : x.size / k;
  const inputs = {
    x: { tensor: x, shape: [rows, k] },
    weight: { tensor: weight, shape: [n, k] },
    bias: { tensor: bias, shape: [n] },
  };
  return applyPlugin(plugin, { inputs, attributes: {}, shape: [...x.shape.slice(0, -1), n], told: [rows, n] });
}

function linearBackward(dy: Tensor, x: Tensor, weight: Tensor, needs: readonly boolean[]): (Tensor | null)[] {
  const [n, k] = weight.shape as [number, number];
  const { gradients, handles } = fcGradients(x, weight, needs);
  kernels.linear_backward(k === 0 ? 0 : x.size / k, n, k, x.handle, weight.handle, dy.handle, ...handles);
  return gradients;
}
