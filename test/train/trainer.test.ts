import { NORMALISATION } from '../../src/data/normalisation';
import { relativeError } from '../../src/bench/op_cases/compare';
import { Loader } from '../../src/data/loader';
import { MotionDataset } from '../../src/data/synthetic/motion';
import { MorphMLP } from '../../src/models/morphmlp';
import { seedInit } from '../../src/nn/init';
import { SGD } from '../../src/optim';
import type { Batch } from '../../src/data/types';
import type { StepInputs, StepRunner } from '../../src/train/step';
import { Trainer, type EpochEnd, type TrainerOptions } from '../../src/train/trainer';
import { SMALL_NETWORK } from '../support/small_network';

/** Four clips over and over: BatchNorm, which sees a batch as a whole, finds the same statistics in four of them as in eight. */
class FourClips extends MotionDataset {
  override label(i: number): number {
    return super.label(i % 4);
  }

  override clip(i: number) {
    return super.clip(i % 4);
  }
}

/** Trains a small network on eight clips an epoch, in batches of `batchSize` that make one step. */
async function train(batchSize: number, lr: number, maxEpoch: number, endLr = lr) {
  seedInit(2);
  const model = new MorphMLP({ ...SMALL_NETWORK, kind: 'video', frames: 16, numClasses: 8, dropPath: 0 });
  const valuesOf = () => model.parameters().flatMap((p) => [...p.floats()]);
  const before = valuesOf();
  const optimizer = new SGD(model.parameters(), { lr });
  const clips = new FourClips({ seed: 1, length: 16, size: 32, frames: 16 });
  const trainer = new Trainer(
    {
      ...{ model, optimizer, labelSmoothing: 0, clipNorm: 0, evalEvery: 1, val: null },
      ...{
        train: new Loader(clips, { batchSize, seed: 0, shuffle: false, normalisation: NORMALISATION }),
        accumulate: 8 / batchSize,
        clipsPerBatch: batchSize,
      },
      schedule: { baseLr: lr, endLr, warmupStartLr: lr, warmupEpochs: 0, maxEpoch, cosineAfterWarmup: false },
    },
    { step: ({ learningRate }) => void rates.push(learningRate) },
  );
  const ends: EpochEnd[] = [];
  const rates: number[] = [];
  await trainer.run((end) => end && ends.push(end));
  const changed = valuesOf().map((value, i) => value - before[i]!);
  model.dispose();
  optimizer.dispose();
  return { changed, ends, rates, accuracies: trainer.state.history.map(({ trainTop1 }) => trainTop1) };
}

test('summed micro-batches take the steps of the whole batch', async () => {
  const [whole, parts] = [await train(8, 0.01, 1), await train(4, 0.01, 1)];
  expect(whole.changed.reduce((sum, v) => sum + v * v, 0)).toBeGreaterThan(1e-6);
  expect(relativeError(parts.changed, whole.changed)).toBeLessThan(1e-3);
});

test('of equally good epochs the first is the best', async () => {
  const { ends, accuracies } = await train(8, 0, 3);
  expect(accuracies).toEqual([accuracies[0], accuracies[0], accuracies[0]]);
  expect(ends.map(({ best }) => best)).toEqual([true, false, false]);
});

test('a step has the learning rate of where its first batch begins, whatever the number of its batches', async () => {
  const cosine = [0, 0.25, 0.5, 0.75].map((progress) => 0.5 + 0.5 * (Math.cos(Math.PI * progress) + 1) * 0.5);
  for (const batchSize of [8, 4, 2]) {
    const { rates } = await train(batchSize, 1e-9, 2, 0.5e-9);
    expect(rates).toHaveLength(4);
    rates.forEach((rate, i) => expect(rate / 1e-9).toBeCloseTo(cosine[i]!, 12));
  }
});

describe('the bookkeeping of steps', () => {
  /** A batch of clips with these labels. */
  const batchOf = (labels: number[], targets?: number[][]): Batch => ({
    ...{ pixels: new Uint8Array(labels.length), shape: [labels.length, 1, 1, 1, 3], clips: [], mix: null },
    ...{ labels: Int32Array.from(labels), normalisation: NORMALISATION },
    ...(targets ? { targets: Float32Array.from(targets.flat()) } : {}),
  });

  /** One epoch of a trainer on batches by their index, without a network: scores are `logits`, and every loss is 1. */
  async function epochOf(batches: [index: number, batch: Batch][], total: number, logits: number[]) {
    const weights: number[] = [];
    const updates: number[] = [];
    const steps: StepRunner = {
      gradients: (inputs: StepInputs) => {
        weights.push(inputs.weight);
        const rows = inputs.clips.shape[0];
        return { loss: 1, scores: Float32Array.from(Array<number[]>(rows).fill(logits).flat()), forwardMs: null };
      },
      finish: () => undefined,
      norm: () => 1,
      update: () => void updates.push(weights.length),
      again: () => undefined,
      dispose: () => undefined,
    };
    async function* epoch() {
      for (const [index, batch] of batches) yield await Promise.resolve({ index, batch });
    }
    const model = { train: () => model, parameters: () => [], config: { numClasses: logits.length } };
    const optimizer = { setLr: () => undefined, missingGradients: () => [] };
    const parts = {
      model,
      optimizer,
      train: { epoch, batches: total, waited: 0 },
      val: null,
    } as unknown as TrainerOptions;
    const schedule = { baseLr: 1, endLr: 1, warmupStartLr: 1, warmupEpochs: 0, maxEpoch: 1, cosineAfterWarmup: false };
    const options = { accumulate: 2, clipsPerBatch: 4, labelSmoothing: 0, clipNorm: 0, evalEvery: 1, schedule };
    const ends: number[] = [];
    const trainer = new Trainer({ ...parts, ...options }, { step: ({ batch }) => void ends.push(batch) });
    Object.assign(trainer, { steps });
    await trainer.run(() => undefined);
    return { weights, updates, ends, history: trainer.state.history };
  }

  test('the gradients of a batch with unreadable clips weigh as much less as it has clips', async () => {
    const batches = [batchOf([0, 0, 0, 0]), batchOf([0, 0, 0]), batchOf([0]), batchOf([0, 0, 0, 0])];
    const { weights, updates } = await epochOf(
      batches.map((batch, i) => [i, batch]),
      4,
      [1, 0],
    );
    expect(weights).toEqual([4 / 8, 3 / 8, 1 / 8, 4 / 8]);
    expect(updates).toEqual([2, 4]);
  });

  test('a step of which batches are missing is taken, in the middle of an epoch and at its end', async () => {
    const batch = batchOf([0, 0, 0, 0]);
    const { updates, ends } = await epochOf(
      [
        [0, batch],
        [2, batch],
        [3, batch],
        [4, batch],
      ],
      6,
      [1, 0],
    );
    expect(updates).toEqual([1, 3, 4]);
    expect(ends).toEqual([2, 4, 6]);
  });

  test('a mixed clip is right if the class with its larger share is predicted', async () => {
    const targets = [
      [0.3, 0.7],
      [0.7, 0.3],
      [0.4, 0.6],
      [0.6, 0.4],
    ];
    const mixed = batchOf([0, 0, 0, 1], targets);
    const { history } = await epochOf([[0, mixed]], 2, [0, 1]);
    expect(history[0]!.trainTop1).toBe(2 / 4); // class 1 is predicted: right for the first and the third clip
    const plain = await epochOf([[0, batchOf([0, 0, 0, 1])]], 2, [0, 1]);
    expect(plain.history[0]!.trainTop1).toBe(1 / 4);
  });
});
