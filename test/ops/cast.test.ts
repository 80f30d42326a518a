import { backward } from '../../src/core/autograd';
import { kernels } from '../../src/core/dispatch';
import { cast, gelu, linear } from '../../src/ops';
import { memory } from '../../src/core/runtime';
import { scope } from '../../src/core/scope';
import { ones, tensor, zeros } from '../../src/core/tensor';

test('numbers round to the nearest bf16, ties to even; NaN and infinity stay', () => {
  const { live } = memory();
  const values = [1, 1 + 2 ** -8, 1 + 3 * 2 ** -8, -3.14159, 3.4e38, -Infinity, NaN, 2 ** -133, 0];
  const expected = [1, 1, 1 + 2 ** -6, -3.140625, Infinity, -Infinity, NaN, 2 ** -133, 0];
  scope(() => {
    const half = cast(tensor(values), 'bf16');
    expect([half.dtype, [...half.floats()], [...cast(half, 'f32').floats()]]).toEqual(['bf16', expected, expected]);
    expect(cast(half, 'bf16')).toBe(half);
    expect(cast(tensor([1 + 2 ** -9]), 'bf16').item()).toBe(1);
  });
  expect(memory().live).toBe(live);
});

test('the gradient goes back in the type of the input', () => {
  scope(() => {
    const x = tensor([1, 2, 3], [3], { requiresGrad: true });
    backward(cast(cast(x, 'bf16'), 'f32'), tensor([1 + 2 ** -9, -2, 0.5]));
    expect([x.grad!.dtype, [...x.grad!.floats()]]).toEqual(['f32', [1, -2, 0.5]]);
    x.grad!.dispose();
    const h = cast(zeros([3]), 'bf16');
    h.requiresGrad = true;
    expect(() => backward(cast(h, 'f32'), cast(ones([3]), 'bf16'))).toThrow('is f32, the gradient bf16');
  });
});

test('integers are not cast', () => {
  scope(() => expect(() => cast(zeros([1], { dtype: 'i32' }), 'bf16')).toThrow('x must be f32 or bf16, got i32'));
});

test('kernels refuse a mixture of types in one sentence, and bf16 if they take f32 alone', () => {
  scope(() => {
    const [x, y] = [ones([2, 2], { device: 'cpu' }), cast(ones([2, 2], { device: 'cpu' }), 'bf16')];
    expect(linear(y, x, null).floats()).toEqual(Float32Array.of(2, 2, 2, 2));
    expect(gelu(y).dtype).toBe('bf16');
    expect(() => kernels.geluForward({ n: 4, x: y, y: x })).toThrow('argument y: expected 4 x bf16, got 4 x f32');
    expect(() => kernels.softmaxForward({ rows: 2, cols: 2, x: y, y: x })).toThrow(
      'argument x: expected 4 x f32, got 4 x bf16',
    );
  });
});
