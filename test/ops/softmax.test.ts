import { softmax } from '../../src/ops/softmax';
import { tensor } from '../../src/core/tensor';
import { softmaxAxisCases, softmaxCases } from '../../src/bench/op_cases/softmax';
import { runCases } from '../support/run_cases';

runCases('softmax', softmaxCases);
runCases('softmax along axes', softmaxAxisCases);

test('values that overflow exp give the right shares, and a NaN stays in its row', () => {
  const rows = softmax(
    tensor([
      [1000, 1000, -1000],
      [NaN, 1, 2],
      [3, 3, 3],
    ]),
  ).toArray() as number[][];
  expect(rows[0]).toEqual([0.5, 0.5, 0]);
  expect(rows[1]).toEqual([NaN, NaN, NaN]);
  rows[2]!.forEach((share) => expect(share).toBeCloseTo(1 / 3, 6));
});

test('needs a dimension, and f32', () => {
  expect(() => softmax(tensor(1))).toThrow('softmax: x needs at least one dimension, got a scalar');
  expect(() => softmax(tensor(Int32Array.of(1)))).toThrow('softmax: x');
});
