import { backward } from '../../src/core/autograd';
import { meanPool } from '../../src/ops/mean_pool';
import { scope } from '../../src/core/scope';
import { tensor, zeros } from '../../src/core/tensor';
import { meanPoolCases } from '../../src/bench/op_cases/mean_pool';
import { runCases } from '../support/run_cases';

runCases('meanPool', meanPoolCases);

test.each([
  ['nothing', () => meanPool([]), 'meanPool: expected 1 to 3 tensors, got 0'],
  ['one dimension', () => meanPool(zeros([3])), 'meanPool: expected [B, ..., C] with tokens, got [3]'],
  ['no tokens', () => meanPool(zeros([2, 0, 3])), 'meanPool: expected [B, ..., C] with tokens, got [2, 0, 3]'],
  [
    'unequal shapes',
    () => meanPool([zeros([2, 5, 3]), zeros([2, 3, 5])]),
    'meanPool: tensor 1 must have shape [2, 5, 3], got [2, 3, 5]',
  ],
  ['integers', () => meanPool(tensor(new Int32Array(4), [2, 2])), 'meanPool: tensor 0 must be f32, got i32'],
])('%s: refused with what was expected and what came', (_, run, message) => {
  scope(() => expect(run).toThrow(message));
});

test('a tensor listed twice counts twice, forward and backward', () => {
  scope(() => {
    const x = tensor([[[1], [2]]], undefined, { requiresGrad: true });
    const y = meanPool([x, x]);
    expect(y.toArray()).toEqual([[3]]);
    backward(y);
    expect(x.grad?.toArray()).toEqual([[[1], [1]]]);
    x.grad?.dispose();
  });
});
