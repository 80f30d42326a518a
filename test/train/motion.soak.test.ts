import { NORMALISATION } from '../../src/data/normalisation';
import { Loader } from '../../src/data/loader';
import { MotionDataset } from '../../src/data/synthetic/motion';
import type { Precision } from '../../src/core/native';
import { defaultRecompute, VARIANTS } from '../../src/models/config';
import { MorphMLP } from '../../src/models/morphmlp';
import { seedInit } from '../../src/nn/init';
import { AdamW, parameterGroups } from '../../src/optim';
import { Trainer } from '../../src/train/trainer';

/** Best validation accuracy after the quick start's recipe; `silent` leaves MorphFC_t at its initial zero. */
async function learn(silent: boolean, precision: Precision = 'f32'): Promise<{ best: number }> {
  seedInit(0);
  const model = new MorphMLP(VARIANTS['quickstart']!.config);
  model.precision = precision;
  model.recompute = defaultRecompute(VARIANTS['quickstart']!.config, precision, 'cpu');
  const learned = model.namedParameters().filter(([name]) => !silent || !name.includes('t_fc'));
  const optimizer = new AdamW(
    parameterGroups(
      learned.map(([, p]) => p),
      0.05,
    ),
    { lr: 2e-3 },
  );
  const set = (stream: number, length: number) => new MotionDataset({ seed: 0, stream, length, size: 64, frames: 16 });
  const parts = {
    ...{ model, optimizer, labelSmoothing: 0, clipNorm: 0, evalEvery: 5 },
    train: new Loader(set(0, 768), { batchSize: 8, seed: 0, shuffle: true, normalisation: NORMALISATION }),
    val: new Loader(set(1, 256), { batchSize: 32, seed: 0, shuffle: false, normalisation: NORMALISATION }),
    schedule: {
      baseLr: 2e-3,
      endLr: 1e-5,
      warmupStartLr: 1e-5,
      warmupEpochs: 0.2,
      maxEpoch: 5,
      cosineAfterWarmup: true,
    },
  };
  const trainer = new Trainer(parts);
  await trainer.run(() => undefined);
  model.dispose();
  optimizer.dispose();
  return { best: trainer.state.best };
}

test.each(['f32', 'bf16'] as const)(
  'the motion dataset is learned to 95%% in %s',
  async (precision) => expect((await learn(false, precision)).best).toBeGreaterThanOrEqual(0.95),
  600_000,
);

test('with MorphFC_t silenced only the pairs are recognised: about half', async () => {
  const { best: share } = await learn(true);
  expect(share).toBeGreaterThan(0.4);
  expect(share).toBeLessThan(0.6);
}, 600_000);
