import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { uniform } from '../../src/bench/op_cases/random';
import { noGrad } from '../../src/core/autograd';
import { scope } from '../../src/core/scope';
import { tensor } from '../../src/core/tensor';
import { inputSpec } from '../../src/data/input_spec';
import { plainOf } from '../../src/formats/torch/plain';
import { PickleDict, PickleList, PickleTuple, type PickleValue } from '../../src/formats/torch/values';
import { VARIANTS } from '../../src/models/config';
import { foreignInput, readCfg } from '../../src/models/foreign_input';
import { load } from '../../src/models/load';
import { readInput } from '../../src/models/model_info';
import { runCli } from '../support/run_cli';

const folder = mkdtempSync(path.join(os.tmpdir(), 'morphmlp-'));
afterAll(() => rmSync(folder, { recursive: true }));
const at = (name: string) => path.join(folder, name);
const checkpoints = path.join(__dirname, '..', 'fixtures', 'reference', 'checkpoints');

const YAML = `DATA:
  MEAN: [0.5, 0.4, 0.3]
  STD: &s [0.2, 0.2, 0.1]
  SAMPLING_RATE: 8
  TRAIN_CROP_SIZE: 160
  TEST_CROP_SIZE: 192
  NUM_FRAMES: 32
  REVERSE_INPUT_CHANNEL: true
TRAIN:
  DATASET: ssv2
`;
const FOUND = {
  ...{ frames: 32, rate: 8, crop: 192, sampling: 'segment' },
  ...{ mean: [0.5, 0.4, 0.3], std: [0.2, 0.2, 0.1] },
};

describe("SlowFast's configuration", () => {
  test.each([
    ['YAML', YAML],
    ['YAML with tags of Python', `!!python/object/new:fvcore.common.config.CfgNode\n${YAML}`],
    [
      'YAML in one line',
      JSON.stringify({
        DATA: {
          MEAN: FOUND.mean,
          STD: FOUND.std,
          SAMPLING_RATE: 8,
          TEST_CROP_SIZE: 192,
          NUM_FRAMES: 32,
          REVERSE_INPUT_CHANNEL: true,
        },
        TRAIN: { DATASET: 'Ssv2' },
      }),
    ],
    [
      'a dict',
      {
        DATA: {
          MEAN: FOUND.mean,
          STD: FOUND.std,
          SAMPLING_RATE: 8,
          TEST_CROP_SIZE: 192,
          NUM_FRAMES: 32,
          REVERSE_INPUT_CHANNEL: true,
        },
        TRAIN: { DATASET: 'sth' },
      },
    ],
  ])('is read as %s', (_, cfg) => expect(readCfg(cfg)).toEqual({ input: FOUND, channelOrder: 'bgr' }));

  test('uses the training crop without a test crop, dense sampling for Kinetics, and the chunks', () =>
    expect(
      readCfg(
        'DATA: {TRAIN_CROP_SIZE: 160, TARGET_FPS: 25, USE_OFFSET_SAMPLING: false}\nTRAIN: {DATASET: kinetics}\nMORPH: {SEGMENT_DIM: [1, 2, 3, 4]}',
      ),
    ).toEqual({
      input: { crop: 160, targetFps: 25, offset: false, sampling: 'dense' },
      ...{ channelOrder: 'rgb', segmentDim: [1, 2, 3, 4] },
    }));

  test.each([
    ['DATA: [1,', /^cfg: not valid YAML: /],
    ['just text', /^cfg: expected sections such as DATA and TRAIN$/],
    [7, /^cfg: expected YAML or a dict$/],
  ])('%p is an error', (cfg, message) => expect(() => readCfg(cfg)).toThrow(message));

  test('a pickled dict becomes plain data without its other objects', () => {
    const dict = (entries: [PickleValue, PickleValue][]) => {
      const made = new PickleDict();
      entries.forEach(([key, value]) => made.entries.set(key, value));
      return made;
    };
    const list = new PickleList();
    list.items.push(0.5, 0.4);
    const data = dict([
      ['MEAN', list],
      ['SIZES', new PickleTuple([1, 2n])],
      [3, 'no text key'],
      ['BYTES', Uint8Array.of(1)],
    ]);
    expect(plainOf(dict([['DATA', data]]))).toEqual({ DATA: { MEAN: [0.5, 0.4], SIZES: [1, 2], BYTES: undefined } });
  });
});

