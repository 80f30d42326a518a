import { backward } from '../../src/core/autograd';
import { memory } from '../../src/core/runtime';
import { scope } from '../../src/core/scope';
import { tensor, type Tensor } from '../../src/core/tensor';
import { gelu, mul, sum } from '../../src/ops';

let live = 0;
let w: Tensor;
beforeEach(() => {
  live = memory().live;
  w = tensor([1, 2], [2], { requiresGrad: true });
});
afterEach(() => {
  w.grad?.dispose();
  w.dispose();
  expect(memory().live).toBe(live);
});

const STOP = new Error('stop');
/** A chain whose graph keeps activations. */
const chain = (x: Tensor): Tensor => gelu(mul(gelu(mul(x, x)), x));

test.each<[string, () => void]>([
  [
    'in the scope that made it',
    () =>
      scope(() => {
        chain(w);
        throw STOP;
      }),
  ],
  [
    'in the scope around that which returned it',
    () =>
      scope(() => {
        scope(() => chain(w));
        throw STOP;
      }),
  ],
  [
    'two scopes further out',
    () =>
      scope(() => {
        scope(() =>
          mul(
            scope(() => chain(w)),
            w,
          ),
        );
        throw STOP;
      }),
  ],
  [
    'beside a result that was disposed',
    () =>
      scope(() => {
        scope(() => chain(w)).dispose();
        throw STOP;
      }),
  ],
  [
    'in the second of two',
    () =>
      scope(() => {
        const h = scope(() => chain(w));
        scope(() => {
          chain(h);
          throw STOP;
        });
      }),
  ],
  [
    'in a backward hook',
    () =>
      scope(() => {
        const h = scope(() => chain(w));
        h.hooks.push(() => {
          throw STOP;
        });
        backward(sum(h));
      }),
  ],
])('a body that throws leaves nothing of the graph: %s', (_, body) => {
  expect(body).toThrow(STOP);
});

test('an error after the scope of the forward is over', () => {
  const before = memory().live;
  expect(() =>
    scope(() => {
      const losses = [1, 2].map((k) => scope(() => sum(mul(chain(w), k))));
      expect(losses).toHaveLength(2);
      throw STOP;
    }),
  ).toThrow(STOP);
  expect(memory().live).toBe(before);
});

test('what a returned tensor does not lead to is freed at once, and its own graph lives', () => {
  scope(() => {
    const before = memory().live;
    const loss = scope(() => sum(w));
    const kept = memory().live - before;
    const other = scope(() => {
      chain(w); // not part of the result
      return sum(w);
    });
    expect(memory().live - before).toBe(2 * kept);
    backward(loss);
    backward(other);
    expect([...w.grad!.floats()]).toEqual([2, 2]);
  });
});

test('the graph of an outer scope outlives an error in an inner one', () => {
  scope(() => {
    const h = chain(w);
    expect(() =>
      scope(() => {
        chain(h);
        throw STOP;
      }),
    ).toThrow(STOP);
    backward(sum(h));
    expect(w.grad!.floats().every(Number.isFinite)).toBe(true);
  });
});
