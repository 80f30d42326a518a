import { backward } from '../../src/core/autograd';
import { memory } from '../../src/core/runtime';
import { scope } from '../../src/core/scope';
import { ones, tensor, zeros, type Tensor } from '../../src/core/tensor';
import { add, gelu, mul, sum } from '../../src/ops';

let live = 0;
let x: Tensor;
beforeEach(() => {
  live = memory().live;
  x = tensor([1, 2], [2], { requiresGrad: true });
});
afterEach(() => {
  x.grad?.dispose();
  x.dispose();
  expect(memory().live).toBe(live);
});

test.each(['a leaf', 'an op'])('a tensor that a hook of %s returns stays its owner, and keeps its values', (where) => {
  const mine = tensor([5, 7], [2]);
  scope(() => {
    const h = mul(x, 1);
    const at = where === 'a leaf' ? x : h;
    at.hooks.push(() => mine);
    const twice = () => backward(sum(add(h, h)), undefined, { retainGraph: true });
    twice();
    expect([mine.disposed, ...mine.floats(), ...x.grad!.floats()]).toEqual([false, 5, 7, 5, 7]);
    twice();
    expect([mine.disposed, ...mine.floats(), ...x.grad!.floats()]).toEqual([false, 5, 7, 10, 14]);
  });
  mine.dispose();
});

test.each<[string, () => unknown, string]>([
  ['of another shape', () => zeros([3]), 'a hook of a gradient of shape [2] of f32 returned one of [3] of f32'],
  ['that broadcasts', () => zeros([1]), 'a hook of a gradient of shape [2] of f32 returned one of [1] of f32'],
  [
    'of another type',
    () => tensor(Int32Array.of(1, 2)),
    'a hook of a gradient of shape [2] of f32 returned one of [2] of i32',
  ],
  ['no tensor', () => 3, 'a hook of a gradient must return a tensor or nothing, got number'],
  ['an array', () => [1, 2], 'a hook of a gradient must return a tensor or nothing, got object'],
])('what a hook returns is checked: %s', (_, make, message) => {
  for (const place of ['leaf', 'op'])
    scope(() => {
      const h = mul(x, 1);
      const at = place === 'leaf' ? x : h;
      const hook = make as () => Tensor;
      at.hooks.push(hook);
      expect(() => backward(sum(h))).toThrow(message);
      at.hooks.splice(at.hooks.indexOf(hook), 1);
    });
});

test('a freed tensor from a hook is refused', () => {
  scope(() => {
    const gone = zeros([2]);
    gone.dispose();
    x.hooks.push(() => gone);
    expect(() => backward(sum(mul(x, 1)))).toThrow('a tensor of shape [2] was freed');
  });
});

test('a backward that fails frees the gradients on their way', () => {
  scope(() => {
    const [late, early] = [gelu(x), gelu(x)]; // the last is visited first; a gradient of the other is pending
    early.hooks.push(() => {
      throw new Error('stop');
    });
    const loss = sum(add(mul(late, 2), mul(early, ones([2]))));
    const before = memory().live;
    expect(() => backward(loss)).toThrow('stop');
    expect(memory().live).toBeLessThanOrEqual(before);
  });
});
