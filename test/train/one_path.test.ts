/** One file through everything that computes scores: all see the same numbers. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import sharp from 'sharp';
import { uniform } from '../../src/bench/op_cases/random';
import { noGrad } from '../../src/core/autograd';
import { scope } from '../../src/core/scope';
import { tensor } from '../../src/core/tensor';
import { inputSpec, type InputSpec } from '../../src/data/input_spec';
import { testClips } from '../../src/data/video/clip_plan';
import { Loader } from '../../src/data/loader';
import { openDataset, specOf } from '../../src/data/open';
import { writeVideo } from '../../src/data/video/encode';
import { DecodePool } from '../../src/data/video/decode_pool';
import { readViews } from '../../src/data/video/video_clips';
import { readFields } from '../../src/formats/protobuf';
import type { MorphMlpConfig } from '../../src/models/config';
import { load, type LoadedModel } from '../../src/models/load';
import { MorphMLP } from '../../src/models/morphmlp';
import { evaluate } from '../../src/train/evaluate';
import { inputOf } from '../../src/train/input';
import { stepInput, stepTensors } from '../../src/train/step';
import { saveWeights } from '../../src/train/state';
import { runCli } from '../support/run_cli';

const folder = mkdtempSync(path.join(os.tmpdir(), 'morphmlp-'));
afterAll(() => rmSync(folder, { recursive: true }));
const at = (name: string) => path.join(folder, name);

const CLASSES = ['c0', 'c1', 'c2', 'c3'];
const LABEL = 3;
const SIZES = {
  ...({ layers: [1, 1, 1, 1], embedDims: [8, 16, 24, 36], segmentDim: [4, 8, 4, 9] } as const),
  ...{ numClasses: CLASSES.length, mlpRatio: 3, qkvBias: true, dropPath: 0 },
};

/** Unlike every default, and unlike in each channel. */
const NORMALISATION = { mean: [0.1, 0.55, 0.3], std: [0.9, 0.3, 0.15] };

interface Case {
  config: MorphMlpConfig;
  input: InputSpec;
  make: (file: string) => Promise<void> | void;
  ending: string;
}

/** u8 [height, width, 3]: colours that differ by place, channel and time. */
function picture(width: number, height: number, time = 0): Uint8Array {
  const pixels = new Uint8Array(width * height * 3);
  for (let i = 0; i < width * height; i++)
    pixels.set([(i % width) * 2 + time, 255 - Math.floor(i / width) * 3, (i + 9 * time) % 256], i * 3);
  return pixels;
}

const CASES: [string, Case][] = [
  [
    'a transparent picture',
    {
      config: { ...SIZES, kind: 'image', frames: 1 },
      input: inputSpec({ frames: 1, rate: 1, crop: 40, testScale: 52, normalisation: NORMALISATION }),
      make: async (file) => {
        const [width, height] = [90, 70];
        const opacity = Buffer.from(Uint8Array.from({ length: width * height }, (_, i) => (i % 3) * 127));
        await sharp(picture(width, height), { raw: { width, height, channels: 3 } })
          .joinChannel(opacity, { raw: { width, height, channels: 1 } })
          .png()
          .toFile(file);
      },
      ending: 'png',
    },
  ],
  [
    'a video, by segments',
    {
      config: { ...SIZES, kind: 'video', frames: 4 },
      input: inputSpec({ frames: 4, rate: 7, crop: 40, sampling: 'segment', normalisation: NORMALISATION }),
      make: (file) => {
        const [frames, width, height] = [24, 80, 48];
        const shifted = Array.from({ length: frames }, (_, t) => picture(width, height, t));
        return writeVideo({ pixels: new Uint8Array(Buffer.concat(shifted)), frames, width, height }, file);
      },
      ending: 'mp4',
    },
  ],
];

/** Softmax in float64. */
function softmax(logits: ArrayLike<number>): number[] {
  const powers = Array.from(logits, (x) => Math.exp(x));
  const sum = powers.reduce((a, b) => a + b, 0);
  return powers.map((p) => p / sum);
}

/** The largest difference; NaN where one is, or where the lengths differ. */
function worst(a: ArrayLike<number>, b: ArrayLike<number>): number {
  if (a.length !== b.length || a.length === 0) return NaN;
  return Array.from(a, (x, i) => Math.abs(x - b[i]!)).reduce((m, d) => (Number.isNaN(d) || d > m ? d : m), 0);
}

/** Pixels u8 [T, H, W, 3] as the network's input [3, T, H, W], in float64. */
function normalisedBy(pixels: Uint8Array, { mean, std }: InputSpec['normalisation']): Float64Array {
  const plane = pixels.length / 3;
  const x = new Float64Array(pixels.length);
  pixels.forEach((byte, i) => (x[(i % 3) * plane + Math.floor(i / 3)] = (byte / 255 - mean[i % 3]!) / std[i % 3]!));
  return x;
}

function saved({ config, input }: Case, file: string): void {
  const model = new MorphMLP(config);
  model.namedTensors().forEach(([name, t], i) => {
    const scale = t.ndim > 1 ? Math.sqrt((6 * t.shape[0]!) / t.size) : 0.3;
    t.copyFrom(uniform(i, t.size, scale, /norm\w*\.weight|running_var/.test(name) ? 1 : 0));
  });
  saveWeights(file, model, { model: model.config, classNames: CLASSES, input });
  model.dispose();
}

