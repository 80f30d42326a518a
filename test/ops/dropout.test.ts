import { backward } from '../../src/core/autograd';
import { dropFactors, dropout, dropPath } from '../../src/ops/dropout';
import { philox4x32 } from '../../src/core/philox';
import { drawStart, manualSeed, nextRandom, recordDraws, rngState, setRngState } from '../../src/core/generator';
import { setThreads, threads } from '../../src/core/runtime';
import { scope } from '../../src/core/scope';
import { ones, tensor, zeros, type Tensor } from '../../src/core/tensor';
import { uniform } from '../../src/bench/op_cases/random';

/** Uniform numbers of a draw, by the definition in src/core/generator.ts. */
function drawn(n: number, seed: number, offset: number): number[] {
  return Array.from({ length: n }, (_, i) => {
    const counter = offset / 4 + Math.floor(i / 4);
    const words = philox4x32(
      [counter >>> 0, Math.floor(counter / 2 ** 32), 0, 0],
      [seed >>> 0, Math.floor(seed / 2 ** 32)],
    );
    return Math.floor(words[i % 4]! / 256) / 2 ** 24;
  });
}

test.each([
  [0, 0],
  [7, 4],
  [2 ** 52 - 1, 4 * (2 ** 32 - 2)],
  [2 ** 33 + 5, 2 ** 50],
])('the factors of seed %d at offset %d follow Philox word by word', (seed, offset) => {
  scope(() => {
    setRngState({ seed, offset });
    const factors = dropFactors(37, 0.25, ones([1])).floats();
    const expected = drawn(37, seed, offset).map((u) => (u < 0.25 ? 0 : Math.fround(1 / 0.75)));
    expect([...factors]).toEqual(expected);
    expect(rngState()).toEqual({ seed, offset: offset + 40 });
  });
});

test.each([
  [7, 4],
  [2 ** 52 - 1, 4 * (2 ** 32 - 2)],
  [2 ** 33 + 5, 2 ** 50],
])('a recorded draw follows another seed, %d, and offset, %d, when they are written to its start', (seed, offset) => {
  scope(() => {
    setRngState({ seed, offset });
    const start = tensor(drawStart(rngState()));
    setRngState({ seed: 3, offset: 400 }); // where it is recorded
    let factors!: Tensor;
    const words = recordDraws(start, () => {
      nextRandom(6);
      factors = dropFactors(37, 0.25, ones([1]));
    });
    expect([words, rngState()]).toEqual([48, { seed: 3, offset: 448 }]);
    const expected = drawn(37, seed, offset + 8).map((u) => (u < 0.25 ? 0 : Math.fround(1 / 0.75)));
    expect([...factors.floats()]).toEqual(expected);
    const after = drawn(8, 3, 448).map((u) => (u < 0.25 ? 0 : Math.fround(1 / 0.75)));
    expect([...dropFactors(8, 0.25, ones([1])).floats()]).toEqual(after); // no longer from `start`
  });
});

test('long draws keep their order over blocks and threads', () => {
  const n = 3 * 32768 + 5;
  const run = (count: number): Float32Array =>
    scope(() => {
      setThreads(count);
      manualSeed(3);
      return dropFactors(n, 0.5, ones([1])).floats();
    });
  const before = threads();
  try {
    const one = run(1);
    expect(run(3)).toEqual(one);
    const tail = drawn(n, 3, 0).map((u) => (u < 0.5 ? 0 : 2));
    expect([...one]).toEqual(tail);
  } finally {
    setThreads(before);
  }
});

test('the share of zeros is the probability, and the mean stays', () => {
  scope(() => {
    manualSeed(1);
    const values = dropout(ones([100000]), 0.3, true).floats();
    const zeros = values.filter((v) => v === 0).length;
    expect(Math.abs(zeros / 1e5 - 0.3)).toBeLessThan(0.006);
    expect(new Set(values)).toEqual(new Set([0, Math.fround(1 / (1 - Math.fround(0.3)))]));
  });
});

