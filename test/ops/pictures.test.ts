import { scope } from '../../src/core/scope';
import { ones, zeros } from '../../src/core/tensor';
import { conv2d, groupNorm, maxPool2d } from '../../src/ops';
import { pictureCases } from '../../src/bench/op_cases/pictures';
import { runCases } from '../support/run_cases';

runCases('pictures', pictureCases);

test.each([
  [() => conv2d(zeros([3, 4, 4]), zeros([1, 3, 3, 3]), null), 'conv2d: x must be [B, C, H, W], got shape [3, 4, 4]'],
  [() => conv2d(zeros([1, 2, 4, 4]), zeros([1, 3, 3, 3]), null), 'the weight takes 3 channels'],
  [() => maxPool2d(zeros([1, 1, 2, 2]), 3), 'maxPool2d: a window of [3, 3] does not fit an input of [2, 2]'],
  [
    () => maxPool2d(zeros([1, 1, 2, 2]), 2, { padding: 2 }),
    'maxPool2d: padding must be a whole number from 0 to 1, got 2',
  ],
  [() => groupNorm(ones([2, 3]), 2, ones([3]), ones([3])), 'groupNorm: 3 channels do not divide into 2 groups'],
])('%s is refused', (call, message) => {
  scope(() => expect(call).toThrow(message));
});
