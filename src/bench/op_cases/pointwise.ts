import * as ops from '../../ops';
import type { Tensor } from '../../core/tensor';
import { array64, type OpCase } from './case';

interface Function64 {
  op: (x: Tensor) => Tensor;
  of: (x: number) => number;
  /** Values are uniform in [-scale, scale) + offset. */
  scale?: number;
  offset?: number;
}

const FUNCTIONS: Record<string, Function64> = {
  exp: { op: ops.exp, of: Math.exp, scale: 4 },
  log: { op: ops.log, of: Math.log, scale: 0.9, offset: 1.5 },
  sqrt: { op: ops.sqrt, of: Math.sqrt, scale: 0.9, offset: 1 },
  rsqrt: { op: ops.rsqrt, of: (x) => 1 / Math.sqrt(x), scale: 0.9, offset: 1.5 },
  abs: { op: ops.abs, of: Math.abs },
  neg: { op: ops.neg, of: (x) => -x },
  relu: { op: ops.relu, of: (x) => Math.max(0, x) },
  sigmoid: { op: ops.sigmoid, of: (x) => 1 / (1 + Math.exp(-x)), scale: 8 },
  tanh: { op: ops.tanh, of: Math.tanh, scale: 3 },
  softplus: { op: ops.softplus, of: (x) => Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x))), scale: 9 },
  sin: { op: ops.sin, of: Math.sin, scale: 6 },
  cos: { op: ops.cos, of: Math.cos, scale: 6 },
  'clamp to -0.5 and 0.25': { op: (x) => ops.clamp(x, -0.5, 0.25), of: (x) => Math.min(0.25, Math.max(-0.5, x)) },
  'clamp from 0.3': { op: (x) => ops.clamp(x, 0.3), of: (x) => Math.max(0.3, x) },
  'pow 3': { op: (x) => ops.pow(x, 3), of: (x) => x ** 3 },
  'pow -1.5': { op: (x) => ops.pow(x, -1.5), of: (x) => x ** -1.5, scale: 0.5, offset: 1 },
  'pow 0': { op: (x) => ops.pow(x, 0), of: () => 1 },
};

/** Every function, on an odd number of elements; one on more than a block. */
export const pointwiseCases: OpCase[] = Object.entries(FUNCTIONS).flatMap(([name, { op, of, ...values }]) =>
  (name === 'neg' ? [[3, 11], [40000]] : [[3, 11]]).map((shape) => ({
    name: `${name} of [${shape.join(', ')}]`,
    inputs: { x: { shape, ...values, ...(shape[0] === 40000 ? { grad: false } : {}) } },
    forward: ({ x }: Record<string, Tensor>) => op(x!),
    oracle: ({ x }) => array64(shape, (i) => of(x!.data[i]!)),
  })),
);
