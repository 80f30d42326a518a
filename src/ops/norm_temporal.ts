import { isGradEnabled, record } from '../core/autograd';
import { kernels } from '../core/dispatch';
import { emptyLike, floatsLike, type Tensor } from '../core/tensor';
import { expectDims, expectFloats, expectInteger, expectShape } from './check';

/** The parameters of `normTemporal`: LayerNorm's, the temporal FC's and the projection's, weights in PyTorch's layout. */
export interface NormTemporalParameters {
  gamma: Tensor;
  beta: Tensor;
  /** [T·S, T·S] with S = C / groups */
  weight: Tensor;
  /** [T·S] or null */
  bias: Tensor | null;
  /** [C, C] */
  proj: Tensor;
  projBias: Tensor;
}

function checkNormTemporal(x: Tensor, p: NormTemporalParameters, groups: number): void {
  expectFloats('normTemporal', 'norm_temporal', { x }, { ...p });
  expectDims('normTemporal', 'x', x, 5, '[B, T, H, W, C]');
  expectInteger('normTemporal', 'groups', groups, 1);
  const [steps, channels] = [x.shape[1] as number, x.shape[4] as number];
  if (channels % groups !== 0)
    throw new Error(`normTemporal: ${channels} channels do not divide into ${groups} groups`);
  const row = steps * (channels / groups);
  expectShape('normTemporal', { gamma: p.gamma, beta: p.beta, projBias: p.projBias }, [channels]);
  expectShape('normTemporal', { proj: p.proj }, [channels, channels]);
  expectShape('normTemporal', { weight: p.weight }, [row, row]);
  expectShape('normTemporal', { bias: p.bias }, [row]);
}

/**
 * The temporal part of a block in one kernel: x + proj(temporalFc(LN(x))). Equivalent to layerNorm, temporalFc, linear and add;
 * intermediate tiles stay in cache.
 * @param x [B, T, H, W, C]
 * @param groups the temporal FC's channel groups G (see `temporalFc`)
 * @returns the shape of x
 */
export function normTemporal(x: Tensor, p: NormTemporalParameters, groups: number, eps = 1e-5): Tensor {
  checkNormTemporal(x, p, groups);
  const [clips, steps, h, w, channels] = x.shape as [number, number, number, number, number];
  const [at, rows] = [{ clips, steps, positions: h * w, channels, groups }, clips * steps * h * w];
  const inputs = [x, p.gamma, p.beta, p.weight, p.bias, p.proj, p.projBias];
  const keep = isGradEnabled() && inputs.some((input) => input?.requiresGrad);
  const [mean, rstd] = [floatsLike(x, [rows]), floatsLike(x, [rows])];
  const [y, u] = [emptyLike(x), keep ? emptyLike(x) : null];
  const { gamma, beta, weight, bias, proj, projBias } = p;
  kernels.normTemporalForward({ eps, x, gamma, beta, weight, bias, proj, projBias, y, mean, rstd, u, ...at });
  return record({
    op: 'normTemporal',
    inputs,
    output: y,
    saved: { x, gamma, beta, weight, proj, mean, rstd, u },
    backward: (dy, { x, gamma, beta, weight, proj, mean, rstd, u }) => {
      const [dx, dgamma, dbeta, dweight] = [emptyLike(x), emptyLike(gamma), emptyLike(beta), emptyLike(weight)];
      const dbias = bias ? emptyLike(weight, [weight.shape[0] as number]) : null;
      const [dproj, dprojBias] = [emptyLike(proj), emptyLike(gamma)];
      const to = { dx, dgamma, dbeta, dweight, dbias, dproj, dprojBias };
      kernels.normTemporalBackward({ x, gamma, beta, weight, proj, mean, rstd, u: u!, dy, ...to, ...at });
      return [dx, dgamma, dbeta, dweight, dbias, dproj, dprojBias];
    },
  });
}
