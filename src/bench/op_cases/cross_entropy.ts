import { crossEntropy, softCrossEntropy } from '../../ops/cross_entropy';
import { array64, type Array64, type OpCase } from './case';

/** The mean over rows of -sum(target * log softmax(logits)). */
function oracle(logits: Array64, target: (row: number, column: number) => number): Array64 {
  const [rows, classes] = logits.shape as [number, number];
  let loss = 0;
  for (let row = 0; row < rows; row++) {
    const values = logits.data.subarray(row * classes, (row + 1) * classes);
    const largest = Math.max(...values);
    const logSum = largest + Math.log(values.reduce((sum, v) => sum + Math.exp(v - largest), 0));
    values.forEach((v, column) => (loss -= target(row, column) * (v - logSum)));
  }
  return array64([], () => loss / rows);
}

function softCase(rows: number, classes: number, scale = 3): OpCase {
  return {
    name: `soft targets [${rows}, ${classes}], logits up to ${scale}`,
    inputs: {
      logits: { shape: [rows, classes], scale },
      targets: { shape: [rows, classes], scale: 0.5, offset: 0.5, grad: false },
    },
    forward: ({ logits, targets }) => softCrossEntropy(logits!, targets!),
    oracle: ({ logits, targets }) => oracle(logits!, (row, column) => targets!.data[row * classes + column]!),
  };
}

function hardCase(labels: readonly number[], classes: number, labelSmoothing?: number): OpCase {
  const smooth = labelSmoothing ?? 0;
  return {
    name: `labels ${labels.join(' ')} of ${classes}${smooth ? `, smoothing ${smooth}` : ''}`,
    inputs: {
      logits: { shape: [labels.length, classes], scale: 3 },
      labels: { shape: [labels.length], values: labels, dtype: 'i32' },
    },
    forward: ({ logits, labels }) =>
      labelSmoothing === undefined
        ? crossEntropy(logits!, labels!)
        : crossEntropy(logits!, labels!, { labelSmoothing }),
    oracle: ({ logits, labels }) =>
      oracle(logits!, (row, column) => smooth / classes + (labels!.data[row] === column ? 1 - smooth : 0)),
  };
}

/** Rows that do not sum to 1, logits that overflow exp, one class, first and last label, full smoothing. */
export const crossEntropyCases = [
  softCase(1, 2),
  softCase(3, 17),
  softCase(5, 40),
  { ...softCase(2, 9, 200), tolerance: { gradient: 3e-5 } },
  hardCase([0, 4, 2], 5),
  hardCase([0], 1),
  hardCase([33, 0], 34, 0.1),
  hardCase([1, 2], 7, 1),
];
