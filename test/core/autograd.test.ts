import { backward, countNonFinite, noGrad, record, releaseGraph, setAnomalyDetection } from '../../src/core/autograd';
import { checkpoint } from '../../src/core/recompute';
import { add, div, mul } from '../../src/ops/arithmetic';
import { dropout } from '../../src/ops/dropout';
import { sum } from '../../src/ops/reduce';
import { manualSeed } from '../../src/core/generator';
import { memory } from '../../src/core/runtime';
import { scope } from '../../src/core/scope';
import { tensor, zeros, type Tensor } from '../../src/core/tensor';

const leaf = (values: number[]) => tensor(values, [values.length], { requiresGrad: true });
const gradOf = (t: Tensor) => [...t.grad!.floats()];

let live = 0;
beforeEach(() => void (live = memory().live));

/** Runs a body, frees the gradients of its leaves, and expects no other live tensors. */
function clean(body: (x: Tensor) => void): void {
  const x = leaf([1, 2, 3]);
  scope(() => body(x));
  x.grad?.dispose();
  x.dispose();
  expect(memory().live).toBe(live);
}

test('a tensor with several uses gets the sum of their gradients', () =>
  clean((x) => {
    backward(sum(add(mul(x, x), add(x, x))));
    expect(gradOf(x)).toEqual([4, 6, 8]);
  }));

test('gradients accumulate over several backwards until they are cleared', () =>
  clean((x) => {
    backward(sum(mul(x, 2)));
    backward(sum(mul(x, 3)));
    expect(gradOf(x)).toEqual([5, 5, 5]);
  }));

test('a second backward throws unless retainGraph is set', () =>
  clean((x) => {
    const y = sum(mul(x, x));
    backward(y, undefined, { retainGraph: true });
    backward(y);
    expect(gradOf(x)).toEqual([4, 8, 12]);
    expect(() => backward(y)).toThrow(
      /was freed by an earlier backward; run the forward again, or pass { retainGraph: true }/,
    );
  }));

test('a backward without a graph throws', () =>
  clean((x) => {
    const y = noGrad(() => sum(x));
    expect(() => backward(y)).toThrow(/was not computed from anything that requires a gradient/);
    expect(() => backward(mul(x, 2))).toThrow(/is not a scalar: pass its gradient/);
    expect(() => backward(mul(x, 2), zeros([x.size + 1]))).toThrow(/expected a gradient of shape \[\d+\], got \[\d+\]/);
  }));

test('hooks receive and replace gradients of leaves and intermediate tensors', () =>
  clean((x) => {
    const seen: number[][] = [];
    const y = mul(x, 2);
    y.hooks.push((g) => void seen.push([...g.floats()]));
    x.hooks.push((g) => mul(g, 10));
    backward(sum(y));
    expect(seen).toEqual([[1, 1, 1]]);
    expect(gradOf(x)).toEqual([20, 20, 20]);
  }));

test('an op without a gradient throws when one is needed', () =>
  clean((x) => {
    const output = zeros([3]);
    expect(() => record({ op: 'round', inputs: [x], output, backward: null })).toThrow(
      /round has no gradient, but an input requires one/,
    );
    expect(noGrad(() => record({ op: 'round', inputs: [x], output, backward: null }))).toBe(output);
  }));

test('a gradient of the wrong shape throws, naming the op', () =>
  clean((x) => {
    const y = record({ op: 'odd', inputs: [x], output: zeros([]), backward: () => [zeros([2])] });
    expect(() => backward(y)).toThrow(/backward of odd: gradient of shape \[2\] for an input of \[3\]/);
  }));

test('anomaly mode names the op that made the first NaN', () =>
  clean((x) => {
    setAnomalyDetection(true);
    try {
      expect(() => div(x, tensor([1, 0, 1]))).toThrow(/forward of div: 1 of 3 elements are NaN or infinite/);
    } finally {
      setAnomalyDetection(false);
    }
  }));

test('given parameter names, anomaly mode also names the layer, forward and backward', () =>
  clean((x) => {
    const named = [['blocks.3.fc.weight', x]] as const;
    setAnomalyDetection(true, named);
    try {
      const y = mul(x, x);
      expect(() => div(y, tensor([1, 0, 1]))).toThrow(/^forward of div after blocks.3.fc: 1 of 3 elements/);
      const steep = record({ op: 'steep', inputs: [x], output: zeros([]), backward: () => [tensor([1, NaN, 1])] });
      expect(() => backward(steep)).toThrow(/^backward of steep in blocks.3.fc: 1 of 3 elements/);
    } finally {
      setAnomalyDetection(false);
    }
  }));

