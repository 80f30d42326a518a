import { kernels } from '../native';
import { scope } from '../scope';
import { empty, type Tensor } from '../tensor';

const gradients = (params: readonly Tensor[]) => params.flatMap((p) => (p.grad ? [p.grad] : []));

/** The L2 norm of all gradients as one vector; NaN or infinite when a gradient is. */
export function gradNorm(params: readonly Tensor[]): number {
  const handles = gradients(params).map((g) => g.handle);
  if (handles.length === 0) return 0;
  return scope(() => {
    const norm = empty([1], { device: params[0]!.device });
    kernels.grad_norm_measure(norm.handle, handles);
    return norm.item();
  });
}

/** Scales the gradients so that their norm is at most `maxNorm` (PyTorch's clip_grad_norm_) and returns the norm before. */
export function clipGradNorm(params: readonly Tensor[], maxNorm: number): number {
  if (!(maxNorm > 0)) throw new Error(`clipGradNorm: the norm must be above 0, got ${maxNorm}`);
  const norm = gradNorm(params);
  const factor = maxNorm / (norm + 1e-6);
  if (factor < 1)
    kernels.grad_norm_scale(
      factor,
      gradients(params).map((g) => g.handle),
    );
  return norm;
}

/** into += weight · (from − into) for each pair: the moving average of weights. */
export function lerp(into: readonly Tensor[], from: readonly Tensor[], weight: number): void {
  kernels.grad_norm_lerp(
    weight,
    into.map((t) => t.handle),
    from.map((t) => t.handle),
  );
}
