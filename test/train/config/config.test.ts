import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import {
  defaults,
  overrideSettings,
  presetNames,
  presetSettings,
  printConfig,
  readSettings,
  withoutEffect,
  withSettings,
} from '../../../src/train/config/config';
import { runOptions, testingOf } from '../../../src/train/config/recipe';
import { resolveConfig } from '../../../src/cli/commands/train_settings';
import { VARIANTS } from '../../../src/models/config';
import { Run } from '../../../src/train/run';

const folder = mkdtempSync(path.join(os.tmpdir(), 'morphmlp-'));
const at = (name: string) => path.join(folder, name);
afterAll(() => rmSync(folder, { recursive: true }));

const official = (name: string) => path.join(__dirname, '..', '..', 'fixtures', 'configs', `${name}.yaml`);
const OFFICIAL = ['K400_MLP_S16x4', 'SSV2_MLP_B16'];

const read = (name: string, ...pairs: string[]) =>
  withSettings(withSettings(defaults(), readSettings(official(name))), overrideSettings(pairs));

test.each(OFFICIAL)(
  "the authors' %s: every value that it sets is printed back, the rest are their defaults",
  (name) => {
    const given = new Map(readSettings(official(name)).map(({ key, value }) => [key, value]));
    writeFileSync(at('printed.yaml'), printConfig(read(name)));
    const printed = new Map(readSettings(at('printed.yaml')).map(({ key, value }) => [key, value]));
    expect(given.size).toBeGreaterThan(55);
    for (const [key, value] of given) expect([key, printed.get(key)]).toEqual([key, value]);
    const base = defaults() as Record<string, unknown>;
    for (const [key, value] of printed) if (!given.has(key)) expect([key, value]).toEqual([key, base[key]]);
  },
);

test("the authors' defaults that their files rely on", () => {
  expect(defaults()).toMatchObject({
    'MORPH.QKV_BIAS': true,
    'DATA.TARGET_FPS': 30,
    'DATA.MEAN': [0.45, 0.45, 0.45],
    'DATA.STD': [0.225, 0.225, 0.225],
    'TEST.NUM_ENSEMBLE_VIEWS': 10,
    'TEST.NUM_SPATIAL_CROPS': 3,
    'DATA.TRAIN_JITTER_SCALES': [256, 320],
    'SOLVER.CLIP_GRADIENT': 20,
    'DATA.RANDOM_FLIP': true,
  });
});

test('K400 S16 becomes the run that the authors describe', () => {
  const config = read('K400_MLP_S16x4', 'MORPH.PRETRAIN_PATH', '');
  expect(runOptions(config)).toMatchObject({
    name: 'video-s',
    classes: 400,
    train: { kind: 'list', path: 'data_list/k400/train.csv', separator: ',' },
    val: { path: 'data_list/k400/val.csv' },
    clips: { frames: 16, rate: 4, crop: 224, sampling: 'dense', samples: 2, flip: true, offset: true },
    batchSize: 64,
    mix: { alpha: 0.8, cutmixAlpha: 1, prob: 1, switchProb: 0.5, smoothing: 0.1 },
    optimizer: { method: 'adamw', weightDecay: 0.05, decayAll: false },
    schedule: { baseLr: 2e-4, endLr: 1e-6, warmupStartLr: 1e-6, warmupEpochs: 10, maxEpoch: 60 },
    clipNorm: 20,
    init: null,
    resume: 'auto',
  });
  expect(runOptions(config).clips.augmentation).toMatchObject({ randAugment: 'rand-m7-n4-mstd0.5-inc1', on: 'frame' });
  expect(testingOf(config)).toMatchObject({ views: { clips: 1, crops: 1 }, data: { path: 'data_list/k400/test.csv' } });
});

test('Something-Something is read from lists of frames, sparsely and without mirroring', () => {
  const { train, val, clips, architecture } = runOptions(read('SSV2_MLP_B16'));
  expect(train).toMatchObject({ kind: 'frames', template: '{:06d}.jpg' });
  expect(val!.path).toBe('data_list/sthv2/somesomev2_rgb_validation_split.txt');
  expect(clips).toMatchObject({ sampling: 'segment', flip: false });
  expect(architecture).toMatchObject({ layers: VARIANTS['video-b']!.config.layers, dropPath: 0.6 });
});

test.each(presetNames())('the preset %s is a whole recipe', (name) => {
  const config = withSettings(defaults(), presetSettings(name));
  if (name !== 'own') expect(runOptions(config).out).toBe(`runs/${name}`);
  expect(() => withSettings(defaults(), readSettings(at('printed.yaml')))).not.toThrow();
});

