import { noGrad, record, type Saved } from './autograd';
import { kernels } from './dispatch';
import { expectOptions } from './options';
import { scope } from './scope';
import { emptyLike, Tensor } from './tensor';

/** Result of a forward: the output, and what the backward reads. */
export interface Computed<S extends Saved> {
  output: Tensor;
  saved?: S;
}

/** What a backward knows besides the gradient and the saved tensors. */
export interface BackwardContext<Args extends readonly unknown[]> {
  /** Whether each tensor among the arguments needs a gradient, in their order. */
  needs: readonly boolean[];
  /** The arguments of the call; their tensors may have been freed or overwritten since: save those that are read. */
  args: Args;
}

/** An op with a gradient of its own. */
export interface OpDefinition<Args extends readonly unknown[], S extends Saved> {
  /** Its name in messages. */
  name: string;
  /** Computes the output from arguments of which some are tensors. Ops in it build no graph. */
  forward(...args: Args): Computed<S>;
  /**
   * One gradient for each tensor among the arguments, in their order, of its shape and type; null where `needs` is false. Without a
   * backward, the op throws when one of its tensors needs a gradient.
   */
  backward?(dy: Tensor, saved: S, context: BackwardContext<Args>): readonly (Tensor | null)[];
}

function copyOf(t: Tensor): Tensor {
  const copy = emptyLike(t);
  kernels.accumulateCopy({ n: t.size, from: t, into: copy });
  return copy;
}

/** A second handle on each saved tensor: they stay the caller's. */
function held<S extends Saved>(saved: S): S {
  const hold = (value: Saved[string]): Saved[string] =>
    value instanceof Tensor ? value.detach() : value === null ? null : (value as readonly (Tensor | null)[]).map((t) => t && t.detach()); // prettier-ignore
  return Object.fromEntries(Object.entries(saved).map(([name, value]) => [name, hold(value)])) as S;
}

/** Gradients with memory of their own: a backward may return a tensor twice, or a saved one. */
function separate(gradients: readonly (Tensor | null)[], dy: Tensor, saved: Saved): (Tensor | null)[] {
  const taken = new Set<unknown>(Object.values(saved).flat());
  return gradients.map((t) => {
    if (!t || (t !== dy && !taken.has(t) && taken.add(t))) return t;
    return t === dy ? t : copyOf(t);
  });
}

/**
 * Makes an op with a gradient of its own (PyTorch's autograd.Function): the forward computes with other ops, or reads and writes
 * elements, and the backward computes gradients from what the forward saved. `gradcheck` verifies it.
 *
 *     const square = defineOp({
 *       name: 'square',
 *       forward: (x: Tensor) => ({ output: mul(x, x), saved: { x } }),
 *       backward: (dy, { x }) => [mul(dy, mul(x, 2))],
 *     });
 *
 * @throws from the op, if an input needs a gradient and there is no backward, or the backward returns another number of gradients
 */
export function defineOp<Args extends readonly unknown[], S extends Saved = Record<never, never>>(
  definition: OpDefinition<Args, S>,
): (...args: Args) => Tensor {
  expectOptions('defineOp', definition, { name: true, forward: true, backward: true });
  const { name, forward, backward } = definition;
  return (...args) => {
    const inputs = args.filter((arg): arg is Tensor => arg instanceof Tensor);
    const { output, saved } = scope(() => {
      const made = noGrad(() => forward(...args));
      if (!(made?.output instanceof Tensor))
        throw new Error(`${name}: the forward must return { output, saved }, with a tensor as output`);
      return { output: made.output.detach(), saved: held(made.saved ?? ({} as S)) };
    });
    const gradientsOf = (dy: Tensor, kept: S, needs: readonly boolean[]) => {
      const gradients = backward!(dy, kept, { needs, args });
      if (gradients?.length !== inputs.length)
        throw new Error(
          `backward of ${name}: expected ${inputs.length} gradients, one for each tensor, got ${gradients?.length}`,
        );
      return separate(gradients, dy, kept);
    };
    return record<S>({ op: name, inputs, output, saved, backward: backward ? gradientsOf : null });
  };
}
