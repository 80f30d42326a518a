import { backward } from '../../src/core/autograd';
import { reweight } from '../../src/ops/reweight';
import { scope } from '../../src/core/scope';
import { ones, tensor, zeros } from '../../src/core/tensor';
import { reweightCases } from '../../src/bench/op_cases/reweight';
import { mul, sum } from '../../src/ops';
import { runCases } from '../support/run_cases';

runCases('reweight', reweightCases);

const x = () => zeros([2, 3, 4]);

test.each([
  ['no branch', () => reweight([], ones([2, 4, 1])), 'reweight: expected 1 to 3 branches, got 0'],
  ['four branches', () => reweight([x(), x(), x(), x()], ones([2, 4, 4])), 'reweight: expected 1 to 3 branches, got 4'],
  [
    'unequal branches',
    () => reweight([x(), zeros([2, 4, 3])], ones([2, 4, 2])),
    'reweight: branch 1 must have shape [2, 3, 4], got [2, 4, 3]',
  ],
  [
    'weights of another count',
    () => reweight([x(), x()], ones([2, 4, 3])),
    'reweight: weights must have shape [2, 4, 2], got [2, 4, 3]',
  ],
  ['one dimension', () => reweight([zeros([4])], ones([4, 1])), 'reweight: branches must be [B, ..., C], got [4]'],
  [
    'integers',
    () => reweight([tensor(new Int32Array(4), [1, 4])], ones([1, 4, 1])),
    'reweight: branch 0 must be f32, got i32',
  ],
])('%s: refused with what was expected and what came', (_, run, message) => {
  scope(() => expect(run).toThrow(message));
});

test('clips without tokens give an empty result', () => {
  scope(() => expect(reweight([zeros([2, 0, 4])], ones([2, 4, 1])).shape).toEqual([2, 0, 4]));
});

test.each([
  [[true, false, false]],
  [[false, true, false]],
  [[false, false, true]],
  [[true, false, true]],
  [[false, false, false]],
])('branches get gradients as each asks for one: %j', (asked) => {
  scope(() => {
    const weights = tensor([2, 3, 5], [1, 1, 3], { requiresGrad: true });
    const branches = asked.map((requiresGrad, i) => tensor([7 + i, 1], [1, 2, 1], { requiresGrad }));
    backward(sum(mul(reweight(branches, weights), tensor([1, 10], [1, 2, 1]))));
    const expected = [2, 3, 5].map((w, i) => (asked[i] ? [w, 10 * w] : null));
    expect(branches.map((b) => b.grad && [...b.grad.floats()])).toEqual(expected);
    expect([...weights.grad!.floats()]).toEqual([17, 18, 19]);
    for (const t of [weights, ...branches]) t.grad?.dispose();
  });
});