test.each([
  [['TRAIN.BATCHSIZE', '8'], 'command line: unknown key TRAIN.BATCHSIZE; did you mean TRAIN.BATCH_SIZE?'],
  [['TRAIN.BATCH_SIZE', '0'], 'command line: TRAIN.BATCH_SIZE: expected a whole number of at least 1, got 0'],
  [['DATA.RANDOM_FLIP', 'perhaps'], 'DATA.RANDOM_FLIP: expected true or false, got "perhaps"'],
  [['MORPH.LAYERS', '[1, 2]'], 'MORPH.LAYERS: expected 4 whole numbers of at least 1, got [1,2]'],
  [['TRAIN.DATASET', 'ava'], 'TRAIN.DATASET: expected one of kinetics, sth, imagenet, folders, motion, got "ava"'],
  [['MODEL.ARCH', 'mvit'], 'MODEL.ARCH: expected morph (MorphMLP is the only architecture), got "mvit"'],
  [['RNG_SEED'], 'expected pairs of KEY VALUE, got 1 words, the last is RNG_SEED'],
])('%j is refused in one sentence', (pairs, message) => {
  expect(() => withSettings(defaults(), overrideSettings(pairs))).toThrow(message);
});

test.each([
  [
    ['DATA.NUM_FRAMES', '32'],
    'MorphMLP takes clips of 16 frames, but DATA.NUM_FRAMES is 32; set MODEL.MODEL_NAME to MorphMLP_32',
  ],
  [['MODEL.LOSS_FUNC', 'cross_entropy'], 'MODEL.LOSS_FUNC must be soft_cross_entropy'],
  [['MORPH.SEGMENT_DIM', '[15, 28, 28, 49]'], 'stage 1: 112 channels are not a multiple of the chunk length 15'],
  [['SOLVER.WARMUP_EPOCHS', '60'], 'SOLVER.WARMUP_EPOCHS 60 must be less than SOLVER.MAX_EPOCH 60'],
  [
    ['RUN.PRECISION', 'bf16', 'RUN.PLUGINS', '[my_gelu.so]'],
    'RUN.PRECISION bf16: kernels of your own (RUN.PLUGINS) are f32',
  ],
  [['RUN.CUDA_GRAPH', 'True'], 'RUN.CUDA_GRAPH records launches on a GPU: it needs RUN.DEVICE cuda, which is cpu'],
  [
    ['RUN.CUDA_GRAPH', 'True', 'RUN.DEVICE', 'cuda', 'RUN.PLUGINS', '[my_gelu.so]'],
    'RUN.CUDA_GRAPH: kernels of your own (RUN.PLUGINS) are watched as they are launched, and a replay launches them unseen',
  ],
  [['RUN.MEMORY_BUDGET', 'lots'], 'RUN.MEMORY_BUDGET: expected an amount of memory'],
])('%j is an impossible combination', (pairs, message) => {
  expect(() => runOptions(read('K400_MLP_S16x4', ...pairs))).toThrow(message);
});

test('missing pretrained weights are reported before any data is read', () => {
  const config = read('K400_MLP_S16x4', 'OUTPUT_DIR', at('none'), 'DATA.PATH_TO_DATA_DIR', at('nowhere'));
  expect(() => new Run(runOptions(config), {})).toThrow(/pretrained\/video_morphmlp_s.pth: no such file/);
});

test('files are wrong at a line, or not YAML, or based on themselves', () => {
  writeFileSync(at('line.yaml'), 'TRAIN:\n  BATCH_SIZE: 8\n  EPOCHS: 3\n');
  expect(() => withSettings(defaults(), readSettings(at('line.yaml')))).toThrow(
    `${at('line.yaml')}:3: unknown key TRAIN.EPOCHS`,
  );
  writeFileSync(at('broken.yaml'), 'TRAIN: [1,\n');
  expect(() => readSettings(at('broken.yaml'))).toThrow(/broken.yaml: not valid YAML: /);
  writeFileSync(at('circle.yaml'), '_BASE_: circle.yaml\n');
  expect(() => readSettings(at('circle.yaml'))).toThrow('_BASE_ leads in a circle');
  expect(() => readSettings(at('nowhere.yaml'))).toThrow('nowhere.yaml: no such configuration file');
});

test('one number stands for all channels', () => {
  const config = withSettings(defaults(), overrideSettings(['DATA.MEAN', '0', 'DATA.STD', '1']));
  expect([config['DATA.MEAN'], config['DATA.STD']]).toEqual([
    [0, 0, 0],
    [1, 1, 1],
  ]);
  expect(() => withSettings(defaults(), overrideSettings(['DATA.STD', '0']))).toThrow(
    'DATA.STD: expected 3 numbers of at least 0.000001, or one for all channels, got 0',
  );
});

test('ignored keys are reported with the reason', () => {
  const [line] = withoutEffect(readSettings(official('K400_MLP_S16x4')));
  expect(line).toMatch(/^without effect here: .*NUM_GPUS \(RUN.DEVICE selects the device\)/);
  expect(withoutEffect(overrideSettings(['RNG_SEED', '3']))).toEqual([]);
});