describe('precedence', () => {
  const video = VARIANTS['video-s']!.config;

  test('options, then cfg, then the recipe; notes report sources and assumptions', () => {
    const { input, notes } = foreignInput(
      video,
      { rate: 8, mean: [0, 0, 0] },
      { frames: 16, mean: [1, 1, 1], crop: 112 },
    );
    expect(readInput(input, 16)).toEqual(
      inputSpec({ frames: 16, rate: 8, crop: 112, normalisation: { mean: [1, 1, 1], std: [0.225, 0.225, 0.225] } }),
    );
    expect(notes).toEqual([
      "input, from the file's cfg: rate 8",
      'input, assumed since the file does not say: sampling dense; targetFps 30; offset true; std 0.225, 0.225, 0.225 (convert has options)',
    ]);
  });

  test("an image model's statistics are ImageNet's", () => {
    const { input } = foreignInput(VARIANTS['image-t']!.config, undefined, {});
    expect(readInput(input, 1).normalisation).toEqual({ mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225] });
  });

  test('an invalid value throws, naming it', () => {
    const { input } = foreignInput(video, { rate: 'often' }, { frames: 16 });
    expect(() => readInput(input, 16)).toThrow('input.rate: expected a whole number from 1 to 10000, got "often"');
  });
});

test('a network for blue, green, red gives its logits for red, green, blue', () => {
  const from = path.join(checkpoints, 'tiny_image_deit_style.pth');
  const [rgb, bgr] = (['rgb', 'bgr'] as const).map((channelOrder) =>
    load(from, { segmentDim: [8, 8, 16, 4], channelOrder }),
  );
  const x = uniform(4, 3 * 64 * 64);
  const turned = Float32Array.from(x, (_, i) => x[(2 - Math.floor(i / 4096)) * 4096 + (i % 4096)]!);
  const logits = ({ network }: typeof rgb & object, values: Float32Array) =>
    scope(() =>
      noGrad(() =>
        network
          .eval()
          .forward(tensor(values, [1, 3, 64, 64]))
          .floats(),
      ),
    );
  const [expected, found, other] = [logits(rgb!, turned), logits(bgr!, x), logits(rgb!, x)];
  const difference = (a: Float32Array, b: Float32Array) => Math.max(...a.map((v, i) => Math.abs(v - b[i]!)));
  expect(difference(found, expected)).toBeLessThan(1e-5);
  expect(difference(other, expected)).toBeGreaterThan(1e-3);
  expect(bgr!.notes.at(-1)).toMatch(/^channels: blue, green, red/);
  for (const { network } of [rgb!, bgr!]) network.dispose();
});

describe('morphmlp convert', () => {
  const from = path.join(checkpoints, 'tiny_video16_slowfast.pyth');
  const out = at('out.safetensors');
  const run = (...args: string[]) => runCli(['convert', from, out, '--segment-dim', '8,8,16,4', ...args]);

  test('writes the given options, and reports sources and assumptions', () => {
    const { err, out: said } = run(
      '--mean',
      '0.5',
      '--std',
      '0.1,0.2,0.3',
      '--rate',
      '2',
      '--sampling',
      'segment',
      '--test-scale',
      '72',
    );
    expect(err).toContain("input, from the file's cfg: crop 64\n");
    expect(err).toContain(
      'input, assumed since the file does not say: targetFps 30; offset true (convert has options)\n',
    );
    expect(said).toContain(
      'input: 16 frames, one of each part of the video, 64x64 out of a short side of 72, mean 0.5, std 0.1, 0.2, 0.3\n',
    );
    const { network, input, notes } = load(out);
    network.dispose();
    const normalisation = { mean: [0.5, 0.5, 0.5], std: [0.1, 0.2, 0.3] };
    expect(input).toEqual(
      inputSpec({ frames: 16, rate: 2, crop: 64, sampling: 'segment', testScale: 72, normalisation }),
    );
    expect(notes).toEqual([]);
  });

  test('changes the specification of a checkpoint of this program, and keeps the rest', () => {
    const again = at('again.safetensors');
    expect(runCli(['convert', out, again, '--std', '1', '--crop', '96']).status).toBe(0);
    const { network, input } = load(again);
    network.dispose();
    expect(input).toMatchObject({ rate: 2, crop: 96, normalisation: { mean: [0.5, 0.5, 0.5], std: [1, 1, 1] } });
  });

  test.each([
    [['--mean', '1,2'], /Expected one number or three such as 0\.485,0\.456,0\.406\./],
    [['--std', '0'], /input\.normalisation\.std: expected 3 numbers from 0\.000001 to 1000, got \[0,0,0\]$/],
    [['--crop', '99999'], /input\.crop: expected a whole number from 1 to 16384, got 99999$/],
  ])('%p is an error', (args, message) => expect(run(...args).err.trim()).toMatch(message));

  test('takes class names with a byte order mark, and refuses two of one name', () => {
    const names = at('names.txt');
    writeFileSync(names, `\uFEFF${'abcdefgh'.split('').join('\r\n')}\r\n`);
    expect(run('--classes', names).status).toBe(0);
    const { network, classNames } = load(out);
    network.dispose();
    expect(classNames).toEqual('abcdefgh'.split(''));
    writeFileSync(names, 'a\nb\na\nd\ne\nf\ng\nh\n');
    expect(run('--classes', names).err).toBe(`morphmlp: ${names}:3: class a is on line 1 already\n`);
  });
});
