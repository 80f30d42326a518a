import { backward } from '../../src/core/autograd';
import { defineOp } from '../../src/core/define_op';
import { gradcheck } from '../../src/core/gradcheck';
import { memory } from '../../src/core/runtime';
import { scope } from '../../src/core/scope';
import { ones, tensor, type Tensor } from '../../src/core/tensor';
import { abs, add, exp, mul, sum } from '../../src/ops';

const leaf = (values: number[]) => tensor(values, [values.length], { requiresGrad: true });
const square = defineOp({
  name: 'square',
  forward: (x: Tensor) => ({ output: mul(x, x), saved: { x } }),
  backward: (dy, { x }) => [mul(dy, mul(x, 2))],
});

test('an op of two tensors and a number, with temporaries saved, leaves no memory', () => {
  const scaled = defineOp({
    name: 'scaled',
    forward: (a: Tensor, factor: number, b: Tensor) => {
      const e = exp(a);
      return { output: mul(mul(e, b), factor), saved: { e, list: [b, null] } };
    },
    backward: (dy, { e, list }, { needs, args: [, factor] }) => [
      needs[0] ? mul(mul(mul(dy, e), list[0]!), factor) : null,
      needs[1] ? mul(mul(dy, e), factor) : null,
    ],
  });
  const { live } = memory();
  scope(() => {
    const [a, b] = [leaf([0.1, -1, 2]), leaf([1, 2, 3])];
    expect(gradcheck((a, b) => scaled(a!, 3, b!), [a, b])).toBe(true);
    expect(gradcheck((a) => scaled(a!, 3, b.detach()), [a])).toBe(true);
    expect(scaled(a, 3, b).requiresGrad).toBe(true);
    expect(scaled(a.detach(), 3, b.detach()).requiresGrad).toBe(false);
  });
  expect(memory().live).toBe(live);
});

test('gradients that are dy, a saved tensor, or one tensor twice do not share memory', () => {
  const sumOp = defineOp({
    name: 'sumOp',
    forward: (a: Tensor, b: Tensor) => ({ output: add(a, b), saved: { a } }),
    backward: (dy, { a }) => [dy, a],
  });
  scope(() => {
    const [a, b] = [leaf([1, 2]), leaf([3, 4])];
    backward(sum(add(sumOp(a, b), sumOp(a, b))));
    expect([[...a.grad!.floats()], [...b.grad!.floats()]]).toEqual([[2, 2], [2, 4]]); // prettier-ignore
    expect([...a.floats()]).toEqual([1, 2]);
    const twice = defineOp({
      name: 'twice',
      forward: (a: Tensor, b: Tensor) => ({ output: mul(a, b) }),
      backward: (dy) => {
        const shared = mul(dy, 2);
        return [shared, shared];
      },
    });
    const [c, d] = [leaf([1]), leaf([1])];
    backward(add(twice(c, d), twice(c, d)));
    expect([c.grad!.item(), d.grad!.item()]).toEqual([4, 4]);
  });
});

test('an output that is an input, and an overwritten saved tensor', () => {
  const same = defineOp({ name: 'same', forward: (x: Tensor) => ({ output: x }), backward: (dy) => [mul(dy, 3)] });
  scope(() => {
    const x = leaf([1, 2]);
    backward(sum(same(x)));
    expect([x.node, ...x.grad!.floats()]).toEqual([null, 3, 3]);
    const y = square(x);
    x.copyFrom([5, 5]);
    expect(() => backward(y, ones([2]))).toThrow('needed for the gradient of square was modified: x [2]');
  });
});

test('a missing backward throws when a gradient is asked for; wrong counts and outputs are named', () => {
  const one = defineOp({ name: 'one', forward: (x: Tensor) => ({ output: mul(x, 1) }) });
  const wrong = defineOp({ name: 'wrong', forward: (x: Tensor) => ({ output: mul(x, 1) }), backward: () => [] });
  const bare = defineOp({ name: 'bare', forward: ((x: Tensor) => mul(x, 1)) as never });
  scope(() => {
    expect(one(ones([1])).item()).toBe(1);
    expect(() => one(leaf([1]))).toThrow('one has no gradient, but an input requires one');
    expect(() => backward(wrong(leaf([1])))).toThrow(
      'backward of wrong: expected 1 gradients, one for each tensor, got 0',
    );
    expect(() => (bare as (x: Tensor) => Tensor)(ones([1]))).toThrow('bare: the forward must return { output, saved }');
  });
});

test('gradcheck names the wrong gradient, restores the inputs and keeps their gradients', () => {
  const bad = defineOp({
    name: 'bad',
    forward: (x: Tensor) => ({ output: mul(x, x), saved: { x } }),
    backward: (dy, { x }) => [mul(dy, x)],
  });
  scope(() => {
    const x = leaf([0, 3]);
    x.grad = ones([2]);
    expect(() => gradcheck((x) => bad(x!), [x])).toThrow(
      /^gradcheck: element 1 of input 0: the gradient is .*, by differences/,
    );
    expect([[...x.floats()], [...x.grad.floats()]]).toEqual([[0, 3], [1, 1]]); // prettier-ignore
    expect(gradcheck((x) => abs(exp(x!)), [x])).toBe(true);
    expect(() => gradcheck((x) => x!, [ones([1])])).toThrow('gradcheck: none of the inputs requires a gradient');
    expect(() => gradcheck((x) => x!, [exp(x)])).toThrow(
      'gradcheck: input 0 must be an f32 leaf, got the result of an op',
    );
  });
});
