import { NORMALISATION } from '../../src/data/normalisation';
import { relativeError } from '../../src/bench/op_cases/compare';
import { Loader } from '../../src/data/loader';
import { MotionDataset } from '../../src/data/synthetic/motion';
import { MorphMLP } from '../../src/models/morphmlp';
import { seedInit } from '../../src/nn/init';
import { SGD } from '../../src/optim';
import { Trainer, type EpochEnd } from '../../src/train/trainer';
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
