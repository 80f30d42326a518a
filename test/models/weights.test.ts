import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { execFileSync, spawnSync } from 'node:child_process';
import { inputSpec } from '../../src/data/input_spec';
import { NORMALISATION } from '../../src/data/normalisation';
import { dryRun } from '../../src/core/dry_run';
import { toFloat32, type TensorData } from '../../src/formats/dtypes';
import { writeSafetensors } from '../../src/formats/safetensors';
import { loadPyTorch } from '../../src/formats/torch';
import { torchFile, type Tree } from '../formats/torch/pytorch_files';
import { loadCheckpoint } from '../../src/formats/checkpoint';
import { noGrad } from '../../src/core/autograd';
import { value } from '../../src/formats/reference';
import { VARIANTS, type MorphMlpConfig } from '../../src/models/config';
import { initialise } from '../../src/models/initialise';
import { load, readWeights, storedTensors } from '../../src/models/load';
import { create, MorphMLP, type FeatureName } from '../../src/models/morphmlp';
import { expectVariant, recognise } from '../../src/models/recognise';
import type { StoredTensor } from '../../src/nn/module';
import { scope } from '../../src/core/scope';
import { tensor, type Shape } from '../../src/core/tensor';
import { relativeError } from '../../src/bench/op_cases/compare';
import { uniform } from '../../src/bench/op_cases/random';

