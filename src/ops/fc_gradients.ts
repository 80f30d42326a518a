import { emptyLike, type Tensor } from '../core/tensor';

/** What the backward of an FC makes of x, weight and bias: null where nobody needs it; `handles` are the same for the kernel. */
export function fcGradients(x: Tensor, weight: Tensor, needs: readonly boolean[]) {
  const dx = needs[0] ? emptyLike(x) : null;
  const dweight = needs[1] ? emptyLike(weight) : null;
  const dbias = needs[2] ? emptyLike(weight, [weight.shape[0]!]) : null;
  const gradients = [dx, dweight, dbias];
  return { gradients, handles: gradients.map((gradient) => gradient?.handle ?? null) };
}
