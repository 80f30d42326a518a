import { backward } from '../../src/core/autograd';
import { dryRun } from '../../src/core/dry_run';
import { VARIANTS, type MorphMlpConfig } from '../../src/models/config';
import { countOps, gmacs } from '../../src/models/flops';
import { create, MorphMLP } from '../../src/models/morphmlp';
import { memory } from '../../src/core/runtime';
import { scope } from '../../src/core/scope';
import { tensor, zeros, type Tensor } from '../../src/core/tensor';
import { relativeError } from '../../src/bench/op_cases/compare';
import { uniform } from '../../src/bench/op_cases/random';
import { simpleModel } from '../support/simple_model';

/** The table of the design: parameters (exact, and in millions) and GMACs of a view of 224 x 224. */
const TABLE: [string, number, number][] = [
  ['image-t', 23.39, 3.96],
  ['image-s', 40.55, 6.95],
  ['image-b', 57.98, 10.2],
  ['image-l', 76.19, 12.44],
  ['video-s', 47.04, 66.0],
  ['video-s-32', 47.46, 132.7],
  ['video-b', 67.78, 97.4],
  ['video-b-32', 68.49, 195.7],
];

describe.each(TABLE)('%s', (name, millions, giga) => {
  const { config } = VARIANTS[name]!;
  const count = countOps(config);

  test(`has ${millions}M parameters, ${giga} GMACs, and the tensors of its count`, () => {
    expect((count.params / 1e6).toFixed(2)).toBe(millions.toFixed(2));
    expect(Math.abs(gmacs(config) - giga)).toBeLessThan(giga > 20 ? 0.06 : 0.006);
    const built = dryRun(() =>
      create(name)
        .parameters()
        .reduce((sum, p) => sum + p.size, 0),
    );
    expect(built).toBe(count.params);
  });

  test('drop path rises linearly from 0 over all blocks', () => {
    const rates = dryRun(() => {
      const { blocks1, blocks2, blocks3, blocks4 } = create(name);
      return [...blocks1, ...blocks2, ...blocks3, ...blocks4].map((block) => block.drop);
    });
    const last = rates.length - 1;
    rates.forEach((rate, i) => expect(rate).toBeCloseTo((config.dropPath * i) / last, 12));
    expect(rates[last]).toBe(config.dropPath);
  });
});

const SMALL = {
  ...({ layers: [1, 1, 1, 1], embedDims: [8, 16, 24, 36], segmentDim: [4, 8, 4, 9] } as const),
  ...{ numClasses: 5, mlpRatio: 2, qkvBias: true, dropPath: 0 },
};
const VIDEO: MorphMlpConfig = { ...SMALL, kind: 'video', frames: 6 };
const IMAGE: MorphMlpConfig = { ...SMALL, kind: 'image', frames: 1 };

/** A model whose every tensor counts: none of the zeros of the initialisation. */
function filled(config: MorphMlpConfig): MorphMLP {
  const model = new MorphMLP(config);
  model.namedParameters().forEach(([name, p], i) => {
    const fan = p.ndim > 1 ? p.size / p.shape[0]! : 1;
    const weight =
      p.ndim > 1 ? uniform(i, p.size, Math.sqrt(3 / fan)) : uniform(i, p.size, 0.2, /norm.*weight/.test(name) ? 1 : 0);
    p.copyFrom(weight);
  });
  return model;
}

/** Logits and gradients of one pass; the stem's biases, whose gradient is rounding alone, are left out. */
function pass(model: MorphMLP, forward: (x: Tensor) => Tensor, x: Float32Array, shape: number[]) {
  model.zeroGrad();
  return scope(() => {
    const logits = forward(tensor(x, shape));
    backward(logits, tensor(uniform(9, logits.size), logits.shape));
    const named = model.namedParameters().filter(([name]) => !/^patch_embed1\.proj\d\.bias$/.test(name));
    return new Map([['logits', logits.floats()], ...named.map(([name, p]) => [name, p.grad!.floats()] as const)]);
  });
}

