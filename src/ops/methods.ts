/** Ops as methods of tensors: `x.add(y).mean().backward()`. A method takes its function's arguments after the first. */
import { backward } from '../core/autograd';
import { Tensor } from '../core/tensor';
import { add, div, maximum, minimum, mul, sub } from './arithmetic';
import { cast, float } from './cast';
import { eq, ge, gt, le, lt, maskedFill, ne } from './compare';
import { cumsum } from './cumsum';
import { clone, expand } from './expand';
import { gather } from './gather';
import { gelu } from './gelu';
import { indexSelect } from './index_rows';
import { matmul } from './matmul';
import { argmax, logsumexp, max, min } from './max';
import { permute, transpose } from './permute';
import * as pointwise from './pointwise';
import { mean, norm, std, sum, variance } from './reduce';
import { reshape } from './reshape';
import { flatten, pad, slice, split, squeeze, unsqueeze } from './slice';
import { logSoftmax, softmax } from './softmax';
import { topk } from './topk';

const METHODS = {
  ...pointwise,
  ...{ add, sub, mul, div, minimum, maximum, eq, ne, lt, le, gt, ge, maskedFill },
  ...{ sum, mean, var: variance, std, norm, max, min, argmax, logsumexp, softmax, logSoftmax, cumsum, topk },
  ...{ reshape, flatten, squeeze, unsqueeze, transpose, permute, expand, pad, slice, split, clone },
  ...{ gather, indexSelect, matmul, gelu, cast, float, backward },
} as const;

type Method<F> = F extends (x: Tensor, ...rest: infer Rest) => infer Result ? (...rest: Rest) => Result : never;

/** The methods that ops add to tensors; each is described where its function is. */
export type TensorMethods = { [Name in keyof typeof METHODS]: Method<(typeof METHODS)[Name]> };

/** The most arguments of each method: more are refused, where they would be ignored. */
const MOST: { readonly [Name in keyof TensorMethods]: Parameters<TensorMethods[Name]>['length'] } = {
  ...{ abs: 0, cos: 0, exp: 0, log: 0, neg: 0, relu: 0, rsqrt: 0, sigmoid: 0, sin: 0, softplus: 0, sqrt: 0, tanh: 0 },
  ...{ clone: 0, float: 0, gelu: 0 },
  ...{ add: 1, sub: 1, mul: 1, div: 1, minimum: 1, maximum: 1, eq: 1, ne: 1, lt: 1, le: 1, gt: 1, ge: 1, pow: 1 },
  ...{ sum: 1, mean: 1, var: 1, std: 1, norm: 1, max: 1, min: 1, argmax: 1, logsumexp: 1, cumsum: 1 },
  ...{ softmax: 1, logSoftmax: 1, reshape: 1, expand: 1, permute: 1, squeeze: 1, unsqueeze: 1, cast: 1, matmul: 1 },
  ...{ backward: 2, clamp: 2, flatten: 2, gather: 2, indexSelect: 2, maskedFill: 2, pad: 2, split: 2, topk: 2 },
  ...{ transpose: 2, slice: 4 },
};

declare module '../core/tensor' {
  // eslint-disable-next-line @typescript-eslint/no-empty-object-type
  interface Tensor extends TensorMethods {}
}

for (const [name, op] of Object.entries(METHODS)) {
  const value = function (this: Tensor, ...rest: unknown[]): unknown {
    const most = MOST[name as keyof TensorMethods];
    if (rest.length > most) throw new Error(`${name}: expected at most ${most} arguments, got ${rest.length}`);
    return (op as (x: Tensor, ...rest: unknown[]) => unknown)(this, ...rest);
  };
  Object.defineProperty(Tensor.prototype, name, { value, writable: true, configurable: true });
}
