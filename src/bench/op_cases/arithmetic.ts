import { add, div, mul, sub } from '../../ops/arithmetic';
import { array64, type Array64, type OpCase } from './case';

const OPS = {
  add: { op: add, of: (a: number, b: number) => a + b },
  sub: { op: sub, of: (a: number, b: number) => a - b },
  mul: { op: mul, of: (a: number, b: number) => a * b },
  div: { op: div, of: (a: number, b: number) => a / b },
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
    inputs: { a: { shape: a }, b: { shape: b, scale: 0.5, offset: 1.5 } },
    forward: (t) => OPS[name].op(t.a!, t.b!),
    oracle: (x) => array64(shape, (i) => OPS[name].of(at(x.a!, shape, i), at(x.b!, shape, i))),
  };
}

/** Equal shapes, and broadcasting of rows, columns, scalars, both operands, leading and middle dimensions. */
export const arithmeticCases = (['add', 'sub', 'mul', 'div'] as const).flatMap((name) => [
  arithmeticCase(name, [3, 17], [3, 17]),
  arithmeticCase(name, [2, 5], [5]),
  arithmeticCase(name, [4], [3, 1]),
  arithmeticCase(name, [2, 1, 3], [4, 1]),
  arithmeticCase(name, [], [2, 3]),
]);
