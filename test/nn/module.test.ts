import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { backward } from '../../src/core/autograd';
import { scope } from '../../src/core/scope';
import { verifyChecksums } from '../../src/formats/checkpoint';
import { readTensors } from '../../src/formats/read_tensors';
import * as models from '../../src/models';
import { load, readMetadata, save } from '../../src/nn/save';
import { cast, sum } from '../../src/ops';
import { SGD } from '../../src/optim';
import { BatchNorm, Linear } from '../../src/nn/layers';
import { buffer, Module, parameter } from '../../src/nn/module';
import { seedInit } from '../../src/nn/init';
import { create } from '../../src/models';
import { MorphMLP, MorphFcT } from '../../src/models/morphmlp';
import { VARIANTS } from '../../src/models/config';
import { memory } from '../../src/core/runtime';
import { ones, tensor, zeros, type Tensor } from '../../src/core/tensor';

class Branch extends Module {
  readonly scale = parameter(tensor([1, 2]));
  readonly norm = new BatchNorm(2);
}

class Tree extends Module {
  readonly list = [new Linear(2, 3), new Branch()];
  readonly count = buffer(zeros([1]));
  readonly fc = new Linear(3, 1, { bias: false });
}

const stored = (tree: Module) =>
  new Map([...tree.stateDict()].map(([name, t]) => [name, { shape: t.shape, data: t.floats().map((v) => v + 1) }]));
const values = (tree: Module) => [...tree.stateDict().values()].map((t) => [...t.floats()]);

describe('the tree', () => {
  const tree = new Tree();

  test('names its tensors as PyTorch does, parameters and buffers apart', () => {
    const names = (list: [string, Tensor][]) => list.map(([name]) => name);
    expect(names(tree.namedParameters())).toEqual([
      'list.0.weight',
      'list.0.bias',
      'list.1.scale',
      'list.1.norm.weight',
      'list.1.norm.bias',
      'fc.weight',
    ]);
    expect(names(tree.namedBuffers())).toEqual(['count', 'list.1.norm.running_mean', 'list.1.norm.running_var']);
  });

  test('train and eval reach every module', () => {
    tree.eval();
    expect(tree.modules().map((m) => m.training)).toEqual([false, false, false, false, false]);
    tree.train();
    expect(tree.modules().every((m) => m.training)).toBe(true);
  });
});

describe('loadStateDict', () => {
  test('copies every value, and passes over PyTorch counters of batches', () => {
    const tree = new Tree();
    const before = values(tree);
    const state = stored(tree);
    state.set('list.1.norm.num_batches_tracked', { shape: [], data: new Float32Array(1) });
    tree.loadStateDict(state);
    expect(values(tree)).toEqual(before.map((row) => row.map((v) => Math.fround(v + 1))));
  });

  test('names every missing, unexpected and mis-shaped tensor at once, and then changes nothing', () => {
    const tree = new Tree();
    const [before, state] = [values(tree), stored(tree)];
    state.delete('list.0.bias');
    state.set('fc.weight', { shape: [3, 1], data: new Float32Array(3) });
    state.set('module.fc.weight', { shape: [1], data: new Float32Array(1) });
    expect(() => tree.loadStateDict(state)).toThrow(
      [
        'the weights do not fit this model:',
        '  fc.weight: the model has shape [1, 3], the weights [3, 1]',
        '  list.0.bias: missing from the weights',
        '  module.fc.weight: not in the model',
      ].join('\n'),
    );
    expect(values(tree)).toEqual(before);
  });

  test('without strict, names may differ but shapes may not', () => {
    const tree = new Tree();
    const state = stored(tree);
    state.delete('count');
    state.set('other', { shape: [1], data: new Float32Array(1) });
    expect(tree.loadStateDict(state, { strict: false })).toEqual({ missing: ['count'], unexpected: ['other'] });
    expect(tree.count.floats()).toEqual(Float32Array.of(0));
    state.set('fc.weight', { shape: [2, 1], data: new Float32Array(2) });
    expect(() => tree.loadStateDict(state, { strict: false })).toThrow('fc.weight: the model has shape [1, 3]');
  });

  test('the state of one model makes another equal to it', () => {
    const [a, b] = [new MorphMLP(VARIANTS['quickstart']!.config), new MorphMLP(VARIANTS['quickstart']!.config)];
    expect(values(a)).not.toEqual(values(b));
    expect(b.loadStateDict(a.stateDict())).toEqual({ missing: [], unexpected: [] });
    expect(values(b)).toEqual(values(a));
    a.dispose();
    b.dispose();
  });
});

