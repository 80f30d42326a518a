import { scope } from '../../src/core/scope';
import { tensor, zeros } from '../../src/core/tensor';
import { cat, clone, expand, flatten, gather, pad, permute, reshape, split, squeeze, stack, topk, transpose, unsqueeze } from '../../src/ops'; // prettier-ignore
import { gatherCases, joinCases } from '../../src/bench/op_cases/reorder';
import { runCases } from '../support/run_cases';

runCases('join', joinCases);
runCases('gather and topk', gatherCases);

test('views: reshape with -1, squeeze, unsqueeze, flatten', () => {
  scope(() => {
    const x = zeros([2, 1, 3]);
    expect(reshape(x, [-1, 2]).shape).toEqual([3, 2]);
    expect(squeeze(x).shape).toEqual([2, 3]);
    expect(squeeze(x, -2).shape).toEqual([2, 3]);
    expect(unsqueeze(x, -1).shape).toEqual([2, 1, 3, 1]);
    expect(unsqueeze(x, 0).shape).toEqual([1, 2, 1, 3]);
    expect(flatten(x).shape).toEqual([6]);
    expect(flatten(x, 1).shape).toEqual([2, 3]);
    expect(flatten(zeros([])).shape).toEqual([1]);
  });
});

test('a copied zero keeps its sign, a clone its own memory', () => {
  scope(() => {
    const x = tensor([[-0, 1]]);
    expect([...transpose(x, 0, 1).floats()]).toEqual([-0, 1]);
    const copy = clone(x);
    x.copyFrom([5, 5]);
    expect([...copy.floats()]).toEqual([-0, 1]);
  });
});

test('topk: NaN first, equals in order, nothing and everything', () => {
  scope(() => {
    const { values, indices } = topk(tensor([1, NaN, 3, 3, -Infinity]), 5);
    expect([...values.floats()]).toEqual([NaN, 3, 3, 1, -Infinity]);
    expect([...indices.data()]).toEqual([1, 2, 3, 0, 4]);
    expect([...topk(tensor([2, NaN, 2, 1]), 3, { largest: false }).indices.data()]).toEqual([3, 0, 2]);
    expect(topk(zeros([2, 3]), 0).values.shape).toEqual([2, 0]);
    expect([...topk(tensor([[1, 5], [4, 2]]), 1, { axis: 0 }).indices.data()]).toEqual([1, 0]); // prettier-ignore
  });
});

test('empty parts and empty tensors', () => {
  scope(() => {
    expect(cat([zeros([0, 2]), zeros([3, 2])]).shape).toEqual([3, 2]);
    expect(split(zeros([0]), 2).map((t) => t.shape)).toEqual([[0]]);
    expect(expand(zeros([1, 0]), [4, 0]).shape).toEqual([4, 0]);
    expect(pad(zeros([0]), [1, 1], 3).toArray()).toEqual([3, 3]);
    expect(gather(zeros([2, 3]), 1, zeros([2, 0], { dtype: 'i32' })).shape).toEqual([2, 0]);
  });
});

test.each([
  [() => cat([]), 'cat: expected at least one tensor, got none'],
  [
    () => cat([zeros([2, 2]), zeros([3, 3])], 1),
    'cat: tensor 1 of shape [3, 3] does not fit [2, 2] except along axis 1',
  ],
  [() => stack([zeros([2]), zeros([3])]), 'cat: tensor 1 of shape [1, 3] does not fit [1, 2] except along axis 0'],
  [() => split(zeros([5]), [2, 2]), 'split: sizes [2, 2] do not add up to 5, the size of axis 0 of [5]'],
  [() => split(zeros([5]), 0), 'split: size must be a whole number of at least 1, got 0'],
  [() => pad(zeros([2]), [1]), 'pad: expected pairs for at most 1 dimensions, got 1 numbers'],
  [() => pad(zeros([2]), [1, 0, 1, 0]), 'pad: expected pairs for at most 1 dimensions, got 4 numbers'],
  [() => pad(zeros([2]), [-1, 0]), 'pad: padding must be a whole number of at least 0, got -1'],
  [() => expand(zeros([2]), [3]), 'expand: shape [2] does not expand to [3]'],
  [() => expand(zeros([2]), [-1, 2]), 'empty: shape [-1, 2] has a size that is not a whole number of 0 or more'],
  [() => squeeze(zeros([2]), 0), 'squeeze: axis 0 of [2] is not of size 1'],
  [() => flatten(zeros([2, 2]), 1, 0), 'flatten: axis 0 is before axis 1 in shape [2, 2]'],
  [() => reshape(zeros([6]), [4, -1]), 'reshape: [6] does not have a multiple of the elements of [4, -1]'],
  [() => reshape(zeros([6]), [-1, -1]), 'reshape: shape [-1, -1] has a size that is not a whole number of 0 or more'],
  [() => transpose(zeros([2]), 0, 1), 'transpose: axis 1 is not a dimension of shape [2]'],
  [() => permute(tensor(Int32Array.of(1)), [0]), 'permute: x must be f32, got i32'],
  [() => topk(zeros([2]), 3), 'topk: k must be a whole number from 0 to 2, got 3'],
  [
    () => gather(zeros([2, 3]), 1, zeros([3, 1], { dtype: 'i32' })),
    'gather: index [3, 1] must have the shape of x [2, 3] except along 1',
  ],
  [() => gather(zeros([2]), 0, tensor(Int32Array.of(2))), 'index 2 at position 0 is outside 0 to 1'],
])('%s is refused', (call, message) => {
  scope(() => expect(call).toThrow(message));
});