/** Scores of ONNX Runtime for the file, preprocessed according to the metadata of the ONNX file. */
function onnxScores(
  file: string,
  pixels: Uint8Array,
): { probabilities: number[]; classNames: string[]; input: InputSpec } {
  const pairs = readFields(readFileSync(file)).filter(({ field }) => field === 14);
  const texts = pairs.map(({ value }) => readFields(value as Buffer).map((part) => (part.value as Buffer).toString()));
  const metadata = Object.fromEntries(texts as [string, string][]);
  const input = JSON.parse(metadata['input']!) as InputSpec;
  const { crop, frames } = input;
  const shape = frames === 1 ? [1, 3, crop, crop] : [1, 3, frames, crop, crop];
  const runner = path.join(__dirname, '..', 'support', 'run_onnx.cjs');
  const asked = JSON.stringify({ file, x: [...normalisedBy(pixels, input.normalisation)], shape });
  const { data } = JSON.parse(execFileSync(process.execPath, [runner], { input: asked }).toString()) as {
    data: number[];
  };
  return { probabilities: softmax(data), classNames: JSON.parse(metadata['classNames']!) as string[], input };
}

describe.each(CASES)('%s', (_, one) => {
  const checkpoint = at(`${one.ending}.safetensors`);
  const data = at(`data-${one.ending}`);
  const file = path.join(data, CLASSES[LABEL]!, `x.${one.ending}`);
  let model: LoadedModel;
  let pixels: Uint8Array;
  let expected: number[];
  const pool = new DecodePool(1);

  beforeAll(async () => {
    mkdirSync(path.dirname(file), { recursive: true });
    await one.make(file);
    saved(one, checkpoint);
    model = load(checkpoint);
    const [clip] = await readViews(file, one.input);
    pixels = clip!.pixels;
    const { frames, crop } = one.input;
    const x = Float32Array.from(normalisedBy(pixels, NORMALISATION));
    const forward = () =>
      model.network
        .eval()
        .forward(tensor(x, [1, 3, frames, crop, crop]))
        .floats();
    expected = softmax(scope(() => noGrad(forward)));
    expect(Math.max(...expected) - Math.min(...expected)).toBeGreaterThan(0.05); // scores that can tell inputs apart
  });
  afterAll(async () => {
    model.network.dispose();
    await pool.close();
  });

  const dataset = () => openDataset(specOf(data), { clips: testClips(model.input), known: CLASSES }, pool);

  test('the specification comes back out of the checkpoint', () => {
    expect(model.input).toEqual(one.input);
    expect(model.classNames).toEqual(CLASSES);
  });

  test('a training step and a validation get these numbers', async () => {
    const options = { batchSize: 1, seed: 0, shuffle: false, normalisation: model.input.normalisation };
    for await (const { batch } of new Loader(dataset(), options).epoch(0)) {
      const inputs = { clips: batch, targets: Float32Array.from(CLASSES, (_, i) => Number(i === LABEL)), weight: 1 };
      const seen = scope(() => [stepInput(model.network, stepTensors(inputs)).floats(), inputOf(batch).floats()]);
      for (const x of seen) expect(worst(x, normalisedBy(pixels, NORMALISATION))).toBeLessThan(2e-6);
    }
    const { loss, clips } = await evaluate(model.network, new Loader(dataset(), options));
    expect(clips).toBe(1);
    expect(Math.abs(Math.exp(-loss) - expected[LABEL]!)).toBeLessThan(1e-6);
  });

  test('evaluate, predict and study print their scores', () => {
    const evaluated = runCli(['evaluate', '--data', data, '--checkpoint', checkpoint, '--json']);
    const { loss } = JSON.parse(evaluated.out) as { loss: number };
    expect(Math.abs(Math.exp(-loss) - expected[LABEL]!)).toBeLessThan(1e-6);

    const predicted = runCli(['predict', file, '--checkpoint', checkpoint, '--json', '--top', '4']);
    const { guesses } = JSON.parse(predicted.out) as { guesses: { label: string; probability: number }[] };
    const scores = new Map(guesses.map((g) => [g.label, g.probability]));
    expect(
      worst(
        CLASSES.map((label) => scores.get(label) ?? NaN),
        expected,
      ),
    ).toBeLessThan(1e-6);

    const json = at(`${one.ending}.json`);
    const files = ['--out', at('study.html'), '--json', json, '--parts', 'learned'];
    expect(runCli(['study', file, '--checkpoint', checkpoint, ...files]).status).toBe(0);
    const { learned } = JSON.parse(readFileSync(json, 'utf8')) as {
      learned: { saliency: { clips: { predicted: number; probability: number }[] } };
    };
    const [seen] = learned.saliency.clips;
    expect(Math.abs(seen!.probability - Math.max(...expected))).toBeLessThan(1e-6);
    expect(seen!.predicted).toBe(expected.indexOf(Math.max(...expected)));
  });

  test('so does the exported network, with what its metadata says', () => {
    const onnx = at(`${one.ending}.onnx`);
    expect(runCli(['export', checkpoint, onnx]).status).toBe(0);
    const { probabilities, classNames, input } = onnxScores(onnx, pixels);
    expect(input).toEqual(one.input);
    expect(classNames).toEqual(CLASSES);
    expect(worst(probabilities, expected)).toBeLessThan(1e-5);
  });

  test('other statistics would be seen', () => {
    const x = Float32Array.from(normalisedBy(pixels, { mean: [0.45, 0.45, 0.45], std: [0.225, 0.225, 0.225] }));
    const { frames, crop } = one.input;
    const forward = () => model.network.forward(tensor(x, [1, 3, frames, crop, crop])).floats();
    expect(worst(softmax(scope(() => noGrad(forward))), expected)).toBeGreaterThan(1e-3);
  });
});
