import { backward, enableGrad, noGrad, record, withLeaves } from './autograd';
import { rngState, setRngState } from './generator';
import { scope } from './scope';
import type { Tensor } from './tensor';

function withRandomState<T>(state: ReturnType<typeof rngState>, body: () => T): T {
  const now = rngState();
  setRngState(state);
  try {
    return body();
  } finally {
    setRngState(now);
  }
}

/**
 * Activation checkpointing: runs `fn` without saving activations, and runs it again with the same random numbers during the
 * backward. Trades one more forward for the memory of the activations. Parameters that `fn` uses receive their gradients as
 * usual. Buffers that `fn` updates (running statistics) are updated twice.
 * @param fn returns one tensor
 */
export function checkpoint(fn: (...inputs: Tensor[]) => Tensor, ...inputs: Tensor[]): Tensor {
  const state = rngState();
  const [output, leaves] = withLeaves(() => noGrad(() => scope(() => fn(...inputs))));
  const parameters = leaves.filter((t) => !inputs.includes(t));
  return record({
    op: 'checkpoint',
    inputs: [...inputs, ...parameters],
    output,
    saved: { inputs, parameters }, // the parameters, so that a change of theirs is noticed
    backward: (dy, { inputs }, needs) => {
      const again = inputs.map((t, i) => {
        const leaf = t.detach();
        leaf.requiresGrad = needs[i] === true;
        return leaf;
      });
      backward(
        enableGrad(() => withRandomState(state, () => fn(...again))),
        dy,
      );
      return again.map((leaf) => {
        if (leaf.grad) leaf.grad.persistent = false;
        return leaf.grad;
      });
    },
  });
}