test('dropout draws anew each time; the same seed repeats it', () => {
  scope(() => {
    const draw = () => dropout(ones([64]), 0.5, true).floats();
    manualSeed(5);
    const [first, second] = [draw(), draw()];
    expect(second).not.toEqual(first);
    manualSeed(5);
    expect([draw(), draw()]).toEqual([first, second]);
  });
});

/** y and the gradient of sum(y * gy), with gy = 1, 2, 3, … */
function withGradient(
  shape: readonly number[],
  drop: (x: Tensor) => Tensor,
): { x: Float32Array; y: Float32Array; dx: Float32Array } {
  return scope(() => {
    const x = tensor(
      uniform(
        1,
        shape.reduce((a, b) => a * b, 1),
      ),
      shape,
      { requiresGrad: true },
    );
    const y = drop(x);
    backward(
      y,
      tensor(
        Float32Array.from({ length: x.size }, (_, i) => i + 1),
        shape,
      ),
    );
    const dx = x.grad!.floats();
    x.grad!.dispose();
    return { x: x.floats(), y: y.floats(), dx };
  });
}

test('dropout: values and gradient by the same factors', () => {
  manualSeed(9);
  const { x, y, dx } = withGradient([3, 7, 5], (x) => dropout(x, 0.5, true));
  const factors = drawn(105, 9, 0).map((u) => (u < 0.5 ? 0 : 2));
  expect(factors).toEqual(expect.arrayContaining([0, 2]));
  expect([...y]).toEqual(factors.map((f, i) => f * x[i]!));
  expect([...dx]).toEqual(factors.map((f, i) => f * (i + 1)));
});

test('dropPath: one factor a clip, values and gradient', () => {
  manualSeed(2);
  const { x, y, dx } = withGradient([6, 3, 5], (x) => dropPath(x, 0.5, true));
  const factors = drawn(6, 2, 0).map((u) => (u < 0.5 ? 0 : 2));
  expect(factors).toEqual(expect.arrayContaining([0, 2]));
  expect([...y]).toEqual(Array.from(x, (v, i) => factors[Math.floor(i / 15)]! * v));
  expect([...dx]).toEqual(Array.from(x, (_, i) => factors[Math.floor(i / 15)]! * (i + 1)));
});

test('dropPath: a clip larger than a block of the kernel', () => {
  scope(() => {
    manualSeed(4);
    const y = dropPath(ones([5, 40000]), 0.5, true).floats();
    const factors = drawn(5, 4, 0).map((u) => (u < 0.5 ? 0 : 2));
    expect(y.every((v, i) => v === factors[Math.floor(i / 40000)])).toBe(true);
  });
});

test.each([dropout, dropPath])('%p is the identity outside training or at probability 0, and draws nothing', (drop) => {
  scope(() => {
    const [x, before] = [ones([2, 3]), rngState()];
    expect([drop(x, 0.5, false), drop(x, 0, true)]).toEqual([x, x]);
    expect(rngState()).toEqual(before);
  });
});

test('nothing in, nothing out', () => {
  scope(() =>
    expect([dropout(zeros([0, 3]), 0.5, true).shape, dropPath(zeros([2, 0]), 0.5, true).shape]).toEqual([
      [0, 3],
      [2, 0],
    ]),
  );
});

test.each([
  ['a probability of 1', () => dropout(ones([2]), 1, true), 'dropout: the probability must be in [0, 1), got 1'],
  [
    'a negative probability',
    () => dropPath(ones([2]), -0.1, true),
    'dropPath: the probability must be in [0, 1), got -0.1',
  ],
  ['no number', () => dropPath(ones([2]), NaN, false), 'dropPath: the probability must be in [0, 1), got NaN'],
  ['integers', () => dropout(tensor(new Int32Array(2)), 0.5, true), 'dropout: x must be f32, got i32'],
])('%s: refused with what was expected and what came', (_, run, message) => {
  scope(() => expect(run).toThrow(message));
});
