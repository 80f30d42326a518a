/** Ops as methods of tensors: `x.add(y).mean().backward()`. A method takes its function's arguments after the first. */
import { callAs, expectAtMost, type Limits } from '../core/arguments';
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

/** The most arguments of each function; its method takes one less. */
export const METHOD_LIMITS: Limits<typeof METHODS> = {
  ...{ abs: 1, cos: 1, exp: 1, log: 1, neg: 1, relu: 1, rsqrt: 1, sigmoid: 1, sin: 1, softplus: 1, sqrt: 1, tanh: 1 },
  ...{ clone: 1, float: 1, gelu: 1 },
  ...{ add: 2, sub: 2, mul: 2, div: 2, minimum: 2, maximum: 2, eq: 2, ne: 2, lt: 2, le: 2, gt: 2, ge: 2, pow: 2 },
  ...{ sum: 2, mean: 2, var: 2, std: 2, norm: 2, max: 2, min: 2, argmax: 2, logsumexp: 2, cumsum: 2 },
  ...{ softmax: 2, logSoftmax: 2, reshape: 2, expand: 2, permute: 2, squeeze: 2, unsqueeze: 2, cast: 2, matmul: 2 },
  ...{ backward: 3, clamp: 3, flatten: 3, gather: 3, indexSelect: 3, maskedFill: 3, pad: 3, split: 3, topk: 3 },
  ...{ transpose: 3, slice: 5 },
};

declare module '../core/tensor' {
  // eslint-disable-next-line @typescript-eslint/no-empty-object-type
  interface Tensor extends TensorMethods {}
}

for (const [name, op] of Object.entries(METHODS)) {
  const value = function (this: Tensor, ...rest: unknown[]): unknown {
    expectAtMost(name, METHOD_LIMITS[name as keyof TensorMethods] - 1, rest.length);
    const call = op as (x: Tensor, ...rest: unknown[]) => unknown;
    return name === 'backward' ? call(this, ...rest) : callAs(name, call, this, ...rest);
  };
  Object.defineProperty(Tensor.prototype, name, { value, writable: true, configurable: true });
}
