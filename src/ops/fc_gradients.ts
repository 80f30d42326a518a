import { emptyLike, type Tensor } from '../core/tensor';

/** Allocates the outputs of an FC's backward: the gradients of x, weight and bias, null if not needed. */
export function fcGradients(x: Tensor, weight: Tensor, needs: readonly boolean[]) {
  return {
    dx: needs[0] ? emptyLike(x) : null,
    dweight: needs[1] ? emptyLike(weight) : null,
    dbias: needs[2] ? emptyLike(weight, [weight.shape[0]!]) : null,
  };
}
