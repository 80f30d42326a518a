import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { loadCheckpoint } from '../../src/formats/checkpoint';
import { memory } from '../../src/core/runtime';
import { stillPicture } from '../../src/data/pictures/stills';
import { SegmentShapes } from '../../src/data/synthetic/segment_shapes';
import { Philox } from '../../src/core/philox';
import { initialise } from '../../src/models/initialise';
import { create } from '../../src/models/morphmlp';
import { SemanticFpn } from '../../src/models/semantic_fpn';
import { load, loadSegmenter } from '../../src/models/load';
import { defaults, presetSettings, withSettings } from '../../src/train/config/config';
import { runOptions } from '../../src/train/config/recipe';
import type { RunOptions } from '../../src/train/options';
import { Run } from '../../src/train/run';
import { segmentPicture } from '../../src/train/segment';
import { lossOf } from '../../src/train/loss';
import { scope } from '../../src/core/scope';
import { tensor } from '../../src/core/tensor';

const folder = mkdtempSync(path.join(os.tmpdir(), 'morphmlp-segment-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** Six steps of four pictures of 32 × 32 on a network of a few channels. */
const SMALL = {
  ...{ 'RUN.TRAIN_DATA': 'segment-shapes:12', 'RUN.VAL_DATA': 'segment-shapes:6', 'DATA_LOADER.NUM_WORKERS': 1 },
  ...{ 'TRAIN.BATCH_SIZE': 4, 'SOLVER.MAX_EPOCH': 2, 'DATA.TRAIN_CROP_SIZE': 32, 'DATA.TEST_CROP_SIZE': 32 },
  ...{ 'DATA.TRAIN_JITTER_SCALES': [32, 32], 'MORPH.EMBED_DIMS': [16, 16, 16, 16], 'MORPH.LAYERS': [1, 1, 1, 1] },
  ...{ 'MORPH.SEGMENT_DIM': [4, 4, 4, 4], 'TENSORBOARD.ENABLE': false },
};

function options(name: string, values: Record<string, unknown> = {}): RunOptions {
  const all = Object.entries({ ...SMALL, OUTPUT_DIR: path.join(folder, name), ...values });
  const settings = all.map(([key, value]) => ({ key, value, where: 'test' }));
  return runOptions(withSettings(withSettings(defaults(), presetSettings('segment-shapes')), settings));
}

async function train(given: RunOptions, stopAfter = Infinity): Promise<Run> {
  let steps = 0;
  const run = new Run(given, { step: () => (++steps === stopAfter ? run.trainer.stop() : undefined) });
  await run.train();
  return run;
}

const digest = (data: Uint8Array): string => createHash('sha256').update(data).digest('hex');

/** Digests of all tensors, and the state without what may differ: seconds. */
function state(run: Run): object {
  const { tensors, optimizer, meta } = loadCheckpoint(run.files.last);
  const bits = (map: typeof tensors) =>
    [...map].map(([name, { data }]) => [name, digest(new Uint8Array(data.buffer, data.byteOffset, data.byteLength))]);
  return [JSON.stringify(meta).replace(/"seconds":[\d.e-]+/g, ''), bits(tensors), bits(optimizer)];
}

test('a run that was stopped and resumed is the uninterrupted one, bit for bit, and leaves no memory', async () => {
  const { live } = memory();
  const rich = { 'RUN.MICRO_BATCH': 2, 'RUN.EMA_DECAY': 0.9, 'MORPH.DROP_DEPTH_RATE': 0.1 };
  const whole = await train(options('whole', rich));
  (await train(options('stopped', rich), 4)).dispose();
  const resumed = await train({ ...options('stopped', rich), resume: 'must' });
  expect(resumed.trainer.finished).toBe(true);
  expect(state(resumed)).toEqual(state(whole));
  expect(digest(readFileSync(resumed.files.best))).toBe(digest(readFileSync(whole.files.best)));
  whole.dispose();
  resumed.dispose();
  expect(memory().live).toBe(live);
});

test('validation counts every pixel; the best weights segment as they did in it', async () => {
  const run = await train(options('measured', { 'RUN.PRECISION': 'f32' }));
  const { history, best } = run.trainer.state;
  const evaluation = run.trainer.bestEvaluation!;
  expect(evaluation.clips).toBe(6);
  expect(evaluation.confusion.flat().reduce((a, b) => a + b)).toBe(6 * 32 * 32);
  expect(best).toBe(Math.max(...history.map(({ valTop1 }) => valTop1!)));
  const [first, last] = [history[0]!, history[1]!];
  expect(last.trainLoss).toBeLessThan(first.trainLoss);
  const model = loadSegmenter(run.files.best);
  expect(() => load(run.files.best)).toThrow(/expected a model that classifies clips, got one that segments pictures/);
  expect([model.model.task, model.model.numClasses, model.classNames[0]]).toEqual(['segment', 5, 'background']);
  model.network.eval();
  const data = new SegmentShapes({ seed: 0, stream: 1, length: 6, size: 32, flip: false });
  let right = 0;
  for (let i = 0; i < 6; i++) {
    const clip = await data.clip(i, new Philox(0));
    const found = await segmentPicture(model.network, clip, model.input.normalisation, clip.mask!);
    right += found.pixels.filter((label, at) => label === clip.mask!.pixels[at]).length;
  }
  expect(right / (6 * 32 * 32)).toBe(evaluation.top5);
  model.network.dispose();
  run.dispose();
});

test('weights of a classifier start the stages; pyramid and head are new', () => {
  const from = create('quickstart-image');
  const to = new SemanticFpn({ ...from.config, numClasses: 3, task: 'segment' });
  const stored = new Map([...from.stateDict()].map(([name, t]) => [name, { shape: t.shape, data: t.floats() }]));
  const { fresh } = initialise(to, stored);
  expect(fresh).toEqual(['pyramid and head: a classifier has none']);
  const name = 'blocks3.1.mlp.fc2.weight';
  expect(to.stateDict().get(name)!.floats()).toEqual(from.stateDict().get(name)!.floats());
  from.dispose();
  to.dispose();
});

describe('whole pictures', () => {
  const picture = { pixels: stillPicture(3, { seed: 1, size: 64 }), height: 64, width: 64 };
  const NORMALISATION = { mean: [0.45, 0.45, 0.45], std: [0.225, 0.225, 0.225] } as const;

  test('one size, a window that covers the picture, and several views agree where they must', async () => {
    const { architecture } = options('views');
    const model = new SemanticFpn({ ...architecture, numClasses: 5 });
    model.eval();
    const normalisation = { mean: [...NORMALISATION.mean], std: [...NORMALISATION.std] };
    const run = (how = {}) => segmentPicture(model, picture, normalisation, { height: 100, width: 90 }, how);
    const plain = await run();
    expect([plain.height, plain.width, plain.pixels.length]).toEqual([100, 90, 9000]);
    const same = async (how: object) => (await run(how)).pixels.filter((v, i) => v === plain.pixels[i]).length / 9000;
    expect(await same({ scales: [1, 1] })).toBe(1);
    expect(await same({ window: { side: 64, stride: 40 } })).toBeGreaterThan(0.97); // resized in two steps
    expect(await same({ scales: [0.75, 1.25], flip: true, window: { side: 48, stride: 32 } })).toBeGreaterThan(0.2);
    model.dispose();
  });
});

test('settings of clips are refused with the task', () => {
  expect(() => options('balanced', { 'RUN.BALANCE': 'weights' })).toThrow(
    'RUN.BALANCE: balances the classes of clips, which RUN.TASK segment has not',
  );
  expect(() => options('motion', { 'RUN.TRAIN_DATA': 'motion' })).toThrow(/motion.* has no masks/);
  expect(() => options('clips', { 'RUN.TASK': 'classify' })).toThrow(
    /segment-shapes:12 has masks: it is for RUN.TASK segment/,
  );
});

test('targets of bytes have the loss of pixels, others that of clips', () => {
  scope(() => {
    const logits = tensor([0, 1, 2, 0], [1, 1, 2, 2]);
    const { loss, scores } = lossOf(logits, tensor(Uint8Array.of(1, 0), [1, 1, 2]));
    expect(loss.item()).toBeCloseTo((Math.log(1 + Math.exp(-1)) + Math.log(1 + Math.exp(-2))) / 2, 6);
    expect([scores.dtype, ...scores.data()]).toEqual(['u8', 1, 0]);
  });
});