describe('frozen parameters', () => {
  const freeze = (module: Module, frozen = true) => {
    for (const p of module.parameters()) p.requiresGrad = !frozen;
  };

  test('stay parameters, and can be unfrozen through parameters()', () => {
    const tree = new Tree();
    const [parameters, buffers] = [tree.namedParameters(), tree.namedBuffers()];
    freeze(tree);
    expect(tree.namedParameters()).toEqual(parameters);
    expect(tree.namedBuffers()).toEqual(buffers);
    freeze(tree, false);
    expect(tree.parameters().every((p) => p.requiresGrad)).toBe(true);
    tree.dispose();
  });

  test('lose their gradients by zeroGrad', () => {
    const fc = new Linear(1, 1);
    scope(() => backward(sum(fc.forward(ones([1, 1])))));
    freeze(fc);
    fc.zeroGrad();
    expect(fc.weight.grad).toBeNull();
    fc.dispose();
  });

  test('are taken by an optimizer, which leaves them as they are', () => {
    const [first, second] = [new Linear(2, 2), new Linear(2, 2)];
    freeze(first);
    const before = [first.weight.floats(), second.weight.floats()];
    const optimizer = new SGD([...first.parameters(), ...second.parameters()], { lr: 1, momentum: 0 });
    const step = () => {
      scope(() => backward(sum(second.forward(first.forward(ones([1, 2]))))));
      optimizer.step();
    };
    step();
    expect(optimizer.missingGradients()).toEqual([]);
    expect(first.weight.floats()).toEqual(before[0]);
    expect(second.weight.floats()).not.toEqual(before[1]);
    freeze(first, false);
    step();
    expect(first.weight.floats()).not.toEqual(before[0]);
    freeze(first); // a gradient of before is left: it is not applied
    const after = first.weight.floats();
    optimizer.step();
    expect(first.weight.floats()).toEqual(after);
  });
});

test('a module that two others share counts once, under its first name, and stands under both in the state', () => {
  class Twice extends Module {
    readonly a = new Linear(2, 2);
    readonly b = this.a;
  }
  const twice = new Twice();
  expect(twice.namedParameters().map(([name]) => name)).toEqual(['a.weight', 'a.bias']);
  expect([...twice.stateDict().keys()]).toEqual(['a.weight', 'a.bias', 'b.weight', 'b.bias']);
  twice.dispose();
});

describe('save and load', () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'morphmlp-'));
  afterAll(() => rmSync(folder, { recursive: true }));
  const file = path.join(folder, 'tree.safetensors');

  test('a module is read back to the bit, with its metadata', () => {
    const [a, b] = [new Tree(), new Tree()];
    save(a, file, { metadata: { epoch: 3, classes: ['cat', 'dog'] } });
    expect(b.loadStateDict(load(file))).toEqual({ missing: [], unexpected: [] });
    expect(values(b)).toEqual(values(a));
    expect(readMetadata(file)).toEqual({ epoch: 3, classes: ['cat', 'dog'] });
    expect(verifyChecksums(file)).toEqual({ tensors: 9, checked: true, problems: [] });
  });

  test('a map of tensors keeps its element types; bf16 is read as f32', () => {
    const tensors = new Map([
      ['i', tensor(Int32Array.of(1, -(2 ** 30) - 1))],
      ['u', tensor(Uint8Array.of(3, 255))],
      ['h', cast(tensor([1.5, -0.25]), 'bf16')],
    ]);
    save(tensors, file);
    const types = [...readTensors(file)].map(([name, { dtype }]) => `${name} ${dtype}`);
    expect(types.sort()).toEqual(['h BF16', 'i I32', 'u U8']);
    const read = load(file);
    expect(read.get('i')!.data).toEqual(Int32Array.of(1, -(2 ** 30) - 1));
    expect(read.get('u')!.data).toEqual(Uint8Array.of(3, 255));
    expect(read.get('h')!.data).toEqual(Float32Array.of(1.5, -0.25));
    expect(readMetadata(file)).toEqual({});
  });

  test('a bf16 tensor is widened where it is copied into an f32 parameter', () => {
    const fc = new Linear(2, 1, { bias: false });
    fc.loadStateDict(new Map([['weight', cast(tensor([1.5, -0.25], [1, 2]), 'bf16')]]));
    expect(fc.weight.floats()).toEqual(Float32Array.of(1.5, -0.25));
    fc.dispose();
  });

  test('a model is recognised by models.load', () => {
    const model = new MorphMLP(VARIANTS['quickstart']!.config);
    save(model, file);
    const { network } = models.load(file, { segmentDim: VARIANTS['quickstart']!.config.segmentDim });
    expect(values(network)).toEqual(values(model));
    network.dispose();
    model.dispose();
  });

  test('metadata that are not plain JSON are refused, and nothing is written', () => {
    const other = path.join(folder, 'none.safetensors');
    expect(() => save(new Tree(), other, { metadata: { epoch: NaN } })).toThrow('meta.metadata.epoch is NaN');
    expect(existsSync(other)).toBe(false);
  });
});

