import { backward } from '../../src/core/autograd';
import { crossEntropy, oneHot, softCrossEntropy } from '../../src/ops/cross_entropy';
import { scope } from '../../src/core/scope';
import { ones, tensor, zeros } from '../../src/core/tensor';
import { crossEntropyCases } from '../../src/bench/op_cases/cross_entropy';
import { runCases } from '../support/run_cases';

runCases('crossEntropy', crossEntropyCases);

const labels = (...values: number[]) => tensor(Int32Array.from(values));

test.each([
  [
    'logits of one dimension',
    () => softCrossEntropy(zeros([3]), zeros([3])),
    'softCrossEntropy: logits must be [B, classes], got shape [3]',
  ],
  [
    'targets of another shape',
    () => softCrossEntropy(zeros([2, 3]), zeros([2, 4])),
    'softCrossEntropy: targets must have shape [2, 3], got [2, 4]',
  ],
  [
    'an empty batch',
    () => softCrossEntropy(zeros([0, 3]), zeros([0, 3])),
    'softCrossEntropy: logits are empty, shape [0, 3]',
  ],
  [
    'labels as targets',
    () => softCrossEntropy(zeros([1, 2]), labels(0, 1)),
    'softCrossEntropy: targets must be f32, got i32',
  ],
  [
    'targets that want a gradient',
    () => softCrossEntropy(zeros([1, 2]), ones([1, 2], { requiresGrad: true })),
    'softCrossEntropy: targets have no gradient, but require one: detach() them',
  ],
  ['fractional labels', () => crossEntropy(zeros([1, 2]), zeros([1])), 'crossEntropy: labels must be i32, got f32'],
  [
    'labels of another count',
    () => crossEntropy(zeros([2, 3]), labels(0)),
    'crossEntropy: labels must have shape [2], got [1]',
  ],
  [
    'a label beyond the classes',
    () => crossEntropy(zeros([2, 3]), labels(0, 3)),
    'crossEntropy: label 3 at position 1 is outside 0 to 2',
  ],
  [
    'a negative label',
    () => crossEntropy(zeros([1, 3]), labels(-1)),
    'crossEntropy: label -1 at position 0 is outside 0 to 2',
  ],
  [
    'too much smoothing',
    () => crossEntropy(zeros([1, 3]), labels(0), { labelSmoothing: 1.5 }),
    'crossEntropy: labelSmoothing must be in [0, 1], got 1.5',
  ],
  [
    'smoothing is NaN',
    () => crossEntropy(zeros([1, 3]), labels(0), { labelSmoothing: NaN }),
    'crossEntropy: labelSmoothing must be in [0, 1], got NaN',
  ],
])('%s: refused with what was expected and what came', (_, run, message) => {
  scope(() => expect(run).toThrow(message));
});

test('the gradient scales with that of the loss', () => {
  scope(() => {
    const logits = tensor([[0, 0]], undefined, { requiresGrad: true });
    backward(crossEntropy(logits, labels(1)), tensor([-6], []));
    expect(logits.grad?.toArray()).toEqual([[-3, 3]]);
    logits.grad?.dispose();
  });
});

test('a logit of minus infinity adds no loss unless its class is the label', () => {
  scope(() => {
    const logits = tensor([[0, -Infinity, 0]], undefined, { requiresGrad: true });
    const loss = crossEntropy(logits, labels(0));
    expect(loss.item()).toBeCloseTo(Math.log(2), 6);
    backward(loss);
    expect(logits.grad?.toArray()).toEqual([[-0.5, 0, 0.5]]);
    logits.grad?.dispose();
  });
});

test('a NaN in the logits reaches the loss', () => {
  scope(() => expect(crossEntropy(tensor([[NaN, 0, 1]]), labels(1)).item()).toBeNaN());
});

test('oneHot places the label and spreads the smoothing', () => {
  scope(() =>
    expect(oneHot([1, 0], 2, 0.5).toArray()).toEqual([
      [0.25, 0.75],
      [0.75, 0.25],
    ]),
  );
});
