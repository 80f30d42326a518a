import { noGrad } from '../../src/core/autograd';
import { convNormCases } from '../../src/bench/op_cases/conv_norm';
import { columnStatistics } from '../../src/bench/op_cases/batch_norm';
import { relativeError } from '../../src/bench/op_cases/compare';
import { uniform } from '../../src/bench/op_cases/random';
import { batchNorm } from '../../src/ops/batch_norm';
import { conv3d } from '../../src/ops/conv3d';
import { convNorm, type ConvNormParameters } from '../../src/ops/conv_norm';
import { setThreads, threads } from '../../src/core/runtime';
import { scope } from '../../src/core/scope';
import { ones, tensor, zeros, type Tensor } from '../../src/core/tensor';
import { runCases } from '../support/run_cases';

runCases('convNorm', convNormCases);

const half = { stride: [1, 2, 2], padding: [0, 1, 1], input: 'NTHWC' } as const;
const [ins, outs] = [5, 130];

/** Operands of a convolution with more positions and outputs than a tile of any product has, its results around `offset`. */
function operands(offset: number): { x: Tensor; p: ConvNormParameters } {
  const x = tensor(uniform(1, 2 * 3 * 13 * 15 * ins), [2, 3, 13, 15, ins]);
  return {
    x,
    p: {
      weight: tensor(uniform(2, outs * ins * 9, 0.2), [outs, ins, 1, 3, 3]),
      bias: tensor(uniform(3, outs, 1, offset)),
      gamma: tensor(uniform(4, outs, 0.2, 1)),
      beta: tensor(uniform(5, outs)),
      runningMean: tensor(uniform(6, outs)),
      runningVar: tensor(uniform(7, outs, 0.4, 0.6)),
    },
  };
}

test.each([0, 50])('over many tiles around %d: y and the running statistics agree with float64', (offset) => {
  scope(() => {
    const { x, p } = operands(offset);
    const [meanBefore, varBefore] = [p.runningMean.floats(), p.runningVar.floats()];
    const u = conv3d(x, p.weight, p.bias, half).floats();
    const y = convNorm(x, p, half, { training: true, momentum: 0.3, eps: 0 });
    const { mean, variance } = columnStatistics(u, outs);
    const rows = u.length / outs;
    const moved = (before: Float32Array, now: Float64Array) => now.map((value, c) => 0.7 * before[c]! + 0.3 * value);
    expect(relativeError(p.runningMean.floats(), moved(meanBefore, mean))).toBeLessThan(3e-7);
    const unbiased = variance.map((v) => (v * rows) / (rows - 1));
    expect(relativeError(p.runningVar.floats(), moved(varBefore, unbiased))).toBeLessThan(3e-6);
    const [gamma, beta] = [p.gamma.floats(), p.beta.floats()];
    const expected = Float64Array.from(u, (value, i) => {
      const c = i % outs;
      return ((value - mean[c]!) / Math.sqrt(variance[c]!)) * gamma[c]! + beta[c]!;
    });
    expect(relativeError(y.floats(), expected)).toBeLessThan(offset ? 1e-5 : 1e-6);
  });
});

test.each([true, false])('training %s: with a backward or without, it is batchNorm of conv3d', (training) => {
  scope(() => {
    const run = (f: (operand: ReturnType<typeof operands>) => Tensor): Float32Array => f(operands(1)).floats();
    const one = ({ x, p }: ReturnType<typeof operands>) => convNorm(x, p, half, { training, gelu: true });
    const kept = run(({ x, p }) =>
      one({ x, p: { ...p, gamma: tensor(p.gamma.floats(), [outs], { requiresGrad: true }) } }),
    );
    const both = run(({ x, p }) => {
      const { gamma, beta, runningMean, runningVar } = p;
      const u = conv3d(x, p.weight, p.bias, half);
      return batchNorm(u, gamma, beta, runningMean, runningVar, { training, gelu: true });
    });
    expect(
      relativeError(
        noGrad(() => run(one)),
        both,
      ),
    ).toBeLessThan(1e-6);
    expect(relativeError(kept, both)).toBeLessThan(1e-6);
  });
});

test('evaluation leaves the running statistics as they are', () => {
  scope(() => {
    const { x, p } = operands(0);
    const before = [p.runningMean, p.runningVar].map((t) => t.floats());
    convNorm(x, p, half, { training: false });
    expect([p.runningMean, p.runningVar].map((t) => t.floats())).toEqual(before);
  });
});

test('the bits do not depend on the number of threads', () => {
  const before = threads();
  const results = () =>
    scope(() => {
      const { x, p } = operands(1);
      return [true, false].map((training) => convNorm(x, p, half, { training, gelu: true }).floats());
    });
  try {
    setThreads(1);
    const expected = results();
    for (const count of [2, 5]) {
      setThreads(count);
      expect(results()).toEqual(expected);
    }
  } finally {
    setThreads(before);
  }
});

const small = (changes: Partial<ConvNormParameters> = {}, c = 2) => {
  const p = { weight: ones([c, 1, 1, 3, 3]), bias: null, gamma: ones([c]), beta: zeros([c]) };
  return { ...p, runningMean: zeros([c]), runningVar: ones([c]), ...changes };
};
test.each([
  [
    'gamma of another width',
    () => convNorm(ones([1, 1, 3, 3, 1]), small({ gamma: ones([3]) }), half, { training: true }),
    'gamma must have shape [2], got [3]',
  ],
  [
    'one value a channel',
    () => convNorm(ones([1, 1, 1, 1, 1]), small(), half, { training: true }),
    'training needs more than one value a channel, got shape [1, 1, 1, 1, 2]',
  ],
  [
    'other channels',
    () => convNorm(ones([1, 1, 3, 3, 4]), small(), half, { training: true }),
    'the weight takes 1 channels, x of shape [1, 1, 3, 3, 4] (NTHWC) has 4',
  ],
  [
    'integers',
    () => convNorm(tensor(new Int32Array(9), [1, 1, 3, 3, 1]), small(), half, { training: true }),
    'convNorm: x must be f32, got i32',
  ],
])('%s: refused with what was expected and what came', (_, run, message) => {
  scope(() => expect(run).toThrow(message));
});
