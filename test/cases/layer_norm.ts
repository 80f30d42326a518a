import { layerNorm } from '../../src/ops/layer_norm';
import { array64, type Array64, type OpCase } from './case';

function oracle({ x, gamma, beta }: Record<string, Array64>): Array64 {
  const cols = gamma!.data.length;
  const statistics = (row: number) => {
    const values = x!.data.subarray(row * cols, (row + 1) * cols);
    const mean = values.reduce((a, b) => a + b, 0) / cols;
    return { mean, rstd: 1 / Math.sqrt(values.reduce((a, b) => a + (b - mean) ** 2, 0) / cols + 1e-5) };
  };
  const rows = Array.from({ length: x!.data.length / cols }, (_, row) => statistics(row));
  return array64(x!.shape, (i) => {
    const { mean, rstd } = rows[Math.floor(i / cols)]!;
    return (x!.data[i]! - mean) * rstd * gamma!.data[i % cols]! + beta!.data[i % cols]!;
  });
}

function layerNormCase(shape: readonly number[], offset = 0): OpCase {
  const cols = shape[shape.length - 1]!;
  return {
    name: `[${shape.join(', ')}]${offset ? ` around ${offset}` : ''}`,
    inputs: { x: { shape, offset }, gamma: { shape: [cols], scale: 0.2, offset: 1 }, beta: { shape: [cols] } },
    forward: ({ x, gamma, beta }) => layerNorm(x!, gamma!, beta!),
    oracle,
  };
}

/** Ragged widths, one row, many rows, and a mean far from zero (where a naive variance loses its digits). */
export const layerNormCases = [
  layerNormCase([1, 5]),
  layerNormCase([7, 3]),
  layerNormCase([3, 5, 17]),
  layerNormCase([2, 84]),
  layerNormCase([5, 112]),
  layerNormCase([70, 9]),
  { ...layerNormCase([4, 33], 20), tolerance: { forward: 3e-5, gradient: 1e-4 } },
];
