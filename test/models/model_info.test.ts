import { readFileSync, mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { uniform } from '../../src/bench/op_cases/random';
import { inputSpec } from '../../src/data/input_spec';
import { loadCheckpoint, saveCheckpoint, type Json } from '../../src/formats/checkpoint';
import type { TensorData } from '../../src/formats/dtypes';
import { load } from '../../src/models/load';
import { readInput } from '../../src/models/model_info';
import { MorphMLP } from '../../src/models/morphmlp';
import { saveWeights } from '../../src/train/state';
import { logitsOf } from '../../src/train/views';

const folder = mkdtempSync(path.join(os.tmpdir(), 'morphmlp-'));
afterAll(() => rmSync(folder, { recursive: true }));
const at = (name: string) => path.join(folder, name);

const NORMALISATION = { mean: [0.1, 0.2, 0.3], std: [0.4, 0.5, 0.6] };
const CONFIG = {
  ...({ kind: 'video', layers: [1, 1, 1, 1], embedDims: [8, 16, 24, 36], segmentDim: [4, 8, 4, 9] } as const),
  ...{ frames: 4, numClasses: 3, mlpRatio: 3, qkvBias: true, dropPath: 0 },
};
const INPUT = inputSpec({ frames: 4, rate: 2, crop: 32, normalisation: NORMALISATION });
const good = at('good.safetensors');

beforeAll(() => {
  const model = new MorphMLP(CONFIG);
  saveWeights(good, model, { model: CONFIG, classNames: ['a', 'b', 'c'], input: INPUT });
  model.dispose();
});

type Meta = Record<string, Record<string, Json>>;

/** The good checkpoint with something else in its metadata or tensors. */
function changed(change: (meta: Meta, tensors: Map<string, TensorData>) => void): string {
  const { tensors, meta } = loadCheckpoint(good);
  change(meta as unknown as Meta, tensors);
  saveCheckpoint(at('changed.safetensors'), { tensors, meta });
  return at('changed.safetensors');
}

const set = (part: string, field: string, value: Json | undefined) => (meta: Meta) => {
  if (value === undefined) delete meta[part]![field];
  else meta[part]![field] = value;
};

test('valid metadata are read as written', () => {
  const { network, ...info } = load(good);
  expect(info).toEqual({ model: CONFIG, classNames: ['a', 'b', 'c'], input: INPUT, notes: [], key: '.' });
  network.dispose();
});

test('fields that the first versions did not store get the values that they used', () => {
  const file = changed((meta) => (meta['input'] = { frames: 4, rate: 2, crop: 32 }));
  const { network, input } = load(file);
  network.dispose();
  expect(input).toEqual({
    ...{ frames: 4, rate: 2, crop: 32, sampling: 'dense', targetFps: 30, offset: true, testScale: 32 },
    ...{
      ignoreSar: false,
      channelOrder: 'rgb',
      normalisation: { mean: [0.45, 0.45, 0.45], std: [0.225, 0.225, 0.225] },
    },
  });
});

const WRONG: [string, (meta: Meta) => void, string][] = [
  ['kind', set('model', 'kind', 'audio'), 'model.kind: expected video or image, got "audio"'],
  ['another kind', set('model', 'kind', 'image'), 'model.kind: the metadata says "image", the tensors show "video"'],
  [
    'layers missing',
    set('model', 'layers', undefined),
    'model.layers: expected 4 whole numbers from 1 to 1000, got nothing',
  ],
  [
    'layers huge',
    set('model', 'layers', [1e9, 1, 1, 1]),
    'model.layers: expected 4 whole numbers from 1 to 1000, got [1000000000,1,1,1]',
  ],
  [
    'layers too many',
    set('model', 'layers', [2, 1, 1, 1]),
    'model.layers: the metadata says [2,1,1,1], the tensors show [1,1,1,1]',
  ],
  ['three layers', set('model', 'layers', [1, 1, 1]), 'model.layers: expected 4 whole numbers'],
  [
    'widths huge',
    set('model', 'embedDims', [2 ** 31, 16, 24, 36]),
    'model.embedDims: expected 4 whole numbers from 1 to 65536',
  ],
  [
    'widths of another',
    set('model', 'embedDims', [8, 16, 24, 40]),
    'model.embedDims: the metadata says [8,16,24,40], the tensors show [8,16,24,36]',
  ],
  ['chunks', set('model', 'segmentDim', [0, 8, 4, 9]), 'model.segmentDim: expected 4 whole numbers'],
  [
    'chunks that do not fit',
    set('model', 'segmentDim', [5, 8, 4, 9]),
    'model: stage 1: 8 channels are not a multiple of the chunk length 5',
  ],
  ['frames of another', set('model', 'frames', 16), 'input.frames: expected 16, as model.frames says, got 4'],
  ['classes', set('model', 'numClasses', 2.5), 'model.numClasses: expected a whole number from 1 to 1000000, got 2.5'],
  ['ratio', set('model', 'mlpRatio', '3'), 'model.mlpRatio: expected a number above 0 up to 1000, got "3"'],
  ['ratio of another', set('model', 'mlpRatio', 4), 'model.mlpRatio: the metadata says 4, the tensors show 3'],
  ['bias', set('model', 'qkvBias', 1), 'model.qkvBias: expected true or false, got 1'],
  ['no bias', set('model', 'qkvBias', false), 'model.qkvBias: the metadata says false, the tensors show true'],
  ['drop path', set('model', 'dropPath', 1.5), 'model.dropPath: expected a number from 0 to 0.9999, got 1.5'],
  [
    'ablation',
    set('model', 'ablation', { spatial: 'conv_9x9' }),
    'model.ablation.spatial: expected morph_fc or conv_3x3',
  ],
  ['ablation of another', set('model', 'ablation', { weighting: 'sum' }), 'model.ablation: the metadata says'],
  ['unknown switch', set('model', 'ablation', { depth: 3 }), 'model.ablation: unknown switch "depth"'],
  ['no model', (meta) => delete meta['model'], 'model: expected an object, got nothing'],
  ['a model that is a list', (meta) => (meta['model'] = [] as never), 'model: expected an object, got []'],
  ['no names', (meta) => delete meta['classNames'], 'classNames: expected a list of 3 names, got nothing'],
  [
    'too few names',
    (meta) => (meta['classNames'] = ['a', 'b'] as never),
    'classNames: expected 3 names, as many as there are classes, got 2',
  ],
  [
    'names of both',
    (meta) => Object.assign(meta, { classNames: ['a', 'b'], model: { ...meta['model'], numClasses: 2 } }),
    'model.numClasses: the metadata says 2, the tensors show 3',
  ],
  [
    'a name twice',
    (meta) => (meta['classNames'] = ['a', 'b', 'a'] as never),
    'classNames[2]: duplicate name "a", also number 0',
  ],
  [
    'an unknown name',
    (meta) => (meta['classNames'] = ['a', 7, 'b'] as never),
    'classNames[1]: expected a name of 1 to 1000 characters, got 7',
  ],
  [
    'an empty name',
    (meta) => (meta['classNames'] = ['a', ' ', 'b'] as never),
    'classNames[1]: expected a name of 1 to 1000 characters, got " "',
  ],
  [
    'escapes in a name',
    (meta) => (meta['classNames'] = ['a', '\x1b[2Jb', 'c'] as never),
    'classNames[1]: control characters in the name "\\u001b[2Jb"',
  ],
  ['no input', (meta) => delete meta['input'], 'input: expected an object, got nothing'],
  ['crop as text', set('input', 'crop', '64'), 'input.crop: expected a whole number from 1 to 16384, got "64"'],
  ['frames huge', set('input', 'frames', 1e9), 'input.frames: expected a whole number from 1 to 4096, got 1000000000'],
  ['rate', set('input', 'rate', 0), 'input.rate: expected a whole number from 1 to 10000, got 0'],
  ['sampling', set('input', 'sampling', 'sparse'), 'input.sampling: expected dense or segment, got "sparse"'],
  ['frame rate', set('input', 'targetFps', 0), 'input.targetFps: expected a number above 0 up to 10000, got 0'],
  ['offset', set('input', 'offset', 'yes'), 'input.offset: expected true or false, got "yes"'],
  ['short side', set('input', 'testScale', null), 'input.testScale: expected a whole number from 1 to 16384, got null'],
  ['channels', set('input', 'channelOrder', 'bgr'), 'input.channelOrder: expected rgb, got "bgr"'],
  [
    'mean',
    set('input', 'normalisation', { mean: [0.5], std: [1, 1, 1] }),
    'input.normalisation.mean: expected 3 numbers from -1000 to 1000, got [0.5]',
  ],
  [
    'std',
    set('input', 'normalisation', { mean: [0, 0, 0], std: [1, 0, 1] }),
    'input.normalisation.std: expected 3 numbers from 0.000001 to 1000, got [1,0,1]',
  ],
];

test.each(WRONG)('%s: one sentence that starts with the file and names the field', (_, change, message) => {
  const file = changed(change);
  expect(() => load(file)).toThrow(`${file}: ${message}`);
});

test('given names replace invalid ones', () => {
  const file = changed((meta) => (meta['classNames'] = ['a', 'a', 'a'] as never));
  const { network, classNames } = load(file, { classNames: ['x', 'y', 'z'] });
  network.dispose();
  expect(classNames).toEqual(['x', 'y', 'z']);
});

describe('NaN and infinity', () => {
  test.each([NaN, Infinity, -Infinity])('a weight that is %p is named', (value) => {
    const file = changed((_, tensors) => ((tensors.get('blocks3.0.norm2.weight')!.data as Float32Array)[5] = value));
    expect(() => load(file)).toThrow(
      `${file}: tensor blocks3.0.norm2.weight [24]: element 5 is ${value}, expected a finite number`,
    );
  });

  test('a weight of 16 bits too, and a variance below 0 by the tokens that become NaN', () => {
    const half = changed((_, tensors) => {
      tensors.set('head.bias', { dtype: 'BF16', shape: [3], data: Uint16Array.of(0, 0x7fc0, 0) });
    });
    expect(() => load(half)).toThrow(`${half}: tensor head.bias [3]: element 1 is NaN, expected a finite number`);
    const { network } = load(
      changed((_, tensors) => (tensors.get('patch_embed1.norm1.running_var')!.data as Float32Array).fill(-1)),
    );
    const pixels = Uint8Array.from(uniform(1, 4 * 32 * 32 * 3), (u) => 128 + 100 * u);
    const clip = { pixels, frames: 4, height: 32, width: 32, label: 0, path: 'x' };
    network.eval();
    expect(() => logitsOf(network, [clip], NORMALISATION)).toThrow(
      'the scores are NaN or infinite: the weights are finite; the first tokens that are not: blocks1.0, input',
    );
    network.dispose();
  });
});

test('a specification from other settings has the same limits', () =>
  expect(() => readInput({ ...INPUT, crop: NaN }, 4)).toThrow('input.crop: expected a whole number from 1 to 16384'));

test('the metadata of a file contain the whole specification', () => {
  const bytes = readFileSync(good);
  const header = bytes.subarray(8, 8 + Number(bytes.readBigUInt64LE(0))).toString();
  const { __metadata__: metadata } = JSON.parse(header) as { __metadata__: { meta: string } };
  expect((JSON.parse(metadata.meta) as { input: unknown }).input).toEqual(INPUT);
});
