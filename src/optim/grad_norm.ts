import { kernels } from '../core/dispatch';
import { scope } from '../core/scope';
import { empty, type Tensor } from '../core/tensor';
import { clamp } from '../ops/pointwise';

const gradients = (params: readonly Tensor[]) => params.flatMap((p) => (p.grad ? [p.grad] : []));

/** Writes the L2 norm of all gradients to `into` [1], without synchronising with the device. */
export function measureGradNorm(params: readonly Tensor[], into: Tensor): void {
  kernels.gradNormMeasure({ norm: into, gradients: gradients(params) });
}

/** The L2 norm of all gradients as one vector; NaN or infinite if a gradient is. */
export function gradNorm(params: readonly Tensor[]): number {
  if (gradients(params).length === 0) return 0;
  return scope(() => {
    const norm = empty([1], { device: params[0]!.device });
    measureGradNorm(params, norm);
    return norm.item();
  });
}

/** The factor, at most 1, that scales gradients of this norm to a norm of at most `maxNorm` (PyTorch's clip_grad_norm_). */
export function clipFactor(norm: number, maxNorm: number): number {
  if (!(maxNorm > 0)) throw new Error(`clipGradNorm: the norm must be above 0, got ${maxNorm}`);
  return Math.min(1, maxNorm / (norm + 1e-6));
}

/** Multiplies all gradients by a number, or by the value of a tensor [1] at the time the kernel runs. */
export function scaleGradients(params: readonly Tensor[], factor: number | Tensor): void {
  const by = typeof factor === 'number' ? { factor, factorOfStep: null } : { factor: 1, factorOfStep: factor };
  kernels.gradNormScale({ gradients: gradients(params), ...by });
}

/** Scales the gradients so that their norm is at most `maxNorm`, and returns the norm before. */
export function clipGradNorm(params: readonly Tensor[], maxNorm: number): number {
  const norm = gradNorm(params);
  const factor = clipFactor(norm, maxNorm);
  if (factor < 1) scaleGradients(params, factor);
  return norm;
}

/** Limits each element of the gradients to the range from −limit to limit (PyTorch's clip_grad_value_). NaN stays. */
export function clipGradValue(params: readonly Tensor[], limit: number): void {
  if (!(limit >= 0)) throw new Error(`clipGradValue: the limit must be 0 or more, got ${limit}`);
  for (const grad of gradients(params))
    scope(() => kernels.accumulateCopy({ n: grad.size, from: clamp(grad, -limit, limit), into: grad }));
}

/** into += weight · (from − into) for each pair: the moving average of weights. */
export function lerp(into: readonly Tensor[], from: readonly Tensor[], weight: number): void {
  kernels.gradNormLerp({ weight, into, from });
}