const checkpoints = path.join(__dirname, '..', 'fixtures', 'reference', 'checkpoints');
const file = (name: string) => path.join(checkpoints, name);
const folder = mkdtempSync(path.join(os.tmpdir(), 'morphmlp-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** Names and shapes of a variant's tensors, without its memory. */
const shapesOf = (name: string) =>
  dryRun(() => new Map([...create(name).stateDict()].map(([key, t]) => [key, { shape: t.shape as Shape }])));

describe('recognition', () => {
  test.each(Object.keys(VARIANTS))('%s by its shapes alone', (name) =>
    expect(recognise(shapesOf(name))).toEqual({ variant: name, config: VARIANTS[name]!.config }),
  );

  test('B loaded as S is refused, naming both', () =>
    expect(() => expectVariant(recognise(shapesOf('video-b')), 'video-s')).toThrow(
      'it holds video-b (layers 4, 6, 15, 4, widths 112, 224, 392, 784, 16 frames), not video-s (layers 3, 4, 9, 3, widths 112, 224, 392, 784, 16 frames)',
    ));

  test('16 and 32 frames are distinguished, and an impossible hint is refused', () => {
    expect(recognise(shapesOf('video-s-32')).config.frames).toBe(32);
    expect(() => recognise(shapesOf('video-s-32'), { frames: 16 })).toThrow(
      'the temporal FCs have rows of 112, 224, 448, 784; 16 frames need 112, 224, 392, 784',
    );
  });

  test('other networks, and widths without known chunks, are refused', () => {
    expect(() => recognise(new Map([['conv1.weight', { shape: [1] }]]))).toThrow(
      'these are not the weights of a MorphMLP: there is no tensor blocks1.0.norm1.weight',
    );
    expect(() => readWeights(file('tiny_video16.pth'))).toThrow(
      /tiny_video16.pth: no published model has widths 16, 32, 32, 64, and weights do not show the chunk lengths: give them \(--segment-dim\)$/,
    );
  });
});

const SEGMENTS = [8, 8, 16, 4] as const;
interface Case {
  x: number[];
  eval_logits: number[][];
}
const reference = JSON.parse(readFileSync(path.join(checkpoints, '..', 'tiny.json'), 'utf8')) as Record<string, Case>;

function expectLogits(network: MorphMLP, name: string): void {
  const { x, eval_logits } = reference[name]!;
  const logits = scope(() =>
    noGrad(() =>
      network
        .eval()
        .forward(tensor(value(`${name}.x`, x), x))
        .floats(),
    ),
  );
  expect(relativeError(logits, eval_logits.flat())).toBeLessThan(2e-6);
  network.dispose();
}

test.each([
  ['tiny_video16.pth', 'tiny_video16'],
  ['tiny_video16_legacy.pth', 'tiny_video16'],
  ['tiny_video16_slowfast.pyth', 'tiny_video16'],
  ['tiny_image_deit_style.pth', 'tiny_image'],
])("%s gives the authors' logits, and so does what convert makes of it", (name, referenceCase) => {
  expectLogits(load(file(name), { segmentDim: SEGMENTS }).network, referenceCase);
  const out = path.join(folder, `${name}.safetensors`);
  const cli = path.join(__dirname, '..', '..', 'bin', 'morphmlp.js');
  const said = execFileSync(process.execPath, [cli, 'convert', file(name), out, '--segment-dim', SEGMENTS.join(',')]);
  expect(said.toString()).toMatch(/layers 1, 1, 2, 1, widths 16, 32, 32, 64(, 16 frames)?\), 8 classes\nwritten to /);
  expectLogits(load(out).network, referenceCase);
});

describe('the weights of one model under the keys and prefixes of training scripts', () => {
  const weights = loadPyTorch(file('tiny_video16.pth')).tensors;
  const moved = new Map(
    [...weights].map(([name, t]): [string, TensorData] => {
      return [name, t.dtype === 'F32' ? { ...t, data: (t.data as Float32Array).map((v) => -v) } : t];
    }),
  );
  const prefixed = (prefix: string, tensors = weights) => new Map([...tensors].map(([name, t]) => [prefix + name, t]));
  const counter: TensorData = { dtype: 'I64', shape: [], data: new BigInt64Array([3n]) };
  const put = (name: string, content: Buffer) => {
    const to = path.join(folder, name);
    writeFileSync(to, content);
    return to;
  };
  const read = (from: string, weightsKey?: string) => readWeights(from, { segmentDim: SEGMENTS, weightsKey });
  const expected = new Map([...weights].map(([name, t]) => [name, { shape: t.shape, data: toFloat32(t) }]));

  const trees: [key: string, tree: Tree][] = [
    ['.', weights],
    ['model_state_dict', { epoch: 3, model_state_dict: weights }],
    ['state_dict.model', { state_dict: new Map([...prefixed('model.'), ['criterion.weight', counter]]), loops: {} }],
    ['_orig_mod.module', new Map([...prefixed('_orig_mod.module.'), ['_orig_mod.n_averaged', counter]])],
    ['module', { module: weights, optimizer: { state: { exp_avg: new Map([['head.weight', counter]]) } } }],
    ['learner.nets.student.backbone', { learner: { nets: prefixed('student.backbone.') } }],
  ];

  test.each(trees)('%s in a PyTorch file', (key, tree) => {
    const found = read(put('checkpoint_best.pth.tar', torchFile(tree)));
    expect(found.key).toBe(key);
    expect(found.tensors).toEqual(expected);
  });

  test.each(['module.', '_orig_mod.', 'ema.module.', 'model.backbone.'])('%s in a safetensors file', (prefix) => {
    const from = path.join(folder, 'misnamed.bin');
    writeSafetensors(from, new Map([...prefixed(prefix), ['n_averaged', counter]]));
    const found = read(from);
    expect(found.key).toBe(prefix.slice(0, -1));
    expect(found.tensors).toEqual(expected);
  });

  test('two sets are ambiguous without a key', () => {
    const from = put('two', torchFile({ state_dict: weights, state_dict_ema: moved }));
    expect(() => read(from)).toThrow(`${from}: 2 sets of weights fit: state_dict, state_dict_ema; choose one with: `);
    expect(read(from, 'state_dict').tensors).toEqual(expected);
    const head = (tensors: ReadonlyMap<string, StoredTensor>) =>
      Array.from(tensors.get('head.weight')!.data as Float32Array);
    expect(head(read(from, 'state_dict_ema').tensors)).toEqual(head(expected).map((v) => -v));
    const out = path.join(folder, 'ema.safetensors');
    const cli = path.join(__dirname, '..', '..', 'bin', 'morphmlp.js');
    const args = ['convert', from, out, '--segment-dim', SEGMENTS.join(','), '--weights-key', 'state_dict_ema'];
    expect(execFileSync(process.execPath, [cli, ...args]).toString()).toContain('the weights under state_dict_ema');
    expect(head(storedTensors(loadCheckpoint(out).tensors))).toEqual(head(expected).map((v) => -v));
  });

  test('a tensor that is not read is refused where the model needs it', () => {
    const counted = new Map([...weights, ['zzz', { dtype: 'I64', shape: [1], data: new BigInt64Array(1) }]] as never);
    const plain = path.join(folder, 'counted.safetensors');
    writeSafetensors(plain, counted as Map<string, TensorData>);
    const retyped = (name: string, from: string, to: string) => {
      const bytes = readFileSync(plain);
      bytes.write(to, bytes.indexOf(from, bytes.indexOf(`"${name}"`)), 'latin1');
      return put(`${name}.safetensors`, bytes);
    };
    const needed = retyped('norm.bias', '"F32"', '"U32"');
    expect(() => load(needed, { segmentDim: SEGMENTS })).toThrow(
      `${needed}: norm.bias: tensor "norm.bias": dtype "U32" is not one that can be read`,
    );
    load(retyped('zzz', '"I64"', '"U64"'), { segmentDim: SEGMENTS }).network.dispose();
    expect(() => load(plain, { segmentDim: SEGMENTS })).toThrow('zzz: not in the model');
  });
});

test('convert reports errors in one line, and writes nothing', () => {
  const cli = path.join(__dirname, '..', '..', 'bin', 'morphmlp.js');
  const names = path.join(folder, 'names.txt');
  writeFileSync(names, 'a\nb\n');
  const run = (...args: string[]) => {
    const { status, stderr } = spawnSync(process.execPath, [cli, 'convert', ...args], { encoding: 'utf8' });
    expect(status).toBe(1);
    return stderr.replaceAll(checkpoints, '…').trim();
  };
  const [from, out] = [file('tiny_video16.pth'), path.join(folder, 'no.safetensors')];
  const chunks = ['--segment-dim', SEGMENTS.join(',')];
  expect(run(from, out, ...chunks, '--model', 'video-s')).toMatch(
    /^morphmlp: …\/tiny_video16.pth: it holds a video model \(layers 1, 1, 2, 1, .*\), not video-s \(layers 3, 4, 9, 3, .*\)$/,
  );
  expect(run(from, out, ...chunks, '--classes', names)).toMatch(/: it has 8 classes, 2 names were given$/);
  expect(run(from, out, '--segment-dim', '1,2')).toMatch(/Expected four whole numbers such as 14,28,28,49\.$/);
  expect(run(from, 'out.bin')).toBe('morphmlp: out.bin: expected a name that ends in .safetensors');
  expect(run(file('hostile_os_system.pth'), out)).toMatch(/posix\.system|os\.system/);
  expect(() => loadCheckpoint(out)).toThrow();
});

describe('starting from other weights', () => {
  const SIZES = {
    ...({ layers: [1, 1, 2, 1], embedDims: [16, 32, 32, 64], segmentDim: SEGMENTS } as const),
    ...{ numClasses: 8, mlpRatio: 3, qkvBias: true, dropPath: 0 },
  };
  const image: MorphMlpConfig = { ...SIZES, kind: 'image', frames: 1 };
  const video: MorphMlpConfig = { ...SIZES, kind: 'video', frames: 8 };
  const stateOf = (model: MorphMLP) =>
    new Map(
      [...model.stateDict()].map(([name, t]): [string, StoredTensor] => [name, { shape: t.shape, data: t.floats() }]),
    );

  /** Every feature map of one clip, [T, H, W, C] each. */
  function features(model: MorphMLP, x: Float32Array, shape: number[]): Map<FeatureName | 'logits', Float32Array> {
    const found = new Map<FeatureName | 'logits', Float32Array>();
    scope(() =>
      noGrad(() => {
        const logits = model.eval().forward(tensor(x, shape), (name, tokens) => found.set(name, tokens.floats()));
        found.set('logits', logits.floats());
      }),
    );
    return found;
  }

  /** The image model of the checkpoints, and a still clip of `frames` frames. */
  const pretrained = load(file('tiny_image_deit_style.pth'), { segmentDim: SEGMENTS }).network;
  const picture = uniform(4, 3 * 48 * 40);
  const still = (frames: number) => {
    const clip = new Float32Array(3 * frames * 48 * 40);
    for (let c = 0; c < 3; c++)
      for (let t = 0; t < frames; t++) clip.set(picture.subarray(c * 1920, (c + 1) * 1920), (c * frames + t) * 1920);
    return clip;
  };

  test('on a still clip the video model has the features of the image model at every step', () => {
    const model = new MorphMLP(video);
    const { fresh } = initialise(model, stateOf(pretrained));
    expect(fresh).toEqual(['the temporal parts: an image model has none']);
    const expected = features(pretrained, picture, [1, 3, 1, 48, 40]);
    for (const [name, values] of features(model, still(8), [1, 3, 8, 48, 40])) {
      const image = expected.get(name)!;
      for (let step = 0; step < values.length / image.length; step++)
        expect(relativeError(values.subarray(step * image.length, (step + 1) * image.length), image)).toBeLessThan(
          2e-6,
        );
    }
    model.dispose();
  });

  test('with the mean over time that holds from the second step of the stem on', () => {
    const model = new MorphMLP(video);
    initialise(model, stateOf(pretrained), { inflate: 'mean' });
    const stem = (m: MorphMLP, x: Float32Array, frames: number) =>
      features(m, x, [1, 3, frames, 48, 40]).get('patch_embed1')!;
    const [one, all] = [stem(pretrained, picture, 1), stem(model, still(8), 8)];
    for (const step of [1, 2, 3])
      expect(relativeError(all.subarray(step * one.length, (step + 1) * one.length), one)).toBeLessThan(2e-6);
    expect(relativeError(all.subarray(0, one.length), one)).toBeGreaterThan(1e-2);
    model.dispose();
  });

  test('from other frames everything but time is taken over, and the first pass adds nothing over time', () => {
    const [from, to] = [new MorphMLP({ ...video, frames: 16 }), new MorphMLP({ ...video, frames: 8 })];
    from.namedParameters().forEach(([, p], i) => p.copyFrom(uniform(i, p.size, 0.3)));
    const { fresh, copied } = initialise(to, stateOf(from), { frames: 16 });
    expect(fresh).toEqual(['the temporal parts: trained on 16 frames']);
    expect(copied).toBe(to.namedTensors().filter(([name]) => !/\.(t_fc|t_norm1)\./.test(name)).length);
    const t = new Map(to.namedTensors());
    expect(
      t
        .get('blocks3.1.t_fc.mlp_t.weight')!
        .floats()
        .every((v) => v === 0),
    ).toBe(true);
    expect(t.get('blocks3.1.mlp.fc1.weight')!.floats()).toEqual(
      new Map(from.namedTensors()).get('blocks3.1.mlp.fc1.weight')!.floats(),
    );
    from.dispose();
    to.dispose();
  });

  test('another head needs --reset-head; other sizes are refused; the model is then unchanged', () => {
    const model = new MorphMLP({ ...video, numClasses: 5 });
    const before = stateOf(model);
    expect(() => initialise(model, stateOf(pretrained))).toThrow(
      'the head has 8 classes, this model 5: --reset-head initialises the head',
    );
    expect(stateOf(model)).toEqual(before);
    const { fresh } = initialise(model, stateOf(pretrained), { resetHead: true });
    expect(fresh[0]).toBe('the head: 8 classes there, 5 here');
    expect(stateOf(model).get('head.weight')).toEqual(before.get('head.weight'));
    const deeper = new MorphMLP({ ...video, layers: [1, 1, 3, 1] });
    expect(() => initialise(deeper, stateOf(pretrained))).toThrow(
      /^it holds an? image model \(layers 1, 1, 2, 1.*this is a video model \(layers 1, 1, 3, 1/,
    );
    const still = new MorphMLP(image);
    expect(() => initialise(still, stateOf(new MorphMLP(video)))).toThrow(/it holds a video model/);
    const partial = stateOf(pretrained);
    partial.delete('norm.bias');
    expect(() => initialise(still, partial)).toThrow('tensors are missing from it: norm.bias');
  });
});

test('a foreign safetensors file is recognised', () => {
  const from = load(file('tiny_video16.pth'), { segmentDim: SEGMENTS }).network;
  const out = path.join(folder, 'plain.safetensors');
  const tensors = [...from.stateDict()].map(([name, t]): [string, TensorData] => [
    name,
    { dtype: 'F32', shape: [...t.shape], data: t.floats() },
  ]);
  writeSafetensors(out, new Map(tensors), new Map());
  from.dispose();
  const { network, classNames, input } = load(out, { segmentDim: SEGMENTS });
  expect([classNames[7], input]).toEqual([
    'class 7',
    inputSpec({ frames: 16, rate: 4, crop: 224, normalisation: NORMALISATION }),
  ]);
  expectLogits(network, 'tiny_video16');
});
