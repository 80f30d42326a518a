import type { Tensor } from '../../core/tensor';
import * as ops from '../../ops';
import type { CrossEntropyOptions, Reduction } from '../../ops';
import type { Array64, Input, OpCase } from './case';
import { softmax64 } from './float64';

type Element = (x: Record<string, number>) => number;
type Inputs = Record<string, Input>;
type Loss = (t: Record<string, Tensor>, reduction: Reduction) => Tensor;

const joined = (each: Float64Array, reduction: Reduction, shape: readonly number[]): Array64 => {
  if (reduction === 'none') return { shape, data: each };
  const total = each.reduce((a, b) => a + b, 0);
  return { shape: [], data: Float64Array.of(reduction === 'mean' ? total / each.length : total) };
};

/** A loss of elements, in float64 from the elements of the inputs. */
const elementLoss = (name: string, reduction: Reduction, inputs: Inputs, loss: Loss, of: Element): OpCase => ({
  name: `${name}, ${reduction}`,
  inputs,
  forward: (t) => loss(t, reduction),
  oracle: (x) => {
    const [first] = Object.values(x);
    const at = (i: number) => Object.fromEntries(Object.entries(x).map(([k, { data }]) => [k, data[i]!]));
    return joined(first!.data.map((_, i) => of(at(i))), reduction, first!.shape); // prettier-ignore
  },
});

const pair: Inputs = { x: { shape: [3, 5], scale: 3 }, target: { shape: [3, 5] } };
const shares: Input = { shape: [3, 5], scale: 0.4, offset: 0.5 };
const labels: Input = { shape: [3, 5], values: [0, 1, 1, 0, 1, 1, 0, 0, 0, 1, 0, 1, 0, 1, 1], grad: false };
const sigmoid = (z: number) => 1 / (1 + Math.exp(-z));
const bce = (z: number, t: number, positive = 1) =>
  -(positive * t * Math.log(sigmoid(z)) + (1 - t) * Math.log(sigmoid(-z)));
const smooth = (d: number, beta: number) => (d < beta ? (d * d) / (2 * beta) : d - beta / 2);
const focal = (z: number, t: number, alpha: number, gamma: number) => {
  const p = t ? sigmoid(z) : sigmoid(-z);
  return (alpha < 0 ? 1 : t ? alpha : 1 - alpha) * (1 - p) ** gamma * -Math.log(p);
};

const ELEMENTS = (reduction: Reduction): OpCase[] => [
  elementLoss('mse', reduction, pair, ({ x, target }, reduction) => ops.mseLoss(x!, target!, { reduction }), ({ x, target }) => (x! - target!) ** 2), // prettier-ignore
  elementLoss('l1', reduction, pair, ({ x, target }, reduction) => ops.l1Loss(x!, target!, { reduction }), ({ x, target }) => Math.abs(x! - target!)), // prettier-ignore
  elementLoss('smooth l1', reduction, pair, ({ x, target }, reduction) => ops.smoothL1Loss(x!, target!, { beta: 0.5, reduction }), ({ x, target }) => smooth(Math.abs(x! - target!), 0.5)), // prettier-ignore
  elementLoss('bce', reduction, { z: { shape: [3, 5], scale: 9 }, t: shares }, ({ z, t }, reduction) => ops.bceWithLogits(z!, t!, { reduction }), ({ z, t }) => bce(z!, t!)), // prettier-ignore
  elementLoss('focal', reduction, { z: { shape: [3, 5], scale: 4 }, t: labels }, ({ z, t }, reduction) => ops.focalLoss(z!, t!, { reduction }), ({ z, t }) => focal(z!, t!, 0.25, 2)), // prettier-ignore
  elementLoss('focal without balance', reduction, { z: { shape: [3, 5], scale: 4 }, t: labels }, ({ z, t }, reduction) => ops.focalLoss(z!, t!, { alpha: -1, gamma: 1.5, reduction }), ({ z, t }) => focal(z!, t!, -1, 1.5)), // prettier-ignore
  elementLoss('kl', reduction, { x: { shape: [3, 5] }, t: shares }, ({ x, t }, reduction) => ops.klDiv(x!, t!, { reduction }), ({ x, t }) => t! * (Math.log(t!) - x!)), // prettier-ignore
  elementLoss('kl of logarithms', reduction, { x: { shape: [3, 5] }, t: { shape: [3, 5] } }, ({ x, t }, reduction) => ops.klDiv(x!, t!, { logTarget: true, reduction }), ({ x, t }) => Math.exp(t!) * (t! - x!)), // prettier-ignore
];

