import { backward } from '../../src/core/autograd';
import { checkpoint } from '../../src/core/recompute';
import { memory } from '../../src/core/runtime';
import { scope } from '../../src/core/scope';
import { tensor, zeros, type Tensor } from '../../src/core/tensor';
import { Linear } from '../../src/nn';
import { AdamW, SGD } from '../../src/optim';
import { add, batchNorm, conv3d, div, gelu, layerNorm, linear, mul, sum } from '../../src/ops';

let live = 0;
beforeEach(() => void (live = memory().live));
afterEach(() => expect(memory().live).toBe(live));

const leaf = (values: number[], shape: number[]): Tensor => tensor(values, shape, { requiresGrad: true });

/** The message of a backward after a change, inside a scope that frees everything. */
function messageAfter(make: () => { loss: Tensor; leaves: Tensor[]; change: () => void }): string {
  return scope(() => {
    const { loss, leaves, change } = make();
    change();
    try {
      backward(loss);
      return 'accepted';
    } catch (error) {
      return (error as Error).message;
    } finally {
      for (const t of leaves) t.grad?.dispose();
    }
  });
}

const HINT =
  ' (overwritten between forward and backward, as by optimizer.step(), loadStateDict or copyFrom: run the forward again)';
const modified = (op: string, rest: string) =>
  `backward: one of the tensors needed for the gradient of ${op} was modified: ${rest}${HINT}`;

test('a leaf that is overwritten, itself or by a view of it', () => {
  const changes: ((w: Tensor) => void)[] = [
    (w) => w.copyFrom([7, 7]),
    (w) => w.fill((piece) => piece.fill(7)),
    (w) => w.detach().copyFrom([7, 7]),
    (w) => w.view([2, 1]).copyFrom([7, 7]),
  ];
  for (const change of changes) {
    const message = messageAfter(() => {
      const w = leaf([1, 2], [2]);
      return { loss: sum(mul(w, w)), leaves: [w], change: () => change(w) };
    });
    expect(message).toBe(modified('mul', 'a [2] is at version 1, expected 0'));
  }
});

test('an activation that is overwritten', () => {
  const message = messageAfter(() => {
    const x = leaf([1, 2], [2]);
    const h = mul(x, 3);
    return { loss: sum(gelu(h)), leaves: [x], change: () => h.copyFrom([0, 0]) };
  });
  expect(message).toBe(modified('gelu', 'x [2] is at version 1, expected 0'));
});

const ones = (n: number) => new Array<number>(n).fill(1);
const ops: [string, string, (x: Tensor, w: Tensor) => Tensor, number[], number[]][] = [
  ['linear', 'weight', (x, w) => linear(x, w, null), [2, 3], [4, 3]],
  ['layerNorm', 'gamma', (x, w) => layerNorm(x, w, zeros([3])), [2, 3], [3]],
  [
    'batchNorm',
    'gamma',
    (x, w) => batchNorm(x, w, zeros([3]), zeros([3]), zeros([3]), { training: true }),
    [2, 3],
    [3],
  ],
  [
    'conv3d',
    'weight',
    (x, w) => conv3d(x, w, null, { input: 'NTHWC', stride: [1, 1, 1], padding: [0, 0, 0] }),
    [1, 1, 1, 1, 2],
    [2, 2, 1, 1, 1],
  ],
];
test.each(ops)('a weight of %s', (op, name, apply, xShape, wShape) => {
  const count = (shape: number[]) => shape.reduce((a, b) => a * b, 1);
  const message = messageAfter(() => {
    const [x, w] = [leaf(ones(count(xShape)), xShape), leaf(ones(count(wShape)), wShape)];
    return { loss: sum(apply(x, w)), leaves: [x, w], change: () => w.copyFrom(ones(count(wShape))) };
  });
  expect(message).toBe(modified(op, `${name} [${wShape.join(', ')}] is at version 1, expected 0`));
});

test.each([
  ['SGD', (parameters: Tensor[]) => new SGD(parameters, { lr: 1 })],
  ['AdamW', (parameters: Tensor[]) => new AdamW(parameters, { lr: 1 })],
])('a step of %s between two backwards', (_, make) => {
  const [first, second] = [new Linear(1, 1, { bias: false }), new Linear(1, 1, { bias: false })];
  const optimizer = make([...first.parameters(), ...second.parameters()]);
  const run = () => sum(second.forward(first.forward(tensor([[1]]))));
  scope(() => {
    const [a, b] = [run(), run()];
    backward(a);
    optimizer.step();
    expect(() => backward(b)).toThrow(
      /the gradient of linear was modified: weight \[1, 1\] is at version \d, expected \d /,
    );
    optimizer.zeroGrad();
  });
  scope(() => backward(run()));
  optimizer.zeroGrad();
  [first, second, optimizer].forEach((one) => one.dispose());
});

test('weights that are loaded', () => {
  const layer = new Linear(2, 2);
  const state = new Map([...layer.stateDict()].map(([name, t]) => [name, { shape: t.shape, data: t.floats() }]));
  const message = messageAfter(() => {
    const x = leaf([1, 2], [1, 2]);
    return { loss: sum(layer.forward(x)), leaves: [x], change: () => void layer.loadStateDict(state) };
  });
  expect(message).toMatch(
    /^backward: one of the tensors needed for the gradient of linear was modified: weight \[2, 2\]/,
  );
  layer.dispose();
});

test('a parameter under recompute, which is not among its inputs', () => {
  const message = messageAfter(() => {
    const [x, w] = [leaf([1, 2], [1, 2]), leaf([1, 2], [1, 2])];
    const loss = sum(checkpoint((x) => gelu(linear(x, w, null)), x));
    return { loss, leaves: [x, w], change: () => w.copyFrom([5, 5]) };
  });
  expect(message).toBe(modified('checkpoint', 'parameters [1, 2] is at version 1, expected 0'));
});

test('what no gradient reads may change', () => {
  scope(() => {
    const [x, w] = [tensor([1, 2], [1, 2]), leaf([3, 4], [1, 2])];
    const made = [mul(x, w), add(w, w), linear(x, w, null), div(w, x)];
    w.copyFrom([7, 7]);
    made.forEach((y) => backward(sum(y)));
    expect([...w.grad!.floats()]).toEqual([1 + 2 + 1 + 1, 2 + 2 + 2 + 0.5]);
    const read = [mul(x, w), linear(x, w, null), div(w, x)];
    x.copyFrom([5, 5]);
    for (const y of read)
      expect(() => backward(sum(y))).toThrow(/was modified: [abx] \[1, 2\] is at version 1, expected 0/);
    w.grad!.dispose();
  });
});

test('a graph that is kept can go backward again, also where a running mean has moved', () => {
  scope(() => {
    const [x, gamma, mean, variance] = [leaf([1, 2, 3, 5], [2, 2]), leaf([1, 1], [2]), zeros([2]), zeros([2])];
    const apply = () => sum(mul(batchNorm(x, gamma, zeros([2]), mean, variance, { training: true }), x));
    const [a, b] = [apply(), apply()];
    backward(a, undefined, { retainGraph: true });
    backward(a);
    backward(b);
    for (const t of [x, gamma]) t.grad!.dispose();
  });
});
