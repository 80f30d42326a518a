import { backward } from '../../src/core/autograd';
import { ones, tensor } from '../../src/core/tensor';
import { scope } from '../../src/core/scope';
import { argmax, eq, gt, maskedFill, maximum, minimum, ne, sum, where } from '../../src/ops';
import { compareCases, whereCases } from '../../src/bench/op_cases/arithmetic';
import { runCases } from '../support/run_cases';

runCases('compare', [...compareCases, ...whereCases]);

test('the operand that is not chosen does not matter, nor does its slope', () => {
  scope(() => {
    const [a, b] = [[1, Infinity], [NaN, 2]].map((v) => tensor(v, [2], { requiresGrad: true })); // prettier-ignore
    const y = where(tensor([1, 0]), a!, b!);
    expect([...y.floats()]).toEqual([1, 2]);
    backward(sum(y));
    expect([[...a!.grad!.floats()], [...b!.grad!.floats()]]).toEqual([[1, 0], [0, 1]]); // prettier-ignore
    expect([...maskedFill(a!, gt(a!, 1), -1).floats()]).toEqual([1, -1]);
  });
});

test('equals share the gradient of a maximum; NaN propagates', () => {
  scope(() => {
    const a = tensor([1, 2, 3], [3], { requiresGrad: true });
    backward(maximum(a, 2), ones([3]));
    expect([...a.grad!.floats()]).toEqual([0, 0.5, 1]);
    expect([...minimum(tensor([NaN, 1]), tensor([1, NaN])).floats()]).toEqual([NaN, NaN]);
    expect([...maximum(tensor([NaN, 1]), tensor([1, NaN])).floats()]).toEqual([NaN, NaN]);
  });
});

test('comparisons have no gradient and take integers: the accuracy of class scores', () => {
  scope(() => {
    const scores = tensor([[0, 2, 1], [3, 0, 0]], undefined, { requiresGrad: true }); // prettier-ignore
    const right = eq(argmax(scores, -1), tensor(Int32Array.of(1, 2)));
    expect([right.requiresGrad, [...right.floats()]]).toEqual([false, [1, 0]]);
    expect([...ne(scores, 0).floats()]).toEqual([0, 1, 1, 1, 0, 0]);
    expect([...eq(tensor([NaN]), tensor([NaN])).floats()]).toEqual([0]);
  });
});
