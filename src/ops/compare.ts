import { noGrad } from '../core/autograd';
import { scope } from '../core/scope';
import type { Tensor } from '../core/tensor';
import { add, binary, sub } from './arithmetic';
import { castLike, float } from './cast';
import { expectFloats } from './check';

/** Floats as they are, integers as f32. */
const floats = (t: Tensor | number): Tensor | number =>
  typeof t === 'number' || t.dtype === 'f32' || t.dtype === 'bf16' ? t : float(t);

/** Comparisons are constant almost everywhere: they have no gradient, and their inputs may need one. */
const comparison = (kind: 'equal' | 'less' | 'lessEqual', a: Tensor | number, b: Tensor | number): Tensor =>
  noGrad(() => scope(() => binary(kind, floats(a), floats(b))));

/** 1 where a = b, else 0, with NumPy's broadcasting; of the operands' type (f32 for integers), without gradient. */
export const eq = (a: Tensor | number, b: Tensor | number): Tensor => comparison('equal', a, b);
/** 1 where a ≠ b, else 0; see `eq`. */
export const ne = (a: Tensor | number, b: Tensor | number): Tensor => noGrad(() => scope(() => sub(1, eq(a, b))));
/** 1 where a < b, else 0; see `eq`. */
export const lt = (a: Tensor | number, b: Tensor | number): Tensor => comparison('less', a, b);
/** 1 where a ≤ b, else 0; see `eq`. */
export const le = (a: Tensor | number, b: Tensor | number): Tensor => comparison('lessEqual', a, b);
/** 1 where a > b, else 0; see `eq`. */
export const gt = (a: Tensor | number, b: Tensor | number): Tensor => comparison('less', b, a);
/** 1 where a ≥ b, else 0; see `eq`. */
export const ge = (a: Tensor | number, b: Tensor | number): Tensor => comparison('lessEqual', b, a);

/**
 * a where the condition is not 0, b elsewhere, with NumPy's broadcasting. NaN and infinities of the other operand do not matter.
 * @param condition f32 or bf16, such as the result of a comparison; it gets no gradient
 */
export function where(condition: Tensor, a: Tensor | number, b: Tensor | number): Tensor {
  return scope(() => {
    const operands = Object.entries({ a, b }).filter(
      (entry): entry is [string, Tensor] => typeof entry[1] !== 'number',
    );
    expectFloats('where', 'arithmetic', Object.fromEntries(operands));
    const like = operands[0]?.[1];
    const mask = like ? castLike(condition.detach(), like) : condition.detach();
    return add(binary('keep', a, mask), binary('drop', b, mask));
  });
}

/** x with `value` where the mask is not 0; the mask broadcasts with x. The gradient is 0 there. */
export const maskedFill = (x: Tensor, mask: Tensor, value: number): Tensor => where(mask, value, x);
