import { add, div, maximum, minimum, mul, sub } from '../../ops/arithmetic';
import { eq, ge, gt, le, lt, ne, where } from '../../ops/compare';
import { pow } from '../../ops/pointwise';
import type { Tensor } from '../../core/tensor';
import { array64, type Array64, type OpCase } from './case';

const OPS = {
  add: { op: add, of: (a: number, b: number) => a + b },
  sub: { op: sub, of: (a: number, b: number) => a - b },
  mul: { op: mul, of: (a: number, b: number) => a * b },
  div: { op: div, of: (a: number, b: number) => a / b },
  minimum: { op: minimum, of: Math.min },
  maximum: { op: maximum, of: Math.max },
  pow: { op: (a: Tensor, b: Tensor) => pow(a, b), of: (a: number, b: number) => a ** b },
};

const COMPARISONS = {
  eq: { op: eq, of: (a: number, b: number) => a === b },
  ne: { op: ne, of: (a: number, b: number) => a !== b },
  lt: { op: lt, of: (a: number, b: number) => a < b },
  le: { op: le, of: (a: number, b: number) => a <= b },
  gt: { op: gt, of: (a: number, b: number) => a > b },
  ge: { op: ge, of: (a: number, b: number) => a >= b },
};

/** The element of `x` at flat index `i` of the broadcast shape. */
function at(x: Array64, shape: readonly number[], i: number): number {
  let [rest, offset, stride] = [i, 0, 1];
  for (let d = shape.length - 1; d >= 0; d--) {
    const size = x.shape[d - shape.length + x.shape.length];
    if (size !== undefined) {
      if (size > 1) offset += (rest % shape[d]!) * stride;
      stride *= size;
    }
    rest = Math.floor(rest / shape[d]!);
  }
  return x.data[offset]!;
}

function broadcast(a: readonly number[], b: readonly number[]): number[] {
  const n = Math.max(a.length, b.length);
  return Array.from({ length: n }, (_, i) => Math.max(a[i - n + a.length] ?? 1, b[i - n + b.length] ?? 1));
}

function arithmeticCase(name: keyof typeof OPS, a: readonly number[], b: readonly number[]): OpCase {
  const shape = broadcast(a, b);
  return {
    name: `${name} [${a.join(', ')}] and [${b.join(', ')}]`,
    inputs: {
      a: { shape: a, ...(name === 'pow' ? { scale: 0.5, offset: 1 } : {}) },
      b: { shape: b, scale: 0.5, offset: name.endsWith('imum') ? 0.25 : 1.5 },
    },
    forward: (t) => OPS[name].op(t.a!, t.b!),
    oracle: (x) => array64(shape, (i) => OPS[name].of(at(x.a!, shape, i), at(x.b!, shape, i))),
  };
}

/** Equal shapes, and broadcasting of rows, columns, scalars, both operands, leading and middle dimensions. */
export const arithmeticCases = (Object.keys(OPS) as (keyof typeof OPS)[]).flatMap((name) => [
  arithmeticCase(name, [3, 17], [3, 17]),
  arithmeticCase(name, [2, 5], [5]),
  arithmeticCase(name, [4], [3, 1]),
  arithmeticCase(name, [2, 1, 3], [4, 1]),
  arithmeticCase(name, [], [2, 3]),
]);

/** Each comparison of a column with a row, with equals among them. */
export const compareCases: OpCase[] = Object.entries(COMPARISONS).map(([name, { op, of }]) => ({
  name: `${name} [3, 1] and [4]`,
  inputs: {
    a: { shape: [3, 1], values: [1, -2, 0.5], grad: false },
    b: { shape: [4], values: [0.5, 1, -2, 3], grad: false },
  },
  forward: ({ a, b }: Record<string, Tensor>) => op(a!, b!),
  oracle: ({ a, b }) => array64([3, 4], (i) => Number(of(a!.data[Math.floor(i / 4)]!, b!.data[i % 4]!))),
}));

/** All shapes broadcast; the gradient goes to the chosen operand. */
export const whereCases: OpCase[] = [
  {
    name: 'where of [2, 1], [3] and [2, 3]',
    inputs: { c: { shape: [2, 1], values: [1, 0], grad: false }, a: { shape: [3] }, b: { shape: [2, 3] } },
    forward: ({ c, a, b }) => where(c!, a!, b!),
    oracle: ({ c, a, b }) => array64([2, 3], (i) => (c!.data[Math.floor(i / 3)] ? a!.data[i % 3]! : b!.data[i]!)),
  },
];
