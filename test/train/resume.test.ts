import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { loadCheckpoint } from '../../src/formats/checkpoint';
import { memory } from '../../src/core/runtime';
import type { RunOptions } from '../../src/train/options';
import { UnreadableClip } from '../../src/data/types';
import { Run, runFiles } from '../../src/train/run';
import { readRunState, savedEpoch } from '../../src/train/state';
import { quickRun } from '../support/run_options';

const folder = mkdtempSync(path.join(os.tmpdir(), 'morphmlp-'));
afterAll(() => rmSync(folder, { recursive: true }));

const options = (name: string, values = {}): RunOptions =>
  quickRun(path.join(folder, name), { 'RUN.LABEL_SMOOTHING': 0.1, ...values });

/** Trains, stopping after `stopAfter` steps where it is given. */
async function train(given: RunOptions, stopAfter = Infinity): Promise<Run> {
  let steps = 0;
  const run = new Run(given, { step: () => (++steps === stopAfter ? run.trainer.stop() : undefined) });
  await run.train();
  return run;
}

const bytes = (run: Run) => readFileSync(run.files.last);

/** Everything that has a state of its own: summed gradients, the average of the weights, mixing. */
const RICH = {
  'RUN.MICRO_BATCH': 2,
  'RUN.EMA_DECAY': 0.9,
  'MIXUP.ENABLE': true,
  'MODEL.LOSS_FUNC': 'soft_cross_entropy',
};

test.each([
  ['plain', {}, 3],
  ['plain', {}, 5],
  ['plain', {}, 7],
  ['rich', RICH, 2],
  ['rich', RICH, 6],
  ['grouped', { 'MORPH.SPATIAL': 'group_conv' }, 4],
] as const)(
  'a %s run (%j) stopped after %i of 10 steps and resumed is the uninterrupted run, bit for bit',
  async (kind, values, steps) => {
    const whole = await train(options(`whole-${kind}-${steps}`, values));
    const name = `stopped-${kind}-${steps}`;
    const first = await train(options(name, values), steps);
    expect(first.trainer.finished).toBe(false);
    first.dispose();
    const resumed = await train({ ...options(name, values), resume: 'must' });
    expect(resumed.trainer.finished).toBe(true);
    expect(strip(resumed)).toEqual(strip(whole));
    expect(best(resumed)).toEqual(best(whole));
    whole.dispose();
    resumed.dispose();
  },
);

/** The file of the best weights. */
const best = (run: Run): string => readFileSync(run.files.best).toString('base64');

test('a run that is resumed with another batch size is refused, with both named', async () => {
  (await train(options('other'), 2)).dispose();
  const { live } = memory();
  expect(() => new Run({ ...options('other', { 'TRAIN.BATCH_SIZE': 4 }), resume: 'auto' }, {})).toThrow(
    /last.safetensors: the run was started with batchSize 8, now it is 4; start anew in another folder/,
  );
  expect(memory().live).toBe(live);
});

test('a run that is resumed with another switch is refused, with both models named', async () => {
  (await train(options('switched', { 'MORPH.WEIGHTING': 'sum' }), 2)).dispose();
  const { live } = memory();
  expect(() => new Run({ ...options('switched', { 'MORPH.SPATIAL': 'conv_3x3' }), resume: 'auto' }, {})).toThrow(
    /last.safetensors: it holds a video model \(.*, weighting sum, 16 frames\); this is a video model \(.*, spatial part conv_3x3, 16 frames\)$/,
  );
  expect(memory().live).toBe(live);
});

/** All tensors and the state, without what may differ: seconds. */
function strip(run: Run): object {
  const { tensors, optimizer, meta } = loadCheckpoint(run.files.last);
  const text = JSON.stringify(meta).replace(/"seconds":[\d.e-]+/g, '');
  const bits = (map: typeof tensors) =>
    [...map].map(([name, t]) => [
      name,
      Buffer.from(t.data.buffer, t.data.byteOffset, t.data.byteLength).toString('base64'),
    ]);
  return { text, tensors: bits(tensors), optimizer: bits(optimizer) };
}

test('a run leaves no tensor memory behind', async () => {
  const live = memory().live;
  const run = await train(options('memory'));
  expect(bytes(run).length).toBeGreaterThan(0);
  run.dispose();
  expect(memory().live).toBe(live);
});

