import { backward } from '../../src/core/autograd';
import { ones, tensor, type Tensor } from '../../src/core/tensor';
import { scope } from '../../src/core/scope';
import * as ops from '../../src/ops';
import { pointwiseCases } from '../../src/bench/op_cases/pointwise';
import { runCases } from '../support/run_cases';

runCases('pointwise', pointwiseCases);

const of = (op: (x: Tensor) => Tensor, values: number[]) => scope(() => [...op(tensor(values)).floats()]);
const slopes = (op: (x: Tensor) => Tensor, values: number[]) =>
  scope(() => {
    const x = tensor(values, undefined, { requiresGrad: true });
    const y = op(x);
    backward(y, ones(y.shape));
    return [...x.grad!.floats()];
  });

test('NaN and infinities', () => {
  for (const op of [ops.relu, ops.abs, ops.exp, ops.sigmoid, ops.tanh, ops.softplus, ops.sqrt, ops.log])
    expect(of(op, [NaN])).toEqual([NaN]);
  expect(of((x) => ops.clamp(x, -1, 1), [NaN, Infinity, -Infinity])).toEqual([NaN, 1, -1]);
  expect(of(ops.sigmoid, [-1000, 1000])).toEqual([0, 1]);
  expect(of(ops.tanh, [-1000, 1000])).toEqual([-1, 1]);
  expect(of(ops.softplus, [-1000, 1000])).toEqual([0, 1000]);
  expect(of(ops.log, [0, -1])).toEqual([-Infinity, NaN]);
});

test('slopes at corners, and where a formula would cancel', () => {
  expect(slopes(ops.relu, [-1, 0, 1])).toEqual([0, 0, 1]);
  expect(slopes(ops.abs, [-1, 0, 1])).toEqual([-1, 0, 1]);
  expect(slopes((x) => ops.pow(x, 2), [0, -3])).toEqual([0, -6]);
  expect(slopes((x) => ops.pow(x, 0), [0, 2])).toEqual([0, 0]);
  const far = slopes(ops.sigmoid, [20])[0]!;
  expect(Math.abs(far / Math.exp(-20) - 1)).toBeLessThan(1e-5); // y (1 - y) is 0 in f32
});

test('bad arguments are refused', () => {
  scope(() => {
    expect(() => ops.exp(tensor(Int32Array.of(1)))).toThrow('exp: x must be f32, got i32');
    expect(() => ops.clamp(ones([1]), 2, 1)).toThrow('clamp: expected min ≤ max, got 2 and 1');
    expect(() => ops.clamp(ones([1]), NaN)).toThrow('clamp: expected min ≤ max, got NaN and Infinity');
    expect(() => ops.pow(ones([1]), NaN)).toThrow('pow: the exponent must be a number, got NaN');
  });
});
