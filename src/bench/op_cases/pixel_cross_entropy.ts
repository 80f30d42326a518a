import { pixelCrossEntropy } from '../../ops/pixel_cross_entropy';
import { array64, type Array64, type OpCase } from './case';
import { resized } from './resize';
import { tensor } from '../../core/tensor';

/** Sizes and labels of a case. */
interface PixelCase {
  /** [B, h, w, classes] */
  shape: readonly [number, number, number, number];
  size: readonly [number, number];
  /** Label of pixel i of all masks. */
  label: (i: number) => number;
  weighted?: boolean;
  scale?: number;
}

function oracle(logits: Array64, size: readonly [number, number], labels: Uint8Array, weights?: Array64): Array64 {
  const classes = logits.shape[3]!;
  const { data } = resized(logits, size, 'bilinear');
  let [loss, total] = [0, 0];
  labels.forEach((label, i) => {
    if (label >= classes) return;
    const row = data.subarray(i * classes, (i + 1) * classes);
    const largest = Math.max(...row);
    const logSum = largest + Math.log(row.reduce((sum, v) => sum + Math.exp(v - largest), 0));
    const weight = weights?.data[label] ?? 1;
    loss += weight * (logSum - row[label]!);
    total += weight;
  });
  return array64([], () => (total > 0 ? loss / total : 0));
}

/** Creates a case. */
export function pixelCrossEntropyCase(name: string, { shape, size, label, ...options }: PixelCase): OpCase {
  const [batch, , , classes] = shape;
  const labels = Uint8Array.from({ length: batch * size[0] * size[1] }, (_, i) => label(i));
  const weights = { shape: [classes], scale: 0.5, offset: 1, grad: false };
  return {
    name: `${name}: [${shape.join(', ')}] to ${size.join('×')}`,
    inputs: { logits: { shape, scale: options.scale ?? 3 }, ...(options.weighted ? { weights } : {}) },
    forward: ({ logits, weights }) =>
      pixelCrossEntropy(logits!, tensor(labels, [batch, ...size], { device: logits!.device }), weights).loss,
    oracle: ({ logits, weights }) => oracle(logits!, size, labels, weights),
  };
}

const mixed =
  (classes: number) =>
  (i: number): number =>
    i % 7 === 3 ? 255 : (i * 5) % classes;

/** Whole and odd ratios, ignored pixels, weights, one class, masks smaller than the logits, classes around a vector's width. */
export const pixelCrossEntropyCases: OpCase[] = [
  pixelCrossEntropyCase('four times larger', { shape: [2, 3, 2, 5], size: [12, 8], label: mixed(5) }),
  pixelCrossEntropyCase('weights', { shape: [1, 3, 4, 17], size: [7, 9], label: mixed(17), weighted: true }),
  pixelCrossEntropyCase('same size', { shape: [1, 4, 5, 3], size: [4, 5], label: (i) => i % 3 }),
  pixelCrossEntropyCase('smaller', { shape: [1, 6, 7, 4], size: [3, 2], label: mixed(4), weighted: true }),
  pixelCrossEntropyCase('one row', { shape: [1, 1, 5, 40], size: [4, 20], label: mixed(40) }),
  {
    ...pixelCrossEntropyCase('large logits', { shape: [1, 2, 2, 9], size: [8, 8], label: mixed(9), scale: 60 }),
    tolerance: { gradient: 3e-5 },
  },
];
