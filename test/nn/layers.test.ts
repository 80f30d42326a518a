import { inspect } from 'node:util';
import { backward } from '../../src/core/autograd';
import { manualSeed } from '../../src/core/generator';
import { scope } from '../../src/core/scope';
import { ones, tensor, zeros, type Tensor } from '../../src/core/tensor';
import * as nn from '../../src/nn';
import { mean, mul, sum } from '../../src/ops';
import { SGD } from '../../src/optim';

const names = (module: nn.Module) => module.namedParameters().map(([name]) => name);

describe('containers', () => {
  const net = new nn.Sequential(new nn.Linear(2, 3), new nn.ReLU(), new nn.Linear(3, 1, { bias: false }));

  test('name as PyTorch does, run in order, and are printed', () => {
    expect(names(net)).toEqual(['0.weight', '0.bias', '2.weight']);
    expect([net.length, net.at(-1) === net.at(2), [...net].length]).toEqual([3, true, 3]);
    scope(() => expect(net.forward(ones([4, 2])).shape).toEqual([4, 1]));
    const text =
      'Sequential(\n  (0): Linear(inFeatures=2, outFeatures=3)\n  (1): ReLU()\n  (2): Linear(inFeatures=3, outFeatures=1)\n)';
    expect([String(net), inspect(net)]).toEqual([text, text]);
    expect(() => net.at(3)).toThrow('Sequential: no module at 3, there are 3');
  });

  test('lists and dictionaries', () => {
    const list = new nn.ModuleList([new nn.Linear(1, 1)]).push(new nn.Linear(1, 2));
    expect(names(list)).toEqual(['0.weight', '0.bias', '1.weight', '1.bias']);
    const dict = new nn.ModuleDict<nn.Module>({ a: new nn.Dropout(0.1) }).set('b', new nn.Linear(1, 1));
    expect([dict.keys(), names(dict)]).toEqual([['a', 'b'], ['b.weight', 'b.bias']]); // prettier-ignore
    expect(String(dict.get('a'))).toBe('Dropout(p=0.1)');
    expect(() => dict.get('c')).toThrow("ModuleDict: no module 'c', there are a, b");
    for (const name of ['a', 'train', 'x.y'])
      expect(() => dict.set(name, new nn.ReLU())).toThrow(`ModuleDict: a module cannot be named '${name}'`);
  });

  test('a shared module counts once; apply visits it once, children first', () => {
    const shared = new nn.Linear(2, 2);
    const twice = new nn.Sequential(shared, new nn.Sequential(shared), new nn.GELU());
    expect(names(twice)).toEqual(['0.weight', '0.bias']);
    expect(twice.namedModules().map(([name]) => name)).toEqual(['', '0', '1', '2']);
    const seen: nn.Module[] = [];
    twice.apply((module) => void seen.push(module));
    expect([seen.length, seen.at(-1) === twice]).toEqual([4, true]);
    expect(new SGD(twice.parameters(), { lr: 1 }).groups[0]!.params).toHaveLength(2);
    expect([...twice.stateDict().keys()]).toEqual(['0.weight', '0.bias', '1.0.weight', '1.0.bias']);
  });

  test('a module of another copy of the package is refused, where parameters would be lost', () => {
    jest.isolateModules(() => {
      // eslint-disable-next-line @typescript-eslint/no-require-imports
      const other = require('../../src/nn') as typeof nn;
      const foreign = new other.Linear(1, 1);
      const message = '0 is a module of another copy of morphmlp: install the package once';
      expect(() => new nn.Sequential(foreign as unknown as nn.Linear).parameters()).toThrow(message);
      const list = Object.assign(new nn.ReLU(), { items: [foreign] });
      expect(() => list.parameters()).toThrow('items.0 is a module of another copy');
    });
  });
});

describe('forward hooks', () => {
  test('see and replace outputs in order, also inside other modules, until they are removed', () => {
    const inner = new nn.Linear(1, 1, { bias: false });
    inner.weight.copyFrom([2]);
    const net = new nn.Sequential(inner);
    const seen: unknown[] = [];
    const first = inner.registerForwardHook((module, [x], y) => {
      seen.push(module === inner, (x as Tensor).item(), y.item());
      return mul(y, 10);
    });
    const second = inner.registerForwardHook((_, __, y) => void seen.push(y.item()));
    scope(() => {
      expect(net.forward(ones([1, 1])).item()).toBe(20);
      expect(seen).toEqual([true, 1, 2, 20]);
      first();
      first();
      expect(net.forward(ones([1, 1])).item()).toBe(2);
      second();
      expect(names(net)).toEqual(['0.weight']);
    });
    class Bare extends nn.Module {}
    expect(() => new Bare().registerForwardHook(() => undefined)).toThrow('registerForwardHook: Bare has no forward');
  });
});