test.each([
  [VIDEO, 50, 38],
  [VIDEO, 33, 64],
  [{ ...VIDEO, frames: 5, qkvBias: false }, 40, 40],
  [IMAGE, 50, 38],
  [IMAGE, 97, 32],
] as [MorphMlpConfig, number, number][])(
  '%# any input size: the fused model is the model of simple layers',
  (config, h, w) => {
    const model = filled(config);
    const shape = [2, 3, config.frames, h, w];
    const x = uniform(
      1,
      shape.reduce((a, b) => a * b, 1),
    );
    for (const mode of [true, false]) {
      model.train(mode);
      const simple = pass(model, (t) => simpleModel(model, t), x, shape);
      const fused = pass(model, (t) => model.forward(t), x, shape);
      for (const [name, values] of fused) {
        const error = relativeError(values, simple.get(name)!);
        expect({ name, mode, error, same: error < 3e-5 }).toMatchObject({ name, same: true });
      }
    }
    model.dispose();
  },
);

test('an image may have no time dimension', () => {
  const model = filled(IMAGE).eval() as MorphMLP;
  const x = uniform(1, 2 * 3 * 40 * 36);
  const [flat, clip] = [
    [2, 3, 40, 36],
    [2, 3, 1, 40, 36],
  ].map((shape) => scope(() => model.forward(tensor(x, shape)).floats()));
  expect(flat).toEqual(clip);
  model.dispose();
});

test('at the initial values the temporal part adds nothing', () => {
  const block = new MorphMLP(VIDEO).blocks1[0]!;
  scope(() => {
    const x = tensor(uniform(2, 3 * 4 * 4 * 8), [1, 3, 4, 4, 8]);
    expect(
      block
        .t_fc!.forward(block.t_norm1!.forward(x))
        .floats()
        .every((v) => v === 0),
    ).toBe(true);
  });
});

test('a forward pass leaves no live tensors', () => {
  const model = filled(VIDEO);
  const x = uniform(1, 3 * 6 * 40 * 40);
  // Twice: the packed form of weights is cached from their second unchanged use on.
  for (let i = 0; i < 2; i++) pass(model, (t) => model.forward(t), x, [1, 3, 6, 40, 40]);
  model.zeroGrad();
  const { live } = memory();
  pass(model, (t) => model.forward(t), x, [1, 3, 6, 40, 40]);
  model.zeroGrad();
  expect(memory().live).toBe(live);
  model.dispose();
});

describe('bad input is refused in one sentence', () => {
  const video = new MorphMLP(VIDEO);
  const image = new MorphMLP(IMAGE);
  const expected = (frames: number) => `MorphMLP: x must be [B, 3, ${frames}, H, W] with H and W of at least 32, got`;

  test.each([
    [[1, 4, 6, 32, 32], 6],
    [[1, 3, 8, 32, 32], 6],
    [[1, 3, 6, 31, 32], 6],
    [[3, 6, 32, 32], 6],
    [[1], 6],
    [[], 6],
  ])('video %j', (shape, frames) =>
    expect(() => scope(() => video.forward(zeros(shape)))).toThrow(`${expected(frames)} [${shape.join(', ')}]`),
  );

  test.each([[[1, 3, 2, 32, 32]], [[3, 32, 32]]])('image %j', (shape) =>
    expect(() => scope(() => image.forward(zeros(shape)))).toThrow(expected(1)),
  );

  test('another dtype', () => {
    const x = () => zeros([1, 3, 6, 32, 32], { dtype: 'u8' });
    expect(() => scope(() => video.forward(x()))).toThrow(/conv3d: x .*expected f32.*u8|x must be f32, got u8/);
  });

  test.each([
    [{ layers: [1, 0, 1, 1] }, 'model: stage 2: layers must be a whole number of at least 1, got 0'],
    [{ segmentDim: [4, 8, 5, 9] }, 'model: stage 3: 24 channels are not a multiple of the chunk length 5'],
    [{ embedDims: [6, 16, 24, 36], segmentDim: [2, 8, 4, 9] }, 'model: stage 1: 6 channels are not a multiple of 4'],
    [{ frames: 2.5 }, 'model: frames must be a whole number of at least 1, got 2.5'],
    [{ numClasses: 0 }, 'model: classes must be a whole number of at least 1, got 0'],
    [{ dropPath: 1 }, 'model: drop path must be in [0, 1), got 1'],
    [{ dropPath: NaN }, 'model: drop path must be in [0, 1), got NaN'],
    [{ mlpRatio: 0 }, 'model: MLP ratio must be above 0, got 0'],
  ] as [Partial<MorphMlpConfig>, string][])('the configuration %j', (change, message) =>
    expect(() => new MorphMLP({ ...VIDEO, ...change })).toThrow(message),
  );

  test('an unknown variant', () =>
    expect(() => create('video-x')).toThrow("model 'video-x' is not one of quickstart, "));
});
