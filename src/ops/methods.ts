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

/** The methods that ops add to tensors. */
export type TensorMethods = { [Name in keyof typeof METHODS]: Method<(typeof METHODS)[Name]> };

declare module '../core/tensor' {
  // eslint-disable-next-line @typescript-eslint/no-empty-object-type
  interface Tensor extends TensorMethods {}
}

for (const [name, op] of Object.entries(METHODS)) {
  const value = function (this: Tensor, ...rest: unknown[]): unknown {
    return (op as (x: Tensor, ...rest: unknown[]) => unknown)(this, ...rest);
  };
  Object.defineProperty(Tensor.prototype, name, { value, writable: true, configurable: true });
}