test('releaseGraph frees saved tensors without a backward', () =>
  clean((x) => {
    const y = sum(mul(x, x));
    releaseGraph(y);
    expect(() => backward(y)).toThrow(/was freed/);
  }));

test('checkpoint has the gradients and random numbers of the plain function', () =>
  clean((x) => {
    const noisy = (t: Tensor) => sum(mul(dropout(mul(t, t), 0.5, true), 3));
    const gradient = (run: () => Tensor) => {
      manualSeed(5);
      backward(run());
      const values = gradOf(x);
      x.grad!.dispose();
      x.grad = null;
      return values;
    };
    const plain = gradient(() => noisy(x));
    expect(gradient(() => checkpoint(noisy, x))).toEqual(plain);
    expect(plain.some((v) => v !== 0)).toBe(true);
  }));

test('a scope frees its tensors, also if the body throws, except returned ones', () =>
  clean((x) => {
    const kept = scope(() => ({ y: mul(x, 2), other: [mul(x, 3)] }));
    expect(kept.y.disposed || kept.other[0]!.disposed).toBe(false);
    let made: Tensor | null = null;
    expect(() =>
      scope(() => {
        made = mul(x, 2);
        throw new Error('stop');
      }),
    ).toThrow('stop');
    expect(made!.disposed).toBe(true);
    expect(() => made!.floats()).toThrow(/was freed/);
  }));

test('every finite number counts as one, up to the largest; infinities and NaN do not', () => {
  const [largest, over] = [3.4028234663852886e38, 3e38];
  const finite = [largest, -largest, over, -over, 1.1e38, 1e-45, -0, 0];
  const others = [Infinity, -Infinity, NaN];
  scope(() => {
    expect(countNonFinite(tensor(finite, [finite.length]))).toBe(0);
    for (const bad of others) expect(countNonFinite(tensor([bad], [1]))).toBe(1);
    expect(countNonFinite(tensor([...finite, ...others, ...finite], [19]))).toBe(3);
  });
});

test('a backward that throws frees the gradients that it has not delivered', () => {
  const x = leaf([1, 2, 3]);
  const square = mul(x, x);
  const failing = record({
    op: 'failing',
    inputs: [x],
    output: tensor([4, 5, 6]),
    saved: {},
    backward: () => {
      throw new Error('on purpose');
    },
  });
  const all = add(square, failing);
  const total = sum(all); // the latest op runs first: when `failing` throws, the gradient of `square` waits
  expect(() => backward(total)).toThrow('on purpose');
  for (const t of [total, all, failing, square, x]) t.dispose();
  expect(x.grad).toBeNull();
  expect(memory().live).toBe(live);
});

test('a backward that returns a gradient of the wrong shape frees all that it made', () => {
  const [x, y] = [leaf([1, 2, 3]), leaf([1, 2])];
  const made = record({
    op: 'failing',
    inputs: [x, y],
    output: tensor([4, 5, 6]),
    saved: {},
    backward: () => [tensor([1, 1, 1]), tensor([1, 1, 1])],
  });
  const total = sum(made);
  expect(() => backward(total)).toThrow('backward of failing: gradient of shape [3] for an input of [2]');
  for (const t of [total, made, x, y]) t.dispose();
  expect(memory().live).toBe(live);
});

test('the gradient of a tensor of a scope is freed with it, unless it is returned', () => {
  const kept = scope(() => {
    const [x, y] = [leaf([1, 2, 3]), leaf([4, 5, 6])];
    backward(sum(mul(x, y)));
    return x.grad!;
  });
  expect([...kept.floats()]).toEqual([4, 5, 6]);
  kept.dispose();
  expect(memory().live).toBe(live);
});

test('numbers up to the largest of f32 are finite', () => {
  const [largest, above] = [3.4028234663852886e38, 3.5e38];
  const x = tensor([largest, -largest, 1.1e38, -2e38, 0, -0, 1e-45]);
  expect(countNonFinite(x)).toBe(0);
  const y = tensor([above, -above, NaN, largest]);
  expect(countNonFinite(y)).toBe(3);
  for (const t of [x, y]) t.dispose();
  expect(memory().live).toBe(live);
});
