import { ones, zeros } from '../../src/core/tensor';
import { scope } from '../../src/core/scope';
import { matmul } from '../../src/ops';
import { matmulCases, matmulStackCases } from '../../src/bench/op_cases/matmul';
import { runCases } from '../support/run_cases';

runCases('matmul', matmulCases);
runCases('matmul of stacks', matmulStackCases);

test('empty stacks and sums; stacks that do not fit are refused', () => {
  scope(() => {
    expect(matmul(zeros([0, 2, 3]), zeros([0, 3, 4])).shape).toEqual([0, 2, 4]);
    expect(matmul(ones([2, 1, 0]), ones([2, 0, 1])).toArray()).toEqual([[[0]], [[0]]]);
    expect(() => matmul(zeros([2, 2, 3]), zeros([3, 3, 4]))).toThrow('matmul: shapes [2] and [3] do not broadcast');
    expect(() => matmul(zeros([3]), zeros([3, 4]))).toThrow('matmul: a must be [..., M, K], got shape [3]');
    expect(() => matmul(zeros([2, 3, 4]), zeros([3, 4]))).toThrow('matmul: shapes [2, 3, 4] and [3, 4] do not fit');
  });
});