test('dispose gives all memory back', () => {
  const live = memory().live;
  const tree = new Tree();
  expect(memory().live).toBeGreaterThan(live);
  tree.dispose();
  expect(memory().live).toBe(live);
});

describe('initial values', () => {
  const moments = (data: Float32Array) => {
    const mean = data.reduce((sum, v) => sum + v, 0) / data.length;
    return { mean, std: Math.sqrt(data.reduce((sum, v) => sum + (v - mean) ** 2, 0) / data.length) };
  };
  const model = create('image-t', { layers: [1, 1, 1, 1] });
  const named = new Map(model.namedTensors());
  afterAll(() => model.dispose());

  test('FCs are normal with deviation 0.02, their biases 0', () => {
    const { mean, std } = moments(named.get('blocks4.0.mlp.fc1.weight')!.floats());
    expect(Math.abs(mean)).toBeLessThan(1e-4);
    expect(std).toBeGreaterThan(0.0199);
    expect(std).toBeLessThan(0.0201);
    expect(
      named
        .get('blocks4.0.mlp.fc1.bias')!
        .floats()
        .every((v) => v === 0),
    ).toBe(true);
    expect(
      named
        .get('head.bias')!
        .floats()
        .every((v) => v === 0),
    ).toBe(true);
  });

  test("convolutions are uniform within 1/sqrt(fan in), PyTorch's default", () => {
    const weight = named.get('patch_embed4.proj.weight')!;
    const bound = 1 / Math.sqrt(336 * 9);
    const data = weight.floats();
    expect(Math.max(...data.subarray(0, 50000))).toBeLessThanOrEqual(Math.fround(bound));
    expect(moments(data).std / (bound / Math.sqrt(3))).toBeCloseTo(1, 2);
    expect(moments(data).mean / bound).toBeCloseTo(0, 2);
  });

  test('norms start at weight 1, bias 0, and BatchNorm statistics at 0 and 1', () => {
    const all = (name: string, value: number) =>
      named
        .get(name)!
        .floats()
        .every((v) => v === value);
    expect(all('blocks1.0.norm1.weight', 1) && all('blocks1.0.norm1.bias', 0) && all('norm.weight', 1)).toBe(true);
    expect(all('patch_embed1.norm1.running_mean', 0) && all('patch_embed1.norm1.running_var', 1)).toBe(true);
  });

  test('the temporal part: mlp_t all 0, proj weight 1 and bias 0', () => {
    const part = new MorphFcT(16, 4, true);
    const all = (t: Tensor | undefined, value: number) => t!.floats().every((v) => v === value);
    expect([
      all(part.mlp_t.weight, 0),
      all(part.mlp_t.bias, 0),
      all(part.proj.weight, 1),
      all(part.proj.bias, 0),
    ]).toEqual([true, true, true, true]);
    part.dispose();
  });

  test('one seed, one set of bits', () => {
    const make = (seed: number) => {
      seedInit(seed);
      const made = new MorphMLP(VARIANTS['quickstart']!.config);
      const bits = values(made);
      made.dispose();
      return bits;
    };
    expect(make(3)).toEqual(make(3));
    expect(make(3)).not.toEqual(make(4));
  });
});
