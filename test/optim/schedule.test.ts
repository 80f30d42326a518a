import { readFileSync } from 'node:fs';
import path from 'node:path';
import { learningRate } from '../../src/optim';

interface Recipe {
  base_lr: number;
  end_lr: number;
  start_lr: number;
  warmup_epochs: number;
  max_epoch: number;
  lr: Record<string, number>;
}

const file = path.join(__dirname, '..', 'fixtures', 'reference', 'lr_policy.json');
const recipes = Object.entries(JSON.parse(readFileSync(file, 'utf8')) as Record<string, Recipe>);

test.each(recipes)("%s: the authors' learning rate at every epoch of the list", (_, recipe) => {
  const schedule = {
    ...{ baseLr: recipe.base_lr, endLr: recipe.end_lr, warmupStartLr: recipe.start_lr },
    ...{ warmupEpochs: recipe.warmup_epochs, maxEpoch: recipe.max_epoch, cosineAfterWarmup: true },
  };
  for (const [epoch, expected] of Object.entries(recipe.lr)) {
    const found = learningRate(schedule, Number(epoch));
    expect({ epoch, same: Math.abs(found / expected - 1) < 1e-9, found }).toMatchObject({ epoch, same: true });
  }
});

test('without COSINE_AFTER_WARMUP the cosine starts at 0, and the warm-up ends on it', () => {
  const schedule = { baseLr: 1, endLr: 0, warmupStartLr: 0, warmupEpochs: 5, maxEpoch: 10, cosineAfterWarmup: false };
  expect(learningRate(schedule, 5)).toBeCloseTo(0.5, 12);
  expect(learningRate(schedule, 2.5)).toBeCloseTo(0.25, 12);
  expect(learningRate(schedule, 10)).toBeCloseTo(0, 12);
});
