import { backward } from '../../src/core/autograd';
import { scope } from '../../src/core/scope';
import { ones, tensor, zeros } from '../../src/core/tensor';
import * as ops from '../../src/ops';
import { lossCases } from '../../src/bench/op_cases/losses';
import { runCases } from '../support/run_cases';

runCases('losses', lossCases);

test('large logits stay finite, and certain targets have no logarithm of 0', () => {
  scope(() => {
    const z = tensor([1000, -1000], [2], { requiresGrad: true });
    const loss = ops.bceWithLogits(z, tensor([0, 1]), { reduction: 'none' });
    expect([...loss.floats()]).toEqual([1000, 1000]);
    backward(loss, ones([2]));
    expect([...z.grad!.floats()]).toEqual([1, -1]);
    expect([...ops.focalLoss(z, tensor([0, 1]), { reduction: 'none' }).floats()]).toEqual([750, 250]);
    const certain = tensor([0, 1], [2], { requiresGrad: true });
    const kl = ops.klDiv(tensor([-3, -1]), certain, { reduction: 'batchMean' });
    expect(kl.item()).toBe(0.5);
    backward(kl);
    expect([...certain.grad!.floats()].every(Number.isFinite)).toBe(true);
  });
});

test('a triplet whose anchor is its positive has a gradient', () => {
  scope(() => {
    const a = tensor([[1, 2]], undefined, { requiresGrad: true });
    backward(ops.tripletMarginLoss(a, a.detach(), zeros([1, 2]), { margin: 9 }));
    expect([...a.grad!.floats()].every(Number.isFinite)).toBe(true);
  });
});

test('ignored labels: all, and the default of PyTorch', () => {
  scope(() => {
    const logits = tensor([[1, 2], [3, 4]]); // prettier-ignore
    const one = ops.crossEntropy(logits, tensor(Int32Array.of(0, -100)));
    expect(one.item()).toBeCloseTo(Math.log(1 + Math.E), 6);
    expect(ops.crossEntropy(logits, tensor(Int32Array.of(-100, -100))).item()).toBeNaN();
    expect(ops.crossEntropy(logits, tensor(Int32Array.of(-100, -100)), { reduction: 'sum' }).item()).toBe(0);
  });
});

test.each([
  [() => ops.mseLoss(ones([2]), ones([3])), 'mseLoss: target must have shape [2], got [3]'],
  [
    () => ops.mseLoss(ones([2]), ones([2]), { reduction: 'avg' as 'mean' }),
    'mseLoss: reduction must be mean, sum or none, got avg',
  ],
  [() => ops.smoothL1Loss(ones([2]), ones([2]), { beta: 0 }), 'smoothL1Loss: beta must be above 0, got 0'],
  [
    () => ops.crossEntropy(ones([1, 2]), tensor(Int32Array.of(-1))),
    'crossEntropy: label -1 at position 0 is outside 0 to 1',
  ],
  [
    () => ops.crossEntropy(ones([1, 2]), tensor(Int32Array.of(0)), { weight: ones([3]) }),
    'crossEntropy: weight must have shape [2], got [3]',
  ],
  [
    () => ops.crossEntropy(ones([1, 2]), tensor(Int32Array.of(0)), { reduction: 'max' as 'mean' }),
    'crossEntropy: reduction must be mean, sum or none, got max',
  ],
  [
    () => ops.focalLoss(ones([2]), ones([2]), { gamma: -1 }),
    'focalLoss: alpha must be at most 1 and gamma 0 or more, got 0.25 and -1',
  ],
])('%s is refused', (call, message) => {
  scope(() => expect(call).toThrow(message));
});
