import { record } from '../core/autograd';
import { kernels } from '../core/dispatch';
import { emptyLike, type Tensor } from '../core/tensor';
import { binary } from './arithmetic';
import { expectFloats } from './check';

/** The functions of the kernel, in the order of native/ops/pointwise_functions.h, which has their derivatives. */
const FUNCTIONS = [
  'exp',
  'log',
  'sqrt',
  'rsqrt',
  'abs',
  'neg',
  'relu',
  'sigmoid',
  'tanh',
  'softplus',
  'sin',
  'cos',
  'clamp',
  'pow',
] as const;

function pointwise(op: (typeof FUNCTIONS)[number], x: Tensor, a = 0, b = 0): Tensor {
  expectFloats(op, 'pointwise', { x });
  const [y, at] = [emptyLike(x), { kind: FUNCTIONS.indexOf(op), n: x.size, a, b }];
  kernels.pointwiseForward({ x, y, ...at });
  return record({
    op,
    inputs: [x],
    output: y,
    saved: { x },
    backward: (dy, { x }) => {
      const dx = emptyLike(x);
      kernels.pointwiseBackward({ x, dy, dx, ...at });
      return [dx];
    },
  });
}

/** eˣ of every element. */
export const exp = (x: Tensor): Tensor => pointwise('exp', x);
/** The natural logarithm of every element; −Infinity at 0, NaN below. */
export const log = (x: Tensor): Tensor => pointwise('log', x);
/** The square root of every element; NaN below 0. */
export const sqrt = (x: Tensor): Tensor => pointwise('sqrt', x);
/** 1/√x of every element. */
export const rsqrt = (x: Tensor): Tensor => pointwise('rsqrt', x);
/** The absolute value of every element; its gradient is 0 at 0. */
export const abs = (x: Tensor): Tensor => pointwise('abs', x);
/** −x of every element. */
export const neg = (x: Tensor): Tensor => pointwise('neg', x);
/** max(x, 0) of every element; its gradient is 0 at 0. */
export const relu = (x: Tensor): Tensor => pointwise('relu', x);
/** 1/(1 + e⁻ˣ) of every element. */
export const sigmoid = (x: Tensor): Tensor => pointwise('sigmoid', x);
/** The hyperbolic tangent of every element. */
export const tanh = (x: Tensor): Tensor => pointwise('tanh', x);
/** log(1 + eˣ) of every element, without overflow. */
export const softplus = (x: Tensor): Tensor => pointwise('softplus', x);
/** The sine of every element, in radians. */
export const sin = (x: Tensor): Tensor => pointwise('sin', x);
/** The cosine of every element, in radians. */
export const cos = (x: Tensor): Tensor => pointwise('cos', x);

/** Limits every element to the range from `min` to `max`; outside it the gradient is 0. @throws unless min ≤ max */
export function clamp(x: Tensor, min = -Infinity, max = Infinity): Tensor {
  if (!(min <= max)) throw new Error(`clamp: expected min ≤ max, got ${min} and ${max}`);
  return pointwise('clamp', x, min, max);
}

/** xᵉ of every element. @param exponent a number, or a tensor that broadcasts with x */
export function pow(x: Tensor | number, exponent: Tensor | number): Tensor {
  if (typeof exponent !== 'number' || typeof x === 'number') return binary('pow', x, exponent);
  if (Number.isNaN(exponent)) throw new Error('pow: the exponent must be a number, got NaN');
  return pointwise('pow', x, exponent);
}
