import { permute } from '../../src/ops/permute';
import { slice } from '../../src/ops/slice';
import { scope } from '../../src/core/scope';
import { zeros } from '../../src/core/tensor';
import { reorderCases } from '../../src/bench/op_cases/reorder';
import { runCases } from '../support/run_cases';

runCases('permute and slice', reorderCases);

test('nothing in, nothing out', () => {
  scope(() => {
    expect(permute(zeros([2, 0, 3]), [2, 1, 0]).shape).toEqual([3, 0, 2]);
    expect(permute(zeros([]), []).shape).toEqual([]);
    expect(slice(zeros([2, 3]), 1, 3, 3).shape).toEqual([2, 0]);
    expect(slice(zeros([2, 0, 3]), 0, 1, 2).shape).toEqual([1, 0, 3]);
  });
});

test.each([[[0]], [[0, 0]], [[0, 2]], [[0, 1, 1]], [[0.5, 1]], [[NaN, 0]]])(
  'permute of a matrix by %j is refused',
  (axes) => {
    const message = `permute: expected each dimension of shape [2, 3] once, got [${axes.join(', ')}]`;
    scope(() => expect(() => permute(zeros([2, 3]), axes)).toThrow(message));
  },
);

test.each([
  [2, 0, 1, 'slice: axis 2 is not a dimension of shape [2, 3]'],
  [1, -1, 1, 'slice: start must be a whole number from 0 to 3, got -1'],
  [1, 2, 1, 'slice: end must be a whole number from 2 to 3, got 1'],
  [1, 0, 4, 'slice: end must be a whole number from 0 to 3, got 4'],
  [0, 0, 0.5, 'slice: end must be a whole number from 0 to 2, got 0.5'],
])('slice of a matrix along %d from %d to %d is refused', (axis, start, end, message) => {
  scope(() => expect(() => slice(zeros([2, 3]), axis, start, end)).toThrow(message));
});
