import { backward } from '../../src/core/autograd';
import { ones, tensor, zeros } from '../../src/core/tensor';
import { scope } from '../../src/core/scope';
import { argmax, cumsum, logsumexp, mean, min, norm, sum, variance } from '../../src/ops';
import { reduceCases, rowCases } from '../../src/bench/op_cases/reduce';
import { runCases } from '../support/run_cases';

runCases('reduce', reduceCases);
runCases('rows', rowCases);

test('dimensions alone, in an array and in options are the same', () => {
  scope(() => {
    const x = tensor([[1, 2], [3, 4]]); // prettier-ignore
    for (const axis of [1, -1, [1], { axis: 1 }]) {
      expect([...sum(x, axis).floats()]).toEqual([3, 7]);
      expect([...mean(x, axis).floats()]).toEqual([1.5, 3.5]);
    }
    expect(sum(x, [0, 1]).item()).toBe(10);
  });
});

test('argmax: rows, columns, everything, equals and NaN', () => {
  scope(() => {
    const x = tensor([[1, 7, 7], [NaN, 2, 9]]); // prettier-ignore
    expect([...argmax(x, 1).data()]).toEqual([1, 0]);
    expect([...argmax(x, 0).data()]).toEqual([1, 0, 1]);
    expect([argmax(x).item(), argmax(x).dtype, argmax(x).shape]).toEqual([3, 'i32', []]);
    expect(argmax(x, { axis: -1, keepDims: true }).shape).toEqual([2, 1]);
    expect(min(x, 1).toArray()).toEqual([1, NaN]);
  });
});

test('infinities in logsumexp, a norm of 0, and nothing to sum', () => {
  scope(() => {
    const x = tensor([[-Infinity, -Infinity], [Infinity, 0], [NaN, 0]]); // prettier-ignore
    expect([...logsumexp(x, 1).floats()]).toEqual([-Infinity, Infinity, NaN]);
    const zero = zeros([3], { requiresGrad: true });
    const y = norm(zero);
    backward(y);
    expect([y.item(), ...zero.grad!.floats()]).toEqual([0, 0, 0, 0]);
    expect(norm(zeros([0])).item()).toBe(0);
    expect(cumsum(zeros([2, 0]), 1).shape).toEqual([2, 0]);
  });
});

test('bad arguments are refused', () => {
  scope(() => {
    expect(() => variance(ones([1]))).toThrow('variance: expected more than 1 elements for each result, got shape [1]');
    expect(() => norm(ones([1]), { p: 0 })).toThrow('norm: p must be above 0 and finite, got 0');
    expect(() => cumsum(ones([1]), 1)).toThrow('cumsum: axis 1 is not a dimension of shape [1]');
    expect(() => argmax(zeros([2, 0]), 1)).toThrow('argmax: nothing to choose from in shape [2, 0]');
  });
});
