import { record } from '../core/autograd';
import { kernels } from '../core/native';
import { applyPlugin, pluginFor, type Plugin } from '../core/plugins';
import { emptyLike, floatsLike, show, type Tensor } from '../core/tensor';
import { expectFloats, expectShape } from './check';

/**
 * LayerNorm over the last dimension: (x - mean) / sqrt(var + eps) * gamma + beta, with the biased variance.
 * @param x [..., C]
 * @param gamma [C]
 * @param beta [C]
 */
export function layerNorm(x: Tensor, gamma: Tensor, beta: Tensor, eps = 1e-5): Tensor {
  expectFloats('layerNorm', 'layer_norm', { x }, { gamma, beta });
  if (x.ndim === 0) throw new Error(`layerNorm: x needs at least one dimension, got ${show(x.shape)}`);
  const cols = x.shape[x.ndim - 1] as number;
  expectShape('layerNorm', { gamma, beta }, [cols]);
  const rows = cols === 0 ? 0 : x.size / cols;
  const plugin = pluginFor('layer_norm');
  if (plugin) return pluggedLayerNorm(plugin, x, gamma, beta, eps);
  const y = emptyLike(x);
  const [mean, rstd] = [floatsLike(x, [rows]), floatsLike(x, [rows])];
  kernels.layer_norm_forward(rows, cols, eps, x.handle, gamma.handle, beta.handle, y.handle, mean.handle, rstd.handle);
  return record({
    op: 'layerNorm',
    inputs: [x, gamma, beta],
    output: y,
    saved: [x, gamma, mean, rstd],
    backward: (dy, [x, gamma, mean, rstd]) => layerNormBackward(dy, x!, gamma!, mean!, rstd!),
  });
}

function pluggedLayerNorm(plugin: Plugin, x: Tensor, gamma: Tensor, beta: Tensor, eps: number): Tensor {
  const told = [gamma.size === 0 ? 0 : x.size / gamma.size, gamma.size];
  const [g, b] = [gamma, beta].map((tensor) => ({ tensor, shape: tensor.shape }));
  const inputs = { x: { tensor: x, shape: told }, gamma: g!, beta: b! };
  return applyPlugin(plugin, { inputs, attributes: { eps }, shape: x.shape, told });
}

function layerNormBackward(dy: Tensor, x: Tensor, gamma: Tensor, mean: Tensor, rstd: Tensor): Tensor[] {
  const [rows, cols] = [mean.size, gamma.size];
  const [dx, dgamma, dbeta] = [emptyLike(x), emptyLike(gamma), emptyLike(gamma)];
  const from = [x.handle, gamma.handle, mean.handle, rstd.handle, dy.handle];
  kernels.layer_norm_backward(rows, cols, ...from, dx.handle, dgamma.handle, dbeta.handle);
  return [dx, dgamma, dbeta];
}
