import { NORMALISATION } from '../../src/data/normalisation';
import { Loader } from '../../src/data/loader';
import { MotionDataset } from '../../src/data/synthetic/motion';
import type { Precision } from '../../src/core/native';
import { defaultRecompute, QUICKSTART } from '../../src/models/config';
import { MorphMLP } from '../../src/models/morphmlp';
import { seedInit } from '../../src/nn/init';
import { AdamW, parameterGroups } from '../../src/optim';
import { Trainer } from '../../src/train/trainer';

/** Losses are compared as means over this many steps: single batches of 8 clips differ by chance. */
const STRETCH = 20;
/** Allowed distance of these means, of losses that fall from 2.1 (8 classes). */
const BAND = 0.1;

/** Best validation accuracy and all losses of the quick start's recipe; `silent` leaves MorphFC_t at its initial zero. */
async function learn(silent: boolean, precision: Precision = 'f32'): Promise<{ best: number; losses: number[] }> {
  seedInit(0);
  const model = new MorphMLP(QUICKSTART);
  model.precision = precision;
  model.recompute = defaultRecompute(QUICKSTART, precision, 'cpu');
  const learned = model.namedParameters().filter(([name]) => !silent || !name.includes('t_fc'));
  const optimizer = new AdamW(
    parameterGroups(
      learned.map(([, p]) => p),
      0.05,
    ),
    { lr: 2e-3 },
  );
  const set = (stream: number, length: number) => new MotionDataset({ seed: 0, stream, length, size: 64, frames: 16 });
  const losses: number[] = [];
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
  const trainer = new Trainer(parts, { step: ({ loss }) => void losses.push(loss) });
  await trainer.run(() => undefined);
  model.dispose();
  optimizer.dispose();
  return { best: trainer.state.best, losses };
}

const runs = new Map<Precision, ReturnType<typeof learn>>();
/** The run of a precision, made once for all tests. */
const run = (precision: Precision) =>
  runs.get(precision) ?? runs.set(precision, learn(false, precision)).get(precision)!;

test.each(['f32', 'bf16'] as const)(
  'the motion dataset is learned to 95%% in %s',
  async (precision) => expect((await run(precision)).best).toBeGreaterThanOrEqual(0.95),
  600_000,
);

test('200 steps in bf16 follow those in f32', async () => {
  const [f32, bf16] = [(await run('f32')).losses, (await run('bf16')).losses];
  const mean = (values: number[], from: number) =>
    values.slice(from, from + STRETCH).reduce((a, b) => a + b, 0) / STRETCH;
  const starts = Array.from({ length: 200 / STRETCH }, (_, i) => i * STRETCH);
  const apart = starts.map((from) => Math.abs(mean(bf16, from) - mean(f32, from)));
  expect(bf16.every(Number.isFinite)).toBe(true);
  expect(bf16.slice(0, 200)).not.toEqual(f32.slice(0, 200));
  console.log(starts.map((f) => [mean(f32, f), mean(bf16, f)]));
  expect(Math.max(...apart)).toBeLessThan(BAND);
}, 1_200_000);

test('with MorphFC_t silenced only the pairs are recognised: about half', async () => {
  const { best: share } = await learn(true);
  expect(share).toBeGreaterThan(0.4);
  expect(share).toBeLessThan(0.6);
}, 600_000);