const weighted: OpCase = {
  name: 'bce with weights of elements and of positives',
  inputs: {
    z: { shape: [3, 5], scale: 4 },
    t: labels,
    w: { shape: [3, 1], values: [1, 0.5, 2], grad: false },
    positive: { shape: [5], values: [1, 2, 3, 0.5, 0.25], grad: false },
  },
  forward: ({ z, t, w, positive }) => ops.bceWithLogits(z!, t!, { weight: w!, posWeight: positive! }),
  oracle: ({ z, t, w, positive }) => {
    const each = z!.data.map((v, i) => w!.data[Math.floor(i / 5)]! * bce(v, t!.data[i]!, positive!.data[i % 5]));
    return joined(each, 'mean', []);
  },
};

const triplet = (p: number, margin: number): OpCase => ({
  name: `triplet of order ${p} with a margin of ${margin}`,
  inputs: { a: { shape: [4, 3] }, b: { shape: [4, 3] }, c: { shape: [4, 3] } },
  forward: ({ a, b, c }) => ops.tripletMarginLoss(a!, b!, c!, { p, margin, reduction: 'none' }),
  oracle: ({ a, b, c }) => {
    const distance = (other: Array64, row: number) => {
      const each = [0, 1, 2].map((j) => Math.abs(a!.data[row * 3 + j]! - other.data[row * 3 + j]! + 1e-6) ** p);
      return each.reduce((x, y) => x + y) ** (1 / p);
    };
    const each = [0, 1, 2, 3].map((row) => Math.max(0, distance(b!, row) - distance(c!, row) + margin));
    return { shape: [4], data: Float64Array.from(each) };
  },
});

const CLASSES = 4;
const LABELS = [2, 0, -1, 3, 1];

/** PyTorch's definition, term by term. */
function crossEntropy64(logits: Float64Array, { weight, labelSmoothing = 0, ignoreIndex, reduction }: CaseOptions) {
  const w = weight ?? [1, 1, 1, 1];
  const each = LABELS.map((label, i) => {
    if (label === ignoreIndex) return 0;
    const log = softmax64(logits.slice(i * CLASSES, (i + 1) * CLASSES), CLASSES).map(Math.log);
    const smooth = log.reduce((sum, v, c) => sum - w[c]! * v, 0) / CLASSES;
    return -(1 - labelSmoothing) * w[label]! * log[label]! + labelSmoothing * smooth;
  });
  const divisor = LABELS.reduce((sum, label) => sum + (label === ignoreIndex ? 0 : w[label]!), 0);
  const total = each.reduce((a, b) => a + b);
  if (reduction === 'none') return { shape: [5], data: Float64Array.from(each) };
  return { shape: [], data: Float64Array.of(reduction === 'sum' ? total : total / divisor) };
}

interface CaseOptions extends Omit<CrossEntropyOptions, 'weight'> {
  weight?: number[];
}

const crossEntropyCase = (options: CaseOptions): OpCase => ({
  name: `cross entropy with ${JSON.stringify(options)}`,
  inputs: {
    logits: { shape: [5, CLASSES], scale: 3 },
    labels: { shape: [5], dtype: 'i32', values: LABELS },
    w: { shape: [CLASSES], values: options.weight ?? [1, 1, 1, 1], grad: false },
  },
  forward: ({ logits, labels, w }) => {
    const { weight, ...rest } = options;
    return ops.crossEntropy(logits!, labels!, weight ? { ...rest, weight: w! } : rest);
  },
  oracle: ({ logits }) => crossEntropy64(logits!.data, options),
});

/** Every loss with every reduction, weights, and the options of cross entropy alone and together. */
export const lossCases: OpCase[] = [
  ...(['mean', 'sum', 'none'] as const).flatMap(ELEMENTS),
  weighted,
  triplet(2, 1),
  triplet(1, 0.1),
  ...(['mean', 'sum', 'none'] as const).flatMap((reduction) => [
    crossEntropyCase({ ignoreIndex: -1, reduction }),
    crossEntropyCase({ ignoreIndex: -1, reduction, weight: [0.5, 2, 1, 3] }),
    crossEntropyCase({ ignoreIndex: -1, reduction, weight: [0.5, 2, 1, 3], labelSmoothing: 0.2 }),
  ]),
];
