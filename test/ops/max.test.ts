import { backward } from '../../src/core/autograd';
import { max } from '../../src/ops/max';
import { scope } from '../../src/core/scope';
import { ones, tensor, zeros, type Shape } from '../../src/core/tensor';
import { maxCases } from '../../src/bench/op_cases/max';
import { runCases } from '../support/run_cases';

runCases('max', maxCases);

/** The maximum along the last dimension and where its gradient goes. */
function along(values: number[], shape: Shape): { y: number[]; dx: number[] } {
  return scope(() => {
    const x = tensor(values, shape, { requiresGrad: true });
    const y = max(x, { axis: -1 });
    backward(y, ones(y.shape));
    const dx = [...x.grad!.floats()];
    x.grad!.dispose();
    return { y: [...y.floats()], dx };
  });
}

test('the gradient goes to the first of equals', () => {
  expect(along([1, 5, 5, 0, 0, 0], [2, 3])).toEqual({ y: [5, 0], dx: [0, 1, 0, 1, 0, 0] });
});

test('a NaN is the largest, infinities are numbers', () => {
  const values = [1, NaN, Infinity, NaN, -Infinity, -Infinity, -1, -2];
  expect(along(values, [2, 4])).toEqual({ y: [NaN, -1], dx: [0, 1, 0, 0, 0, 0, 1, 0] });
});

test('large tensors, whose rows are spread over threads', () => {
  const [rows, n] = [300, 1000];
  const values = Float32Array.from({ length: rows * n }, (_, i) => ((i * 7919) % n) - Math.floor(i / n));
  scope(() => {
    const y = max(tensor(values, [rows, n]), { axis: 1 }).floats();
    expect([...y]).toEqual(Array.from({ length: rows }, (_, row) => n - 1 - row));
    expect(max(tensor(values, [rows, n])).item()).toBe(n - 1);
  });
});

test('an empty dimension and a missing dimension are refused', () => {
  scope(() => {
    expect(() => max(zeros([2, 0]), { axis: 1 })).toThrow('max: nothing to choose from in shape [2, 0]');
    expect(() => max(zeros([0]))).toThrow('max: nothing to choose from in shape [0]');
    expect(max(zeros([2, 0]), { axis: 0 }).shape).toEqual([0]);
    for (const axis of [2, -3, 0.5, NaN])
      expect(() => max(zeros([2, 3]), { axis })).toThrow(`max: axis ${axis} is not a dimension of shape [2, 3]`);
    expect(() => max(tensor(new Int32Array(2)))).toThrow('max: x must be f32, got i32');
  });
});
