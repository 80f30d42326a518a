import fc from 'fast-check';
import { backward } from '../../src/core/autograd';
import { add, div, indexSelect, matmul, mean, mul, reshape, sub, sum } from '../../src/ops';
import { memory } from '../../src/core/runtime';
import { scope } from '../../src/core/scope';
import { elements, tensor, type Shape, type Tensor } from '../../src/core/tensor';
import { relativeError, worstElement } from '../../src/bench/op_cases/compare';
import { uniform } from '../../src/bench/op_cases/random';

let live = 0;
beforeEach(() => void (live = memory().live));
afterEach(() => expect(memory().live).toBe(live));

/** On the device `cuda` fewer: each launch of a kernel is slow where it is emulated. */
const RUNS = process.env['MORPHMLP_TEST_DEVICE'] === 'cuda' ? 25 : 150;

const check = <T>(arbitrary: fc.Arbitrary<T>, body: (value: T) => void, numRuns = RUNS) =>
  fc.assert(
    fc.property(arbitrary, (value) => scope(() => body(value))),
    { seed: 7, numRuns },
  );

const size = fc.integer({ min: 0, max: 5 });
const shapes = fc.array(size, { maxLength: 4 });

/** Values bounded away from zero, for division; multiples of 2^-23, for exact float64. */
const values = (n: number, seed: number): Float32Array => uniform(seed, n, 0.5).map((v) => v + (v < 0 ? -0.5 : 0.5));
const leaf = (shape: Shape, seed: number) => tensor(values(elements(shape), seed), shape, { requiresGrad: true });

/** The index along each dimension of the flat index `i`. */
function unravel(shape: Shape, i: number): number[] {
  const index = shape.map(() => 0);
  for (let d = shape.length - 1, rest = i; d >= 0; d--) {
    index[d] = rest % shape[d]!;
    rest = Math.floor(rest / shape[d]!);
  }
  return index;
}

/** The flat index in `shape`, aligned at the end of `index`; dimensions of size 1 are repeated. */
const ravel = (shape: Shape, index: readonly number[]): number =>
  shape.reduce((flat, n, d) => flat * n + (n === 1 ? 0 : index[index.length - shape.length + d]!), 0);

function expectClose(actual: Tensor, shape: Shape, expected: Float64Array, tolerance = 1e-6): void {
  expect(actual.shape).toEqual(shape);
  const got = actual.floats();
  expect(relativeError(got, expected)).toBeLessThan(tolerance);
  if (expected.length > 0) expect(worstElement(got, expected)).toBeLessThan(10 * tolerance);
}

/** Runs a backward from `y` with a random gradient and returns that gradient; disposes the leaves' gradients at the end. */
function withGradients(y: Tensor, leaves: Tensor[], body: (dy: Float32Array) => void): void {
  const dy = values(y.size, 99);
  backward(y, tensor(dy, y.shape));
  body(dy);
  for (const t of leaves) t.grad!.dispose();
}

/** A shape that broadcasts to `out`: some leading dimensions removed, some sizes 1. */
const operandOf = (out: Shape): fc.Arbitrary<number[]> =>
  fc
    .tuple(fc.nat(out.length), fc.array(fc.boolean(), { minLength: out.length, maxLength: out.length }))
    .map(([skip, ones]) => out.map((n, d) => (ones[d] ? 1 : n)).slice(skip));

const RULES = {
  add: { op: add, of: (a: number, b: number) => a + b, da: () => 1, db: () => 1 },
  sub: { op: sub, of: (a: number, b: number) => a - b, da: () => 1, db: () => -1 },
  mul: { op: mul, of: (a: number, b: number) => a * b, da: (_: number, b: number) => b, db: (a: number) => a },
  div: {
    op: div,
    of: (a: number, b: number) => a / b,
    da: (_: number, b: number) => 1 / b,
    db: (a: number, b: number) => -a / (b * b),
  },
};

const broadcasts = shapes.chain((out) => fc.tuple(operandOf(out), operandOf(out)));