test("Linear and Conv2d start as PyTorch's: uniform within 1/sqrt(fan in), biases too", () => {
  nn.seedInit(3);
  const layers = [new nn.Linear(100, 50), new nn.Conv2d(4, 60, 5)];
  for (const { weight, bias } of layers) {
    for (const values of [weight.floats(), bias!.floats()]) {
      const largest = Math.max(...values.map(Math.abs));
      expect(largest).toBeLessThanOrEqual(0.1);
      expect(largest).toBeGreaterThan(0.09);
    }
  }
  const own = new nn.Linear(100, 50, { truncatedStd: 0.02 });
  expect([...own.bias!.floats()].every((v) => v === 0)).toBe(true);
});

test('BatchNorm2d normalises channels, trains and evaluates', () => {
  scope(() => {
    const norm = new nn.BatchNorm2d(2);
    const x = tensor(Float32Array.from({ length: 16 }, (_, i) => (i * 7) % 11), [2, 2, 2, 2]); // prettier-ignore
    const y = norm.forward(x);
    const channel = mean(y, [0, 2, 3]).floats();
    channel.forEach((v) => expect(Math.abs(v)).toBeLessThan(1e-6));
    const means = mean(x, [0, 2, 3]).floats();
    norm.running_mean.floats().forEach((v, i) => expect(v).toBeCloseTo(means[i]! * 0.1, 5));
    norm.eval();
    const [m, s] = [norm.running_mean.floats()[1]!, norm.running_var.floats()[1]!];
    expect(norm.forward(x).floats()[4]).toBeCloseTo((x.floats()[4]! - m) / Math.sqrt(s + 1e-5), 5);
    expect(() => norm.forward(zeros([2, 2]))).toThrow('BatchNorm2d: x must be [B, C, H, W], got shape [2, 2]');
    norm.dispose();
  });
});

test('Embedding takes indices of any shape, and repeated ones add their gradients', () => {
  scope(() => {
    const table = new nn.Embedding(4, 2);
    const y = table.forward(tensor(Int32Array.of(1, 1, 3, 0), [2, 2]));
    expect(y.shape).toEqual([2, 2, 2]);
    backward(sum(y));
    expect([...table.weight.grad!.floats()]).toEqual([1, 1, 2, 2, 0, 0, 1, 1]);
    expect(() => table.forward(tensor(Int32Array.of(4)))).toThrow('index 4 at position 0 is outside 0 to 3');
    table.dispose();
  });
});

test('Dropout only in training; small layers', () => {
  scope(() => {
    manualSeed(1);
    const drop = new nn.Dropout(0.5);
    const kept = drop.forward(ones([1000])).floats();
    expect([...new Set(kept)].sort()).toEqual([0, 2]);
    drop.eval();
    expect(drop.forward(ones([3])).toArray()).toEqual([1, 1, 1]);
    expect(() => new nn.Dropout(1)).toThrow('Dropout: the probability must be in [0, 1), got 1');
    const net = new nn.Sequential(new nn.MaxPool2d(2), new nn.AvgPool2d(2), new nn.Flatten(), new nn.Tanh(), new nn.Sigmoid()); // prettier-ignore
    expect(net.forward(zeros([2, 3, 4, 4])).toArray()).toEqual([[0.5, 0.5, 0.5], [0.5, 0.5, 0.5]]); // prettier-ignore
    expect(new nn.GlobalAvgPool2d().forward(ones([2, 3, 2, 2])).toArray()).toEqual([[1, 1, 1], [1, 1, 1]]); // prettier-ignore
    const group = new nn.GroupNorm(2, 4);
    expect(group.forward(ones([1, 4, 2])).toArray()).toEqual([[[0, 0], [0, 0], [0, 0], [0, 0]]]); // prettier-ignore
    group.dispose();
  });
});
