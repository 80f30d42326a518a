import { backward, noGrad } from '../../src/core/autograd';
import { batchNorm, type BatchNormOptions } from '../../src/ops/batch_norm';
import { gelu } from '../../src/ops/gelu';
import { scope } from '../../src/core/scope';
import { ones, tensor, zeros, type Tensor } from '../../src/core/tensor';
import { batchNormCases, columnStatistics } from '../../src/bench/op_cases/batch_norm';
import { relativeError } from '../../src/bench/op_cases/compare';
import { uniform } from '../../src/bench/op_cases/random';
import { runCases } from '../support/run_cases';

runCases('batchNorm', batchNormCases);

const normed = (x: Tensor, options: Partial<BatchNormOptions> = {}, c = 2) =>
  batchNorm(x, ones([c]), zeros([c]), zeros([c]), ones([c]), { training: true, ...options });

test.each([
  ['a scalar', () => normed(ones([])), 'batchNorm: x must be [..., C], got []'],
  ['no channels', () => normed(ones([3, 0])), 'batchNorm: x must be [..., C], got [3, 0]'],
  ['gamma of another width', () => normed(ones([2, 3])), 'batchNorm: gamma must have shape [3], got [2]'],
  [
    'one value a channel',
    () => normed(ones([1, 2])),
    'batchNorm: training needs more than one value a channel, got shape [1, 2]',
  ],
  ['integers', () => normed(tensor(new Int32Array(4), [2, 2])), 'batchNorm: x must be f32, got i32'],
  ['a negative eps', () => normed(ones([2, 2]), { eps: -1 }), 'batchNorm: eps must be a number of 0 or more, got -1'],
  ['eps is NaN', () => normed(ones([2, 2]), { eps: NaN }), 'batchNorm: eps must be a number of 0 or more, got NaN'],
  ['too much momentum', () => normed(ones([2, 2]), { momentum: 2 }), 'batchNorm: momentum must be from 0 to 1, got 2'],
])('%s: refused with what was expected and what came', (_, run, message) => {
  scope(() => expect(run).toThrow(message));
});

test('training moves the running statistics, with the unbiased variance', () => {
  scope(() => {
    const [rows, cols] = [37, 5];
    const values = uniform(1, rows * cols, 2, 1);
    const [mean, variance] = [tensor(uniform(2, cols)), tensor(uniform(3, cols, 0.5, 1))];
    const [meanBefore, varianceBefore] = [mean.floats(), variance.floats()];
    batchNorm(tensor(values, [rows, cols]), ones([cols]), zeros([cols]), mean, variance, {
      training: true,
      momentum: 0.3,
    });
    const batch = columnStatistics(values, cols);
    const moved = (before: Float32Array, now: Float64Array) => now.map((value, c) => 0.7 * before[c]! + 0.3 * value);
    expect(relativeError(mean.floats(), moved(meanBefore, batch.mean))).toBeLessThan(1e-6);
    const unbiased = batch.variance.map((v) => (v * rows) / (rows - 1));
    expect(relativeError(variance.floats(), moved(varianceBefore, unbiased))).toBeLessThan(1e-6);
  });
});

test('evaluation leaves the running statistics as they are', () => {
  scope(() => {
    const [mean, variance] = [tensor([1, 2]), tensor([3, 4])];
    batchNorm(ones([4, 2]), ones([2]), zeros([2]), mean, variance, { training: false });
    expect([mean.toArray(), variance.toArray()]).toEqual([
      [1, 2],
      [3, 4],
    ]);
  });
});

test('the fused GELU has the values of the separate one', () => {
  scope(() =>
    noGrad(() => {
      const x = tensor(uniform(1, 99), [11, 9]);
      expect(relativeError(normed(x, { gelu: true }, 9).floats(), gelu(normed(x, {}, 9)).floats())).toBeLessThan(1e-7);
    }),
  );
});

test('statistics of many rows around a large mean keep their digits', () => {
  scope(() => {
    const [rows, cols] = [40000, 3];
    const values = uniform(1, rows * cols, 1, 50);
    const [mean, variance] = [zeros([cols]), zeros([cols])];
    const x = tensor(values, [rows, cols]);
    const y = batchNorm(x, ones([cols]), zeros([cols]), mean, variance, { training: true, momentum: 1, eps: 0 });
    const batch = columnStatistics(values, cols);
    expect(relativeError(mean.floats(), batch.mean)).toBeLessThan(1.2e-7);
    expect(
      relativeError(
        variance.floats(),
        batch.variance.map((v) => (v * rows) / (rows - 1)),
      ),
    ).toBeLessThan(1e-6);
    const expected = Float64Array.from(
      values,
      (v, i) => (v - batch.mean[i % cols]!) / Math.sqrt(batch.variance[i % cols]!),
    );
    expect(relativeError(y.floats(), expected)).toBeLessThan(1e-5);
  });
});

test('the gradient of gamma over many rows around a large mean keeps its digits', () => {
  scope(() => {
    const [rows, cols] = [40000, 3];
    const [values, gy] = [uniform(1, rows * cols, 1, 50), uniform(2, rows * cols, 1, 0.5)];
    const gamma = tensor(uniform(3, cols, 0.2, 1), [cols], { requiresGrad: true });
    const statistics = [zeros([cols]), zeros([cols])] as const;
    const y = batchNorm(tensor(values, [rows, cols]), gamma, zeros([cols]), ...statistics, { training: true, eps: 0 });
    backward(y, tensor(gy, [rows, cols]));
    const { mean, variance } = columnStatistics(values, cols);
    const expected = new Float64Array(cols);
    values.forEach((v, i) => {
      const c = i % cols;
      expected[c]! += (gy[i]! * (v - mean[c]!)) / Math.sqrt(variance[c]!);
    });
    expect(relativeError(gamma.grad!.floats(), expected)).toBeLessThan(1e-5);
    gamma.grad!.dispose();
  });
});
