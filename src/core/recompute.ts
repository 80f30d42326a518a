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
 * Activation recompute: runs `fn` without keeping what its backward needs, and runs it again, with the same random numbers, when
 * the backward comes. Trades one more forward for the memory of its activations. Parameters that `fn` uses get their gradients
 * as usual. Buffers that `fn` updates (running statistics) are updated twice.
 * @param fn makes one tensor of the inputs
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
