import { batchNorm } from '../../ops/batch_norm';
import { array64, type Array64, type OpCase } from './case';
import { gelu64 } from './float64';

/** Mean and biased variance of each column of x[rows, cols]. */
export function columnStatistics(x: ArrayLike<number>, cols: number): { mean: Float64Array; variance: Float64Array } {
  const rows = x.length / cols;
  const sum = (at: (value: number, column: number) => number): Float64Array => {
    const sums = new Float64Array(cols);
    for (let i = 0; i < x.length; i++) sums[i % cols]! += at(x[i]!, i % cols);
    return sums.map((s) => s / rows);
  };
  const mean = sum((value) => value);
  return { mean, variance: sum((value, column) => (value - mean[column]!) ** 2) };
}

export interface BatchNormTerms {
  training: boolean;
  gelu: boolean;
  eps: number;
}

/** BatchNorm of x with batch or running statistics. */
export function batchNorm64(
  { x, gamma, beta, runningMean, runningVar }: Record<string, Array64>,
  options: BatchNormTerms,
): Array64 {
  const cols = gamma!.data.length;
  const { mean, variance } = options.training
    ? columnStatistics(x!.data, cols)
    : { mean: runningMean!.data, variance: runningVar!.data };
  return array64(x!.shape, (i) => {
    const c = i % cols;
    const z = ((x!.data[i]! - mean[c]!) / Math.sqrt(variance[c]! + options.eps)) * gamma!.data[c]! + beta!.data[c]!;
    return options.gelu ? gelu64(z) : z;
  });
}

/** Creates a case. */
export function batchNormCase(
  shape: readonly number[],
  changes: Partial<BatchNormTerms> & { offset?: number },
): OpCase {
  const { offset = 0, ...options } = changes;
  const settings = { training: true, gelu: false, eps: 1e-5, ...options };
  const c = [shape[shape.length - 1]!];
  const words = [settings.training ? 'training' : 'evaluation', ...(settings.gelu ? ['gelu'] : [])];
  return {
    name: `[${shape.join(', ')}] ${words.join(', ')}${offset ? ` around ${offset}` : ''}, eps ${settings.eps}`,
    inputs: {
      x: { shape, offset },
      gamma: { shape: c, scale: 0.2, offset: 1 },
      beta: { shape: c },
      runningMean: { shape: c, grad: false, updated: settings.training },
      runningVar: { shape: c, scale: 0.4, offset: 0.6, grad: false, updated: settings.training },
    },
    forward: ({ x, gamma, beta, runningMean, runningVar }) =>
      batchNorm(x!, gamma!, beta!, runningMean!, runningVar!, settings),
    oracle: (inputs) => batchNorm64(inputs, settings),
  };
}

/** Two rows and many, odd widths, a mean far from zero (where a naive variance cancels), both modes, with GELU. */
export const batchNormCases = [
  batchNormCase([3, 5], {}),
  batchNormCase([2, 2, 2, 2, 17], {}),
  batchNormCase([2, 3, 33], { training: false }),
  batchNormCase([1, 4], { training: false, gelu: true }),
  batchNormCase([5, 3, 16], { gelu: true, eps: 1e-3 }),
  batchNormCase([300, 3], { gelu: true }),
  { ...batchNormCase([70, 5], { offset: 20 }), tolerance: { forward: 3e-6, gradient: 3e-5 } },
];
