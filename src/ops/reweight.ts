import { record } from '../core/autograd';
import { kernels } from '../core/native';
import { emptyLike, show, type Tensor } from '../core/tensor';
import { expectFloats, expectShape } from './check';

function checkReweight(branches: readonly Tensor[], weights: Tensor): [number, number, number] {
  const [first, ...others] = branches;
  if (!first || branches.length > 3) throw new Error(`reweight: expected 1 to 3 branches, got ${branches.length}`);
  const named = Object.fromEntries(branches.map((b, i) => [`branch ${i}`, b]));
  expectFloats('reweight', 'reweight', named, { weights });
  others.forEach((branch, i) => expectShape('reweight', { [`branch ${i + 1}`]: branch }, first.shape));
  if (first.ndim < 2) throw new Error(`reweight: branches must be [B, ..., C], got ${show(first.shape)}`);
  const [clips, channels] = [first.shape[0] as number, first.shape[first.ndim - 1] as number];
  expectShape('reweight', { weights }, [clips, channels, branches.length]);
  return [clips, first.size / Math.max(1, clips * channels), channels];
}

/**
 * The weighted sum of branches: y[b, …, c] = Σᵢ branchᵢ[b, …, c] · weights[b, c, i] (MorphMLP, section 3.2).
 * @param branches one to three tensors [B, ..., C]
 * @param weights [B, C, number of branches]
 */
export function reweight(branches: readonly Tensor[], weights: Tensor): Tensor {
  const at = [...checkReweight(branches, weights), branches.length];
  const y = emptyLike(branches[0] as Tensor);
  kernels.reweight_forward(...at, weights.handle, y.handle, ...branches.map((b) => b.handle));
  return record({
    op: 'reweight',
    inputs: [weights, ...branches],
    output: y,
    saved: [weights, ...branches],
    backward: (dy, [weights, ...branches], [, ...needs]) => {
      const dweights = emptyLike(weights!);
      const gradients = branches.map((b, i) => (needs[i] ? emptyLike(b) : null));
      const from = [weights!.handle, dy.handle, dweights.handle, ...branches.map((b) => b.handle)];
      kernels.reweight_backward(...at, ...from, ...gradients.map((g) => g?.handle ?? null));
      return [dweights, ...gradients];
    },
  });
}
