import { setThreads, threads } from '../../src/core/runtime';
import {
  Adadelta,
  Adam,
  AdamW,
  RMSprop,
  SGD,
  clipGradNorm,
  clipGradValue,
  gradNorm,
  parameterGroups,
  scaleGradients,
  type Optimizer,
} from '../../src/optim';
import { tensor, type Tensor } from '../../src/core/tensor';
import { relativeError } from '../../src/bench/op_cases/compare';
import { uniform } from '../../src/bench/op_cases/random';

const SHAPES = [[7, 5], [33], [2, 3, 4], [1], [300, 257]];
const STEPS = 12;

/** Leaf tensors of ragged sizes. */
function makeParameters(): Tensor[] {
  return SHAPES.map((shape, i) => {
    const size = shape.reduce((a, b) => a * b, 1);
    const p = tensor(uniform(i, size), shape, { requiresGrad: true });
    return Object.assign(p, { name: `p${i}` });
  });
}

const gradientAt = (step: number, i: number, size: number) => uniform(100 * step + i, size, 2);

function setGradients(params: Tensor[], step: number): void {
  params.forEach((p, i) => (p.grad = tensor(gradientAt(step, i, p.size), p.shape)));
}

/** Takes STEPS steps with different gradients and returns the parameters. */
function train(optimizer: Optimizer, params: Tensor[], from = 1, to = STEPS): Float32Array[] {
  for (let step = from; step <= to; step++) {
    setGradients(params, step);
    optimizer.step();
    optimizer.zeroGrad();
  }
  return params.map((p) => p.floats());
}

type Rule = (p: number, g: number, state: [number, number], step: number, decay: number) => number;

/** The same in float64: `rule` is one element's step, with two numbers of state. */
function train64(rule: Rule, decayOf: (i: number) => number): Float64Array[] {
  return SHAPES.map((shape, i) => {
    const size = shape.reduce((a, b) => a * b, 1);
    const p = Float64Array.from(uniform(i, size));
    const state = Array.from({ length: size }, (): [number, number] => [0, 0]);
    for (let step = 1; step <= STEPS; step++) {
      const g = gradientAt(step, i, size);
      for (let j = 0; j < size; j++) p[j] = rule(p[j]!, g[j]!, state[j]!, step, decayOf(i));
    }
    return p;
  });
}

function expectSame(found: Float32Array[], expected: Float64Array[]): void {
  found.forEach((values, i) => expect(relativeError(values, expected[i]!)).toBeLessThan(1e-6));
}

/** Loshchilov and Hutter's algorithm 2 with PyTorch's bias correction. */
function adamw64(lr: number, [b1, b2]: [number, number], eps: number): Rule {
  return (p, g, state, step, decay) => {
    state[0] = b1 * state[0] + (1 - b1) * g;
    state[1] = b2 * state[1] + (1 - b2) * g * g;
    const denominator = Math.sqrt(state[1] / (1 - b2 ** step)) + eps;
    return p * (1 - lr * decay) - (lr * state[0]) / (1 - b1 ** step) / denominator;
  };
}

/** Zeiler's algorithm 1 with PyTorch's rate and decay. */
function adadelta64(lr: number, rho: number, eps: number): Rule {
  return (p, gradient, state, _, decay) => {
    const g = gradient + decay * p;
    state[0] = rho * state[0] + (1 - rho) * g * g;
    const delta = (Math.sqrt(state[1] + eps) / Math.sqrt(state[0] + eps)) * g;
    state[1] = rho * state[1] + (1 - rho) * delta * delta;
    return p - lr * delta;
  };
}

function sgd64(lr: number, momentum: number, nesterov: boolean): Rule {
  return (p, g, state, step, decay) => {
    const d = g + decay * p;
    state[0] = step === 1 ? d : momentum * state[0] + d;
    return p - lr * (momentum === 0 ? d : nesterov ? d + momentum * state[0] : state[0]);
  };
}

describe('steps agree with float64', () => {
  test.each([
    { lr: 1e-2, betas: [0.9, 0.999], eps: 1e-8, weightDecay: 0.05 },
    { lr: 0.1, betas: [0.5, 0.9], eps: 1e-3, weightDecay: 0 },
  ] as const)('AdamW %j', (options) => {
    const params = makeParameters();
    const expected = train64(adamw64(options.lr, [...options.betas], options.eps), () => options.weightDecay);
    expectSame(train(new AdamW(params, options), params), expected);
  });

  test.each([
    { lr: 0.1 },
    { lr: 0.05, momentum: 0.9, weightDecay: 0.01 },
    { lr: 0.05, momentum: 0.9, weightDecay: 0.01, nesterov: true },
  ])('SGD %j', (options) => {
    const params = makeParameters();
    const { lr, momentum = 0, weightDecay = 0, nesterov = false } = options;
    expectSame(
      train(new SGD(params, options), params),
      train64(sgd64(lr, momentum, nesterov), () => weightDecay),
    );
  });

  test.each([{}, { lr: 0.3, rho: 0.6, eps: 1e-3, weightDecay: 0.05 }])('Adadelta %j', (options) => {
    const params = makeParameters();
    const { lr = 1, rho = 0.9, eps = 1e-6, weightDecay = 0 } = options;
    expectSame(
      train(new Adadelta(params, options), params),
      train64(adadelta64(lr, rho, eps), () => weightDecay),
    );
  });

  test('only parameters of two or more dimensions decay', () => {
    const params = makeParameters();
    const decayOf = (i: number) => (SHAPES[i]!.length > 1 ? 0.5 : 0);
    expectSame(
      train(new AdamW(parameterGroups(params, 0.5), { lr: 0.01 }), params),
      train64(adamw64(0.01, [0.9, 0.999], 1e-8), decayOf),
    );
  });
});

