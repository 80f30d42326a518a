import { record } from '../core/autograd';
import { kernels } from '../core/native';
import { applyPlugin, pluginFor, type Plugin } from '../core/plugins';
import { emptyLike, type Tensor } from '../core/tensor';
import { expectFloats } from './check';

/** The exact GELU of every element: x·Φ(x) with the normal distribution's Φ (erf, not the tanh form). */
export function gelu(x: Tensor): Tensor {
  expectFloats('gelu', 'gelu', { x });
  const plugin = pluginFor('gelu');
  if (plugin) return pluggedGelu(plugin, x);
  const y = emptyLike(x);
  kernels.gelu_forward(x.size, x.handle, y.handle);
  return record({ op: 'gelu', inputs: [x], output: y, saved: [x], backward: (dy, [x]) => [geluBackward(dy, x!)] });
}

function pluggedGelu(plugin: Plugin, x: Tensor): Tensor {
  const told = [x.size];
  return applyPlugin(plugin, { inputs: { x: { tensor: x, shape: told } }, attributes: {}, shape: x.shape, told });
}

/** The gradient before a GELU: dy · (Φ(x) + x·φ(x)). */
export function geluBackward(dy: Tensor, x: Tensor): Tensor {
  const dx = emptyLike(x);
  kernels.gelu_backward(x.size, x.handle, dy.handle, dx.handle);
  return dx;
}
