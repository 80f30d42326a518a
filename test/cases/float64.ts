import { erf64 } from '../support/erf';
import type { Array64 } from './case';

/** The exact GELU. */
export const gelu64 = (v: number): number => 0.5 * v * (1 + erf64(v / Math.SQRT2));

/** LayerNorm over the last dimension, eps 1e-5. */
export function layerNorm64(x: Array64, gamma: Array64, beta: Array64): Float64Array {
  const cols = gamma.data.length;
  const statistics = Array.from({ length: x.data.length / cols }, (_, row) => {
    const values = x.data.subarray(row * cols, (row + 1) * cols);
    const mean = values.reduce((a, b) => a + b, 0) / cols;
    return { mean, rstd: 1 / Math.sqrt(values.reduce((a, b) => a + (b - mean) ** 2, 0) / cols + 1e-5) };
  });
  return x.data.map((value, i) => {
    const { mean, rstd } = statistics[Math.floor(i / cols)]!;
    return (value - mean) * rstd * gamma.data[i % cols]! + beta.data[i % cols]!;
  });
}

/** y = x weightᵀ + bias; x is [rows, k] whatever its shape. */
export function linear64(x: Float64Array, weight: Array64, bias: Array64 | undefined): Float64Array {
  const [n, k] = weight.shape as [number, number];
  return Float64Array.from({ length: (x.length / k) * n }, (_, i) => {
    const [row, column] = [Math.floor(i / n), i % n];
    let sum = bias?.data[column] ?? 0;
    for (let j = 0; j < k; j++) sum += x[row * k + j]! * weight.data[column * k + j]!;
    return sum;
  });
}