const MAKERS: [string, (params: Tensor[]) => Optimizer][] = [
  ['AdamW', (params) => new AdamW(params, { lr: 0.01 })],
  ['SGD', (params) => new SGD(params, { lr: 0.01, momentum: 0.9 })],
];

const ADADELTA: (typeof MAKERS)[number] = ['Adadelta', (params) => new Adadelta(params)];

test.each([...MAKERS, ADADELTA])('%s gives the same bits for 1, 2 and 4 threads', (_, make) => {
  const before = threads();
  const results = [1, 2, 4].map((n) => {
    setThreads(n);
    const params = makeParameters();
    return train(make(params), params);
  });
  setThreads(before);
  expect(results[1]).toEqual(results[0]);
  expect(results[2]).toEqual(results[0]);
});

test.each([...MAKERS, ADADELTA])('%s continues from a state bit for bit', (_, make) => {
  const [whole, stopped] = [makeParameters(), makeParameters()];
  const expected = train(make(whole), whole);
  const first = make(stopped);
  train(first, stopped, 1, 5);
  const second = make(stopped);
  second.loadStateDict(first.stateDict());
  expect(second.steps).toBe(5);
  expect(train(second, stopped, 6)).toEqual(expected);
});

test.each(MAKERS)('%s takes the same steps with scalars written in advance', (_, make) => {
  const [stepped, launched] = [makeParameters(), makeParameters()];
  const expected = train(make(stepped), stepped);
  const optimizer = make(launched);
  const numbers = optimizer.makeNumbers();
  optimizer.step = () => {
    optimizer.countStep(numbers);
    optimizer.setLr(77); // too late for this step
    optimizer.launchStep(numbers);
    optimizer.setLr(0.01);
  };
  expect(train(optimizer, launched)).toEqual(expected);
  expect(optimizer.steps).toBe(STEPS);
});

test('a parameter without a gradient does not change, and is reported', () => {
  const params = makeParameters();
  const optimizer = new AdamW(params, { lr: 0.1 });
  setGradients(params, 1);
  params[1]!.grad = null;
  expect(optimizer.missingGradients()).toEqual(['p1']);
  optimizer.step();
  expect(params[1]!.floats()).toEqual(uniform(1, 33));
  expect(params[0]!.floats()).not.toEqual(uniform(0, 35));
});

test('groups keep the ratios of their learning rates', () => {
  const [a, b] = makeParameters();
  const optimizer = new SGD(
    [
      { params: [a!], lr: 0.1 },
      { params: [b!], lr: 0.01 },
    ],
    { lr: 1 },
  );
  optimizer.setLr(0.5);
  expect(optimizer.groups.map((g) => g.lr)).toEqual([0.5, expect.closeTo(0.05, 12)]);
});

describe('gradient norm', () => {
  const norm64 = (params: Tensor[]) =>
    Math.sqrt(params.reduce((sum, p) => sum + p.grad!.floats().reduce((s, g) => s + g * g, 0), 0));

  test('treats all gradients as one vector, and clips to the bound', () => {
    const params = makeParameters();
    setGradients(params, 1);
    const [norm, before] = [norm64(params), params.map((p) => p.grad!.floats())];
    expect(gradNorm(params) / norm).toBeCloseTo(1, 6);
    expect(clipGradNorm(params, 2 * norm) / norm).toBeCloseTo(1, 6);
    expect(params.map((p) => p.grad!.floats())).toEqual(before);
    expect(clipGradNorm(params, 3) / norm).toBeCloseTo(1, 6);
    const factor = 3 / (norm + 1e-6);
    params.forEach((p, i) =>
      expect(
        relativeError(
          p.grad!.floats(),
          before[i]!.map((g) => g * factor),
        ),
      ).toBeLessThan(1e-6),
    );
  });

  test('scaling by a number and by the value of a tensor gives the same bits', () => {
    const [one, other] = [makeParameters(), makeParameters()];
    for (const params of [one, other]) setGradients(params, 1);
    scaleGradients(one, 0.3);
    scaleGradients(other, tensor([0.3]));
    expect(other.map((p) => p.grad!.floats())).toEqual(one.map((p) => p.grad!.floats()));
    expect(one[1]!.grad!.floats()).toEqual(gradientAt(1, 1, 33).map((g) => Math.fround(g) * Math.fround(0.3)));
  });

  test.each([NaN, Infinity])('a gradient with %d makes the norm non-finite', (bad) => {
    const params = makeParameters();
    setGradients(params, 1);
    params[2]!.grad!.copyFrom(new Float32Array(24).fill(bad));
    expect(Number.isFinite(gradNorm(params))).toBe(false);
  });

  test('is 0 without gradients', () => expect(gradNorm(makeParameters())).toBe(0));
});

