/**
 * The learning rate range test (Smith, "Cyclical learning rates for training neural networks", 2017): steps at a rate that
 * grows from step to step, until the loss explodes.
 */
import type { Batch } from '../data/types';
import type { Run } from './run';

/** A learning rate and a loss; null if it is not finite. */
export type Point = [rate: number, loss: number | null];

/** Rates of the test, in [from, to], evenly spaced on a logarithmic scale. */
export interface RateTest {
  from: number;
  to: number;
  steps: number;
}

export const RATE_TEST: RateTest = { from: 1e-6, to: 0.3, steps: 120 };

/** Result of a test: loss of each step by its rate, its average, and the rate to train with. */
export interface FoundRate {
  losses: Point[];
  smoothed: Point[];
  /** A tenth of the rate at which the averaged loss is lowest. */
  rate: number;
}

/** The averaged loss at which a test ends, as a multiple of the lowest so far. */
const EXPLODED = 2;

/** Steps over which losses are averaged. */
const SPAN = 8;

/** Moving average of the losses over about `SPAN` steps, with bias correction. */
function smooth(points: readonly Point[]): Point[] {
  let [sum, weight] = [0, 0];
  return points.map(([rate, loss]) => {
    if (loss === null) return [rate, null];
    sum = (1 - 1 / SPAN) * sum + loss;
    weight = (1 - 1 / SPAN) * weight + 1;
    return [rate, sum / weight];
  });
}

/** The rate to train with, from losses by rate: a tenth of the one with the lowest average. @throws if no loss fell */
export function rateFrom(losses: readonly Point[]): FoundRate {
  const smoothed = smooth(losses);
  const known = smoothed.slice(SPAN).flatMap(([x, y]) => (y === null ? [] : [{ x, y }]));
  const lowest = known.reduce((best, one) => (one.y < best.y ? one : best), { x: NaN, y: Infinity });
  const first = known[0];
  if (first === undefined || !(lowest.y < first.y))
    throw new Error('no learning rate of the test lowered the loss: the data may be unreadable, or the labels random');
  return { losses: [...losses], smoothed, rate: lowest.x / 10 };
}

/**
 * Tests learning rates on the batches of a run. It changes the run's weights, so the run cannot be trained afterwards.
 * @param onStep hears of every step; returning false ends the test
 */
export async function findRate(
  run: Run,
  { from, to, steps }: RateTest,
  onStep: (done: number, loss: number) => boolean,
): Promise<FoundRate> {
  const losses: Point[] = [];
  let lowest = Infinity;
  const rateOf = (step: number): number => from * (to / from) ** (step / (steps - 1));
  const { accumulate = 1 } = run.trainer.options;
  let group: Batch[] = [];
  for (let epoch = 0; losses.length < steps; epoch++) {
    for await (const { batch } of run.loaders.train.epoch(epoch)) {
      group.push(batch);
      if (group.length < accumulate) continue;
      const rate = rateOf(losses.length);
      const loss = run.trainer.stepAt(group, rate);
      group = [];
      losses.push([rate, Number.isFinite(loss) ? loss : null]);
      const average = smooth(losses).at(-1)![1] ?? Infinity;
      if (losses.length > SPAN) lowest = Math.min(lowest, average);
      const exploded = !Number.isFinite(loss) || (losses.length > 2 * SPAN && average > EXPLODED * lowest);
      if (!onStep(losses.length, loss) || exploded || losses.length === steps) return rateFrom(losses);
    }
  }
  return rateFrom(losses);
}
