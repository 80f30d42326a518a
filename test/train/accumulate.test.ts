import { relativeError } from '../../src/cases/compare';
import { Loader } from '../../src/data/loader';
import { MotionDataset } from '../../src/data/motion';
import { MorphMLP } from '../../src/models/morphmlp';
import { seedInit } from '../../src/nn/init';
import { SGD } from '../../src/optim';
import { Trainer } from '../../src/train/trainer';
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

/** By how much all parameters change in two steps on eight clips each, in batches of `batchSize`. */
async function changes(batchSize: number): Promise<number[]> {
  seedInit(2);
  const model = new MorphMLP({ ...SMALL_NETWORK, kind: 'video', frames: 16, numClasses: 8, dropPath: 0 });
  const valuesOf = () => model.parameters().flatMap((p) => [...p.floats()]);
  const before = valuesOf();
  const optimizer = new SGD(model.parameters(), { lr: 0.01 });
  const clips = new FourClips({ seed: 1, length: 16, size: 32, frames: 16 });
  const trainer = new Trainer({
    ...{ model, optimizer, labelSmoothing: 0, clipNorm: 0, evalEvery: 1, val: null },
    ...{ train: new Loader(clips, { batchSize, seed: 0, shuffle: false }), accumulate: 8 / batchSize },
    schedule: {
      baseLr: 0.01,
      endLr: 0.01,
      warmupStartLr: 0.01,
      warmupEpochs: 0,
      maxEpoch: 1,
      cosineAfterWarmup: false,
    },
  });
  await trainer.run(() => undefined);
  const changed = valuesOf().map((value, i) => value - before[i]!);
  model.dispose();
  optimizer.dispose();
  return changed;
}

test('summed micro-batches take the steps of the whole batch', async () => {
  const whole = await changes(8);
  expect(whole.reduce((sum, v) => sum + v * v, 0)).toBeGreaterThan(1e-6);
  expect(relativeError(await changes(4), whole)).toBeLessThan(1e-3);
});
