import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { loadCheckpoint } from '../../src/io/checkpoint';
import { memory } from '../../src/runtime';
import { Run, type RunOptions } from '../../src/train/run';

const folder = mkdtempSync(path.join(os.tmpdir(), 'morphmlp-'));
afterAll(() => rmSync(folder, { recursive: true }));

function options(name: string): RunOptions {
  return {
    ...{
      data: 'motion:40',
      val: 'motion:16',
      separator: ',',
      model: 'quickstart',
      frames: 16,
      rate: 1,
      crop: 32,
      flip: false,
    },
    ...{ epochs: 2, batchSize: 8, lr: 1e-3, endLr: 1e-5, warmupStartLr: 1e-5, warmupEpochs: 0.2, weightDecay: 0.05 },
    ...{ labelSmoothing: 0.1, dropPath: 0.3, clipNorm: 1, evalEvery: 1, seed: 7, workers: 1 },
    ...{ memoryBudget: null, init: null, resetHead: false, inflate: 'centre' as const },
    ...{ out: path.join(folder, name), resume: false },
  };
}

/** Trains, stopping after `stopAfter` steps where it is given. */
async function train(given: RunOptions, stopAfter = Infinity): Promise<Run> {
  let steps = 0;
  const run = new Run(given, { step: () => (++steps === stopAfter ? run.trainer.stop() : undefined) });
  await run.train();
  return run;
}

const bytes = (run: Run) => readFileSync(run.files.last);

test.each([3, 5, 7])(
  'a run stopped after %i of 10 steps and resumed is the uninterrupted run, bit for bit',
  async (steps) => {
    const whole = await train(options('whole'));
    const first = await train(options(`stopped${steps}`), steps);
    expect(first.trainer.finished).toBe(false);
    first.dispose();
    const resumed = await train({ ...options(`stopped${steps}`), resume: true });
    expect(resumed.trainer.finished).toBe(true);
    expect(strip(resumed)).toEqual(strip(whole));
    whole.dispose();
    resumed.dispose();
  },
);

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

test('resuming where nothing was saved says so', () => {
  expect(() => new Run({ ...options('nothing'), resume: true }, {})).toThrow(
    /last.safetensors does not exist; start without --resume/,
  );
});