test('flags are aliases of keys, and pairs override them', () => {
  const { config } = resolveConfig({ data: 'motion', model: 'video-b', crop: 112, lr: 1e-3, epochs: 6 }, [
    'RNG_SEED',
    '4',
  ]);
  expect(config).toMatchObject({
    'RUN.TRAIN_DATA': 'motion',
    'MORPH.LAYERS': [4, 6, 15, 4],
    'DATA.TEST_CROP_SIZE': 112,
    'DATA.TRAIN_JITTER_SCALES': [128, 160],
    'SOLVER.WARMUP_EPOCHS': 1,
    RNG_SEED: 4,
  });
  expect(() => resolveConfig({ cfg: 'a.yaml', preset: 'own' }, [])).toThrow('--cfg and --preset both name a recipe');
  expect(() => resolveConfig({ model: 'video-xl' }, [])).toThrow(
    "model 'video-xl' is not one of quickstart, quickstart-image, video-2m, video-8m, image-t",
  );
});

describe('aliases, merges and bases', () => {
  const settings = (name: string, text: string) => {
    writeFileSync(at(name), text);
    return Object.fromEntries(readSettings(at(name)).map(({ key, value }) => [key, value]));
  };

  test('an alias resolves to its anchor: a value, a list, a section', () =>
    expect(
      settings(
        'alias.yaml',
        'TEST: &t\n  BATCH_SIZE: &b 3\nTRAIN: *t\nMORPH:\n  LAYERS: &l [1, 1, 1, 1]\n  EMBED_DIMS: *l\nSOLVER:\n  MAX_EPOCH: *b\n',
      ),
    ).toEqual({
      ...{ 'TEST.BATCH_SIZE': 3, 'TRAIN.BATCH_SIZE': 3, 'SOLVER.MAX_EPOCH': 3 },
      ...{ 'MORPH.LAYERS': [1, 1, 1, 1], 'MORPH.EMBED_DIMS': [1, 1, 1, 1] },
    }));

  test("a merge gives keys that the section's own overrule, the first of a list before the others", () =>
    expect(
      settings(
        'merge.yaml',
        'A: &a {X: 1, Y: 1}\nB: &b {X: 2, Y: 2, Z: 2}\nC:\n  X: 0\n  <<: [*a, *b]\nD:\n  <<: *b\n  Z: 9\n',
      ),
    ).toMatchObject({ 'C.X': 0, 'C.Y': 1, 'C.Z': 2, 'D.X': 2, 'D.Y': 2, 'D.Z': 9 }));

  test.each([
    ['an alias without anchor', 'TRAIN: *x\n', /x\.yaml:1: alias \*x has no anchor before it$/],
    ['an alias within itself', 'A: &a\n  B: *a\n', /x\.yaml:2: A\.B\S*: sections nested more than 8 deep$/],
    [
      'aliases that multiply',
      `A0: &a0 {X: 1}\n${[1, 2, 3, 4, 5, 6]
        .map(
          (i) =>
            `A${i}: &a${i} {${'abcdefghi'
              .split('')
              .map((c) => `${c}: *a${i - 1}`)
              .join(', ')}}`,
        )
        .join('\n')}\n`,
      /x\.yaml: more than 10000 settings$/,
    ],
    ['a merge of what is no section', 'A: &a 3\nB:\n  <<: *a\n', /x\.yaml:3: B: expected keys and values, got 3$/],
    ['a list in place of sections', '- 1\n', /x\.yaml: expected keys and values, got \[1\]$/],
    [
      'a base that is no recipe',
      '_BASE_: /etc/passwd\n',
      /x\.yaml:1: _BASE_: expected the name of a \.yaml file, got "\/etc\/passwd"$/,
    ],
    [
      'a base that is a list',
      '_BASE_: [a.yaml]\n',
      /x\.yaml:1: _BASE_: expected the name of a \.yaml file, got \["a\.yaml"\]$/,
    ],
    [
      'a base that is not there',
      'A: 1\n_BASE_: none.yaml\n',
      /x\.yaml:2: _BASE_: no such configuration file: none\.yaml$/,
    ],
    ['a base of itself', '_BASE_: x.yaml\n', /x\.yaml: _BASE_ leads in a circle: \S+x\.yaml -> \S+x\.yaml$/],
  ])('%s is an error in one sentence', (_, text, message) => expect(() => settings('x.yaml', text)).toThrow(message));

  test('a chain of bases that has no end, and one whose last file is a folder', () => {
    for (let i = 0; i < 12; i++) writeFileSync(at(`chain${i}.yaml`), `_BASE_: chain${i + 1}.yaml\n`);
    expect(() => readSettings(at('chain0.yaml'))).toThrow(/chain8\.yaml: more than 8 files based one on the other/);
    mkdirSync(at('folder.yaml'), { recursive: true });
    expect(() => settings('x.yaml', '_BASE_: folder.yaml\n')).toThrow(
      /folder\.yaml: expected a configuration file, got a folder$/,
    );
  });
});

test.each([
  ['shapes', { crop: 32 }, [], 32],
  ['imagenet_t', { crop: 112 }, [], 128],
  ['imagenet_t', {}, [], 256],
  ['imagenet_t', { crop: 112 }, ['RUN.TEST_SCALE', '120'], 120],
  ['k400_s16', { crop: 112 }, [], 0],
])('%s with %j %j: the short side of test frames is %d', (preset, flags, pairs, scale) => {
  expect(resolveConfig({ preset, ...flags }, pairs).config['RUN.TEST_SCALE']).toBe(scale);
});