test.each(Object.entries(RULES))('%s broadcasts as float64 does, with both gradients', (_, { op, of, da, db }) => {
  check(broadcasts, ([shapeA, shapeB]) => {
    const n = Math.max(shapeA.length, shapeB.length);
    const sizes = (s: Shape, d: number) => s[d - n + s.length] ?? 1;
    const out = Array.from({ length: n }, (_, d) => (sizes(shapeA, d) === 1 ? sizes(shapeB, d) : sizes(shapeA, d)));
    const [a, b] = [leaf(shapeA, 1), leaf(shapeB, 2)];
    const [x, y] = [a.floats(), b.floats()];
    const places = Array.from({ length: elements(out) }, (_, i) => {
      const index = unravel(out, i);
      return [ravel(shapeA, index), ravel(shapeB, index)] as const;
    });
    const result = op(a, b);
    expectClose(
      result,
      out,
      Float64Array.from(places, ([i, j]) => of(x[i]!, y[j]!)),
    );
    withGradients(result, [a, b], (dy) => {
      const [gradA, gradB] = [new Float64Array(a.size), new Float64Array(b.size)];
      places.forEach(([i, j], k) => {
        gradA[i]! += dy[k]! * da(x[i]!, y[j]!);
        gradB[j]! += dy[k]! * db(x[i]!, y[j]!);
      });
      expectClose(a.grad!, shapeA, gradA, 3e-6);
      expectClose(b.grad!, shapeB, gradB, 3e-6);
    });
  });
});

test('shapes that do not broadcast are refused by every arithmetic op', () => {
  const pairs = fc.tuple(shapes, shapes).filter(([a, b]) => {
    const n = Math.min(a.length, b.length);
    return Array.from({ length: n }, (_, d) => [a[a.length - 1 - d]!, b[b.length - 1 - d]!]).some(
      ([x, y]) => x !== y && x !== 1 && y !== 1,
    );
  });
  check(pairs, ([a, b]) => {
    const message = `: shapes [${a.join(', ')}] and [${b.join(', ')}] do not broadcast`;
    for (const [name, { op }] of Object.entries(RULES))
      expect(() => op(leaf(a, 1), leaf(b, 2))).toThrow(name + message);
  });
});

/** Term l of element (i, j) of a product. */
type Term = (i: number, j: number, l: number) => number;

test('matmul agrees with float64 at any sizes, with both gradients', () => {
  const most = fc.integer({ min: 0, max: 40 });
  check(fc.tuple(most, most, most), ([m, k, n]) => {
    const [a, b] = [leaf([m, k], 1), leaf([k, n], 2)];
    const [x, w] = [a.floats(), b.floats()];
    const result = matmul(a, b);
    /** Compares with float64; what cancels in a sum leaves the rounding of its terms, so the tolerance grows by their share. */
    const expectProduct = (actual: Tensor, rows: number, columns: number, terms: number, at: Term): void => {
      const sums = [new Float64Array(rows * columns), new Float64Array(rows * columns)] as const;
      for (let flat = 0; flat < rows * columns; flat++)
        for (let l = 0; l < terms; l++) {
          const term = at(Math.floor(flat / columns), flat % columns, l);
          sums[0][flat]! += term;
          sums[1][flat]! += Math.abs(term);
        }
      const [norm, absolute] = sums.map((values) => Math.hypot(...values));
      expectClose(actual, [rows, columns], sums[0], norm! > 0 ? 1e-6 * Math.max(1, absolute! / norm! / 4) : 1e-6);
    };
    expectProduct(result, m, n, k, (i, j, l) => x[i * k + l]! * w[l * n + j]!);
    withGradients(result, [a, b], (dy) => {
      expectProduct(a.grad!, m, k, n, (i, j, l) => dy[i * n + l]! * w[j * n + l]!);
      expectProduct(b.grad!, k, n, m, (i, j, l) => x[l * k + i]! * dy[l * n + j]!);
    });
  });
});

