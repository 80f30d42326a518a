import { record } from '../core/autograd';
import { kernels } from '../core/dispatch';
import { emptyLike, show, type Tensor } from '../core/tensor';
import { expectFloats, expectShape } from './check';

function checkReweight(branches: readonly Tensor[], weights: Tensor) {
  const [first, ...others] = branches;
  if (!first || branches.length > 3) throw new Error(`reweight: expected 1 to 3 branches, got ${branches.length}`);
  const named = Object.fromEntries(branches.map((b, i) => [`branch ${i}`, b]));
  expectFloats('reweight', 'reweight', named, { weights });
  others.forEach((branch, i) => expectShape('reweight', { [`branch ${i + 1}`]: branch }, first.shape));
  if (first.ndim < 2) throw new Error(`reweight: branches must be [B, ..., C], got ${show(first.shape)}`);
  const [clips, channels] = [first.shape[0] as number, first.shape[first.ndim - 1] as number];
  expectShape('reweight', { weights }, [clips, channels, branches.length]);
  return { clips, tokens: first.size / Math.max(1, clips * channels), channels, branches: branches.length };
}

/**
 * The weighted sum of branches: y[b, …, c] = Σᵢ branchᵢ[b, …, c] · weights[b, c, i] (MorphMLP, section 3.2).
 * @param branches one to three tensors [B, ..., C]
 * @param weights [B, C, number of branches]
 */
export function reweight(branches: readonly Tensor[], weights: Tensor): Tensor {
  const at = checkReweight(branches, weights);
  const y = emptyLike(branches[0] as Tensor);
  kernels.reweightForward({ weights, y, branch: branches, ...at });
  return record({
    op: 'reweight',
    inputs: [weights, ...branches],
    output: y,
    saved: { weights, branch: branches },
    backward: (dy, { weights, branch }, [, ...needs]) => {
      const dweights = emptyLike(weights);
      const dbranch = branch.map((b, i) => (needs[i] ? emptyLike(b) : null));
      kernels.reweightBackward({ weights, dy, dweights, branch, dbranch, ...at });
      return [dweights, ...dbranch];
    },
  });
}