test('a validation that could not read all clips is marked and not the best, and the next whole one is', async () => {
  const run = new Run(options('missed'), {});
  const { dataset } = run.loaders.val!;
  const clip = dataset.clip.bind(dataset);
  let reads = 0;
  dataset.clip = (i, random, signal) =>
    reads++ === 3 ? Promise.reject(new UnreadableClip('a.mp4: lost')) : clip(i, random, signal);
  await run.train();
  const { history } = run.trainer.state;
  expect(history.map(({ valMissed }) => valMissed)).toEqual([1, undefined]);
  expect(run.trainer.bestEpoch).toBe(2);
  expect(run.trainer.bestEvaluation).toMatchObject({ clips: 16, missed: 0 });
  expect(savedEpoch(run.files.best)).toBe(2);
  run.dispose();
});

test('a best checkpoint that is missing is written again from the last state, or reported lost', async () => {
  const values = { 'SOLVER.MAX_EPOCH': 1, 'TRAIN.CHECKPOINT_PERIOD': 1 };
  const warnings: string[] = [];
  const resume = (epochs: number): Run =>
    new Run(
      { ...options('lost', { ...values, 'SOLVER.MAX_EPOCH': epochs }), resume: 'must', acceptChanges: true },
      { warning: (text) => void warnings.push(text) },
    );
  (await train(options('lost', values))).dispose();
  const { best } = runFiles(path.join(folder, 'lost'));
  const kept = path.join(folder, 'lost', 'epoch_0001.safetensors');
  const [weights, state] = [readFileSync(best), readFileSync(kept)];
  for (const file of [best, kept]) rmSync(file);
  resume(1).dispose();
  expect(readFileSync(best).equals(weights)).toBe(true);
  expect(readFileSync(kept).equals(state)).toBe(true);
  const second = resume(2);
  let steps = 0;
  Object.assign(second.trainer, { events: { step: () => (++steps === 2 ? second.trainer.stop() : undefined) } });
  await second.train();
  second.dispose();
  rmSync(best);
  const third = resume(2);
  expect(warnings).toEqual([
    expect.stringMatching(/best\.safetensors of epoch 1 is missing: the best of the epochs to come/),
  ]);
  await third.train();
  expect(savedEpoch(best)).toBe(2);
  third.dispose();
});

test('a new run in the folder of an old one leaves none of its checkpoints', async () => {
  (await train(options('over', { 'TRAIN.CHECKPOINT_PERIOD': 1 }))).dispose();
  const run = new Run(options('over'), { step: () => run.trainer.stop() });
  await run.train();
  run.dispose();
  const names = readdirSync(path.join(folder, 'over')).filter((name) => name.endsWith('.safetensors'));
  expect(names).toEqual(['last.safetensors']);
});

test('resuming without a saved run is an error', () => {
  expect(() => new Run({ ...options('nothing'), resume: 'must' }, {})).toThrow(
    /last.safetensors does not exist; start without --resume/,
  );
});

test('a run whose weights become NaN stops at once and names the op and the layer', async () => {
  const run = new Run(options('nan'), {
    step: () => {
      const found = run.trainer.options.model.namedParameters().find(([name]) => name === 'blocks3.0.mlp.fc1.weight');
      found![1].copyFrom(new Float32Array(found![1].size).fill(NaN));
    },
  });
  await expect(run.train()).rejects.toThrow(
    /^forward of \w+ in .*blocks3\.0\.mlp\.fc1.*: \d+ of \d+ elements are NaN or infinite/,
  );
  run.dispose();
});

test('a run whose validation is NaN ends with the rate named, and keeps its last state, marked and never the best', async () => {
  const folderOptions = options('nan_val', { 'SOLVER.BASE_LR': 0.02 });
  const run = new Run(folderOptions, {
    step: ({ batch }) => {
      if (batch < run.loaders.train.batches) return;
      const found = run.trainer.options.model.namedParameters().find(([name]) => name === 'head.weight');
      found![1].copyFrom(new Float32Array(found![1].size).fill(Infinity));
    },
  });
  await expect(run.train()).rejects.toThrow(
    /^epoch 1: the validation loss is NaN or infinite \(learning rate 0\.02\): .*lower --lr/,
  );
  expect(existsSync(run.files.best)).toBe(false);
  const { history } = readRunState(run.files.last) as unknown as { history: object[] };
  expect(history).toEqual([expect.objectContaining({ epoch: 1, valLoss: null, valTop1: null, nonFinite: true })]);
  run.dispose();
});