describe('bad input', () => {
  const [p] = makeParameters();
  test.each([
    [() => new AdamW([p!], { lr: -1 }), 'optimizer: the learning rate must be 0 or more, got -1'],
    [() => new AdamW([p!], { lr: NaN }), 'optimizer: the learning rate must be 0 or more, got NaN'],
    [() => new AdamW([p!], { weightDecay: -1 }), 'optimizer: the weight decay must be 0 or more, got -1'],
    [() => new AdamW([p!], { betas: [0.9, 1] }), 'AdamW: betas must be in [0, 1), got 0.9, 1'],
    [() => new AdamW([p!], { eps: 0 }), 'AdamW: eps must be above 0, got 0'],
    [() => new SGD([p!], { lr: 1, momentum: -1 }), 'SGD: the momentum must be 0 or more, got -1'],
    [() => new SGD([p!], { lr: 1, nesterov: true }), 'SGD: nesterov needs a momentum above 0'],
    [() => new AdamW([]), 'optimizer: no parameters'],
    [() => new AdamW([p!, p!]), 'is in more than one group'],
    [() => new AdamW([tensor([1])]), 'is not a parameter (a leaf that requires a gradient)'],
    [() => clipGradNorm([p!], 0), 'clipGradNorm: the norm must be above 0, got 0'],
  ])('%#', (make, message) => expect(make).toThrow(message));

  test('an unsuitable state is refused with the reason, and changes nothing', () => {
    const params = makeParameters().slice(0, 2);
    const optimizer = new AdamW(params);
    const before = optimizer.stateDict();
    const moments = new Map(before.moments).set('p1.exp_avg', new Float32Array(3));
    moments.delete('p0.exp_avg_sq');
    expect(() => optimizer.loadStateDict({ step: 4, moments })).toThrow(
      'optimizer: the state does not fit:\n  p0.exp_avg_sq: expected 35 values, got none\n  p1.exp_avg: expected 33 values, got 3',
    );
    expect(optimizer.stateDict()).toEqual(before);
  });
});

test('Adam adds its weight decay to the gradient, and leaves the gradient as it was', () => {
  const [b1, b2, lr, wd] = [0.9, 0.99, 0.01, 0.1];
  const rule: Rule = (p, g, state, step) => {
    const grad = g + wd * p;
    state[0] = b1 * state[0] + (1 - b1) * grad;
    state[1] = b2 * state[1] + (1 - b2) * grad * grad;
    return p - (lr * (state[0] / (1 - b1 ** step))) / (Math.sqrt(state[1] / (1 - b2 ** step)) + 1e-8);
  };
  const params = makeParameters();
  const optimizer = new Adam(params, { lr, betas: [b1, b2], weightDecay: wd });
  expectSame(train(optimizer, params), train64(rule, () => 0)); // prettier-ignore
  setGradients(params, 1);
  optimizer.step();
  expect(params[0]!.grad!.floats()).toEqual(gradientAt(1, 0, params[0]!.size));
});

test.each([0, 0.9])('RMSprop with a momentum of %d', (momentum) => {
  const [alpha, lr, wd] = [0.95, 0.01, 0.1];
  const rule: Rule = (p, g, state) => {
    const grad = g + wd * p;
    state[0] = alpha * state[0] + (1 - alpha) * grad * grad;
    const scaled = grad / (Math.sqrt(state[0]) + 1e-6);
    state[1] = momentum * state[1] + scaled;
    return p - lr * (momentum > 0 ? state[1] : scaled);
  };
  const params = makeParameters();
  const optimizer = new RMSprop(params, { lr, alpha, eps: 1e-6, momentum, weightDecay: wd });
  expectSame(train(optimizer, params), train64(rule, () => 0)); // prettier-ignore
  expect(() => new RMSprop(params, { alpha: 1 })).toThrow('RMSprop: alpha must be in [0, 1), got 1');
});

test('clipGradValue limits elements and keeps NaN', () => {
  const p = tensor([1, 2, 3, 4], [4], { requiresGrad: true });
  p.grad = tensor([-5, 0.5, NaN, Infinity]);
  clipGradValue([p], 1);
  expect([...p.grad.floats()]).toEqual([-1, 0.5, NaN, 1]);
  expect(() => clipGradValue([p], -1)).toThrow('clipGradValue: the limit must be 0 or more, got -1');
});
