import { inspect } from 'node:util';
import { scope } from '../../src/core/scope';
import { full, tensor, zeros } from '../../src/core/tensor';
import '../../src/ops';

test('ops are methods, and their gradients arrive', () => {
  scope(() => {
    const x = tensor([[1, 2], [3, 4]], undefined, { requiresGrad: true }); // prettier-ignore
    x.mul(2).add(x).sum(1).mean().backward();
    expect([...x.grad!.floats()]).toEqual([1.5, 1.5, 1.5, 1.5]);
    expect(x.reshape([-1]).slice(0, 1, 4, 2).toArray()).toEqual([2, 4]);
    expect(x.transpose(0, 1).matmul(x).toArray()).toEqual([[10, 14], [14, 20]]); // prettier-ignore
    expect(x.gt(2).float().mean({ axis: 0 }).toArray()).toEqual([0.5, 0.5]);
    expect(x.var().item()).toBeCloseTo(5 / 3, 6);
    expect(x.topk(1).indices.dtype).toBe('i32');
    expect(Object.keys(x)).not.toContain('add');
  });
});

test('toString and console.log show values, shape, type and device', () => {
  scope(() => {
    const x = tensor([[1, 2.5], [-3, 4]], undefined, { requiresGrad: true }); // prettier-ignore
    expect(String(x)).toBe(`Tensor([[  1, 2.5],\n        [ -3,   4]], [2, 2], f32, ${x.device}, requiresGrad)`);
    expect(inspect(x)).toBe(String(x));
    expect(String(x.sum())).toBe(`Tensor(4.5, [], f32, ${x.device}, with a graph)`);
    expect(String(tensor(Int32Array.of(7, 8)))).toBe(`Tensor([7, 8], [2], i32, ${x.device})`);
    expect(String(full([1], 1.5, { dtype: 'bf16' }))).toBe(`Tensor([1.5], [1], bf16, ${x.device})`);
    expect(String(zeros([0]))).toBe(`Tensor([], [0], f32, ${x.device})`);
    expect(String(zeros([2000]))).toBe(`Tensor([0, 0, 0, …, 0, 0, 0], [2000], f32, ${x.device})`);
    expect(String(zeros([2, 1, 1]))).toBe(`Tensor([[[0]],\n\n        [[0]]], [2, 1, 1], f32, ${x.device})`);
  });
});
