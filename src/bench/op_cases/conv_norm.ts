import { convNorm } from '../../ops/conv_norm';
import { batchNorm64, type BatchNormTerms } from './batch_norm';
import type { OpCase } from './case';
import { conv3d64, conv3dCase } from './conv3d';

interface Terms extends BatchNormTerms {
  /** Offset of the convolution's bias. */
  offset: number;
}

/**
 * Creates a case. The bias gradient is checked only in evaluation mode: in training BatchNorm subtracts the channel mean, so the exact
 * gradient is zero.
 */
export function convNormCase(
  { x, weight, bias = true, grad = true, ...options }: Parameters<typeof conv3dCase>[0],
  changes: Partial<Terms>,
): OpCase {
  const { offset, ...terms } = { training: true, gelu: false, eps: 1e-3, offset: 0, ...changes };
  const { inputs, name } = conv3dCase({ x, weight, bias, grad, ...options });
  const c = [weight[0]!];
  const words = [terms.training ? 'training' : 'evaluation', ...(terms.gelu ? ['gelu'] : [])];
  return {
    name: `${name}, ${words.join(', ')}${offset ? ` around ${offset}` : ''}`,
    inputs: {
      ...inputs,
      ...(inputs.bias ? { bias: { ...inputs.bias, offset, grad: !terms.training } } : {}),
      gamma: { shape: c, scale: 0.2, offset: 1 },
      beta: { shape: c },
      runningMean: { shape: c, grad: false, updated: terms.training },
      runningVar: { shape: c, scale: 0.4, offset: 0.6, grad: false, updated: terms.training },
    },
    forward: ({ x, weight, bias = null, gamma, beta, runningMean, runningVar }) =>
      convNorm(
        x!,
        { weight: weight!, bias, gamma: gamma!, beta: beta!, runningMean: runningMean!, runningVar: runningVar! },
        options,
        terms,
      ),
    oracle: (inputs) => batchNorm64({ ...inputs, x: conv3d64(inputs, options) }, terms),
  };
}

const stem = { stride: [2, 2, 2], padding: [1, 1, 1], input: 'NCTHW' } as const;
const half = { stride: [1, 2, 2], padding: [0, 1, 1], input: 'NTHWC' } as const;

/** The stem's two convolutions at odd sizes in both modes; groups; a mean far from zero; more positions than a GEMM tile. */
export const convNormCases = [
  convNormCase({ x: [2, 3, 4, 5, 6], weight: [5, 3, 3, 3, 3], ...stem, grad: false }, { gelu: true }),
  convNormCase({ x: [1, 3, 3, 5, 4], weight: [6, 3, 3, 3, 3], ...stem }, { training: false, gelu: true }),
  convNormCase({ x: [2, 2, 5, 4, 3], weight: [7, 3, 1, 3, 3], ...half }, {}),
  convNormCase({ x: [2, 1, 4, 5, 8], weight: [16, 8, 1, 3, 3], ...half, bias: false }, { training: false }),
  convNormCase({ x: [1, 2, 5, 6, 4], weight: [6, 2, 1, 3, 3], ...half, groups: 2 }, { gelu: true }),
  convNormCase({ x: [1, 1, 4, 3, 4], weight: [6, 2, 1, 2, 2], ...half, groups: 2 }, { training: false, gelu: true }),
  {
    ...convNormCase({ x: [1, 2, 5, 6, 3], weight: [4, 3, 1, 3, 3], ...half }, { offset: 20 }),
    tolerance: { forward: 6e-6, gradient: 6e-5 },
  },
  convNormCase({ x: [1, 1, 17, 31, 1], weight: [3, 1, 1, 3, 3], ...half }, { gelu: true }),
];