test('matmul refuses shapes that are not stacks of matrices that fit', () => {
  const broadcast = (a: Shape, b: Shape) =>
    a.every((n, i) => {
      const m = b[i + b.length - a.length];
      return m === undefined || n === m || n === 1 || m === 1;
    });
  const fits = (a: Shape, b: Shape) =>
    a.length >= 2 && b.length >= 2 && a.at(-1) === b.at(-2) && broadcast(a.slice(0, -2), b.slice(0, -2));
  check(
    fc.tuple(shapes, shapes).filter(([a, b]) => !fits(a, b)),
    ([a, b]) =>
      void expect(() => matmul(leaf(a, 1), leaf(b, 2))).toThrow(
        /^matmul: (shapes .* do not (fit|broadcast)|[ab] must be \[)/,
      ),
  );
});

const reductions = shapes.chain((shape) =>
  fc.tuple(fc.constant(shape), fc.subarray(shape.map((_, d) => d)), fc.boolean(), fc.boolean()),
);

test('sum and mean agree with float64 over any dimensions, with the gradient', () => {
  check(reductions, ([shape, axes, keepDims, fromEnd]) => {
    const x = leaf(shape, 1);
    const kept = shape.map((n, d) => (axes.includes(d) ? 1 : n));
    const out = keepDims ? kept : shape.filter((_, d) => !axes.includes(d));
    const axis = axes.map((d) => (fromEnd ? d - shape.length : d));
    const total = new Float64Array(elements(out));
    const place = (i: number) => ravel(kept, unravel(shape, i));
    x.floats().forEach((v, i) => (total[place(i)]! += v));
    const count = axes.reduce((n, d) => n * shape[d]!, 1);
    for (const op of [sum, mean]) {
      const share = op === sum ? 1 : 1 / count;
      if (share === Infinity) {
        expect(() => op(x, { axis, keepDims })).toThrow(`mean: nothing to average in shape [${shape.join(', ')}]`);
        continue;
      }
      const y = op(x, { axis, keepDims });
      const expected = total.map((v) => v * share);
      expectClose(y, out, expected);
      withGradients(y, [x], (dy) => {
        expectClose(
          x.grad!,
          shape,
          Float64Array.from({ length: x.size }, (_, i) => dy[place(i)]! * share),
        );
      });
      x.grad = null;
    }
  });
});

test.each([2, -3, 0.5, NaN, Infinity])('axis %p of a matrix is refused', (axis) => {
  scope(() => {
    expect(() => sum(leaf([2, 3], 1), { axis })).toThrow(`sum: axis ${axis} is not a dimension of shape [2, 3]`);
    expect(() => mean(leaf([2, 3], 1), { axis: [0, axis] })).toThrow(
      `mean: axis ${axis} is not a dimension of shape [2, 3]`,
    );
  });
});

test('reshape keeps the elements in order and their gradient; another size is refused', () => {
  check(fc.tuple(shapes, shapes), ([from, to]) => {
    const x = leaf(from, 1);
    if (elements(from) !== elements(to)) {
      expect(() => reshape(x, to)).toThrow(
        `reshape: [${from.join(', ')}] does not have the size of [${to.join(', ')}]`,
      );
      return;
    }
    const y = reshape(x, to);
    expectClose(y, to, Float64Array.from(x.floats()), 1e-30);
    withGradients(y, [x], (dy) => expectClose(x.grad!, from, Float64Array.from(dy), 1e-30));
  });
});

const selections = fc.tuple(
  fc.array(size, { minLength: 1, maxLength: 3 }),
  fc.array(fc.integer({ min: -2, max: 7 }), { maxLength: 6 }),
);

test('indexSelect takes rows and adds their gradients; an index outside is named', () => {
  check(selections, ([shape, index]) => {
    const [x, rows] = [leaf(shape, 1), shape[0]!];
    const width = elements(shape.slice(1));
    const wrong = index.findIndex((i) => i < 0 || i >= rows);
    const select = () => indexSelect(x, tensor(Int32Array.from(index)));
    if (wrong >= 0) {
      expect(select).toThrow(`index ${index[wrong]} at position ${wrong} is outside`);
      return;
    }
    const y = select();
    const places = Array.from({ length: y.size }, (_, i) => index[Math.floor(i / width)]! * width + (i % width));
    expectClose(
      y,
      [index.length, ...shape.slice(1)],
      Float64Array.from(places, (i) => x.floats()[i]!),
      1e-30,
    );
    withGradients(y, [x], (dy) => {
      const grad = new Float64Array(x.size);
      places.forEach((place, i) => (grad[place]! += dy[i]!));
      expectClose(x.grad!, shape, grad);
    });
  });
});
