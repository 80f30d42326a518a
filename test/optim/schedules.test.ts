import { cosineSchedule, oneCycleSchedule, PlateauSchedule, stepSchedule } from '../../src/optim';

const at = (schedule: (step: number) => number, steps: number[]) =>
  steps.map((s) => Number(schedule(s).toPrecision(6)));

test('cosine, with a warm-up and an end', () => {
  expect(at(cosineSchedule({ lr: 1, steps: 10 }), [0, 5, 10, 20])).toEqual(
    [1, 0.5, 0, 0].map((v) => (v < 1e-9 ? 0 : v)),
  );
  const warm = cosineSchedule({ lr: 1, steps: 11, endLr: 0.2, warmup: 3 });
  expect(at(warm, [0, 1, 2, 3, 7, 11])).toEqual([0.25, 0.5, 0.75, 1, 0.6, 0.2]);
  expect(() => cosineSchedule({ lr: 1, steps: 3, warmup: 3 })).toThrow('steps - warmup must be above 0, got 0');
});

test('steps', () => {
  expect(at(stepSchedule({ lr: 1, every: 3 }), [0, 2, 3, 6])).toEqual([1, 1, 0.1, 0.01]);
  expect(at(stepSchedule({ lr: 8, every: [2, 5], factor: 0.5 }), [1, 2, 4, 5])).toEqual([8, 4, 4, 2]);
  expect(() => stepSchedule({ lr: 1, every: 0 })).toThrow('stepSchedule: every must be above 0, got 0');
});

test('one cycle: the first rate, the top at 30% of the steps less one, the last', () => {
  // torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=1, total_steps=10)
  const cycle = oneCycleSchedule({ lr: 1, steps: 10 });
  expect(at(cycle, [0, 1, 2, 9])).toEqual([0.04, 0.52, 1, 4e-6]);
  expect(cycle(5)).toBeCloseTo(4e-6 + ((1 - 4e-6) * (1 + Math.cos((Math.PI * 3) / 7))) / 2, 12);
  expect(() => oneCycleSchedule({ lr: 1, steps: 3 })).toThrow(
    'rising must be below 1 and more than one of 3 steps, got 0.3',
  );
});

test('a plateau: patience, the threshold, both modes and the least rate', () => {
  const falling = new PlateauSchedule({ lr: 1, patience: 1, minLr: 0.05 });
  expect([5, 5, 5, 5, 5, 4, 3.9999, 3.9998].map((loss) => Number(falling.update(loss).toPrecision(3)))).toEqual([
    1, 1, 0.1, 0.1, 0.05, 0.05, 0.05, 0.05,
  ]);
  const rising = new PlateauSchedule({ lr: 1, mode: 'max', patience: 0, factor: 0.5 });
  expect([0.1, 0.2, 0.2, 0.3].map((accuracy) => rising.update(accuracy))).toEqual([1, 1, 0.5, 0.5]);
});
