/** Learning rates as values: functions of the step, in whatever unit the caller counts. */
import { expectOptions } from '../core/options';

/** The learning rate of a step, from 0 on: `optimizer.setLr(schedule(step))`. */
export type Schedule = (step: number) => number;

function checkSteps(op: string, name: string, steps: number): void {
  if (!(steps > 0)) throw new Error(`${op}: ${name} must be above 0, got ${steps}`);
}

const cosineBetween = (from: number, to: number, share: number): number =>
  to + ((from - to) * (1 + Math.cos(Math.PI * share))) / 2;

/** Settings of `cosineSchedule`. */
export interface CosineSettings {
  /** The highest rate. */
  lr: number;
  /** The step at which the rate reaches `endLr`, and stays. */
  steps: number;
  /** Default 0. */
  endLr?: number;
  /** Steps of linear warm-up from 0 before the cosine; default 0. */
  warmup?: number;
}

/** Half a cosine from `lr` to `endLr` (PyTorch's CosineAnnealingLR), after a linear warm-up. */
export function cosineSchedule(settings: CosineSettings): Schedule {
  expectOptions('cosineSchedule', settings, { lr: true, steps: true, endLr: true, warmup: true });
  const { lr, steps, endLr = 0, warmup = 0 } = settings;
  checkSteps('cosineSchedule', 'steps - warmup', steps - warmup);
  return (step) => {
    if (step < warmup) return (lr * (step + 1)) / (warmup + 1);
    return cosineBetween(lr, endLr, Math.min(1, (step - warmup) / (steps - warmup)));
  };
}

/** Settings of `stepSchedule`. */
export interface StepSettings {
  lr: number;
  /** The rate is multiplied by `factor` after every so many steps, or at these steps. */
  every: number | readonly number[];
  /** Default 0.1. */
  factor?: number;
}

/** A rate that falls in steps (PyTorch's StepLR and MultiStepLR). */
export function stepSchedule(settings: StepSettings): Schedule {
  expectOptions('stepSchedule', settings, { lr: true, every: true, factor: true });
  const { lr, every, factor = 0.1 } = settings;
  if (typeof every === 'number') {
    checkSteps('stepSchedule', 'every', every);
    return (step) => lr * factor ** Math.floor(step / every);
  }
  return (step) => lr * factor ** every.filter((at) => step >= at).length;
}

/** Settings of `oneCycleSchedule`, with PyTorch's defaults. */
export interface OneCycleSettings {
  /** The highest rate. */
  lr: number;
  steps: number;
  /** Share of the steps in which the rate rises; default 0.3. */
  rising?: number;
  /** The first rate is `lr` divided by this; default 25. */
  startDivisor?: number;
  /** The last rate is the first divided by this; default 1e4. */
  endDivisor?: number;
}

/** One rise and one fall along cosines (PyTorch's OneCycleLR): step 0 has the first rate, step `steps` - 1 the last. */
export function oneCycleSchedule(settings: OneCycleSettings): Schedule {
  const known = { lr: true, steps: true, rising: true, startDivisor: true, endDivisor: true } as const;
  expectOptions('oneCycleSchedule', settings, known);
  const { lr, steps, rising = 0.3, startDivisor = 25, endDivisor = 1e4 } = settings;
  checkSteps('oneCycleSchedule', 'steps - 1', steps - 1);
  if (!(rising * steps > 1 && rising < 1))
    throw new Error(`oneCycleSchedule: rising must be below 1 and more than one of ${steps} steps, got ${rising}`);
  const [first, top] = [lr / startDivisor, rising * steps - 1];
  return (step) => {
    if (step <= top) return cosineBetween(first, lr, step / top);
    return cosineBetween(lr, first / endDivisor, Math.min(1, (step - top) / (steps - 1 - top)));
  };
}

/** Settings of `PlateauSchedule`, with PyTorch's defaults. */
export interface PlateauSettings {
  lr: number;
  /** `min`: the metric should fall, `max`: rise. */
  mode?: 'min' | 'max';
  factor?: number;
  /** Updates without improvement that are tolerated. */
  patience?: number;
  /** Smallest relative improvement that counts. */
  threshold?: number;
  minLr?: number;
}

/** A rate that is multiplied by a factor when a metric has stopped improving (PyTorch's ReduceLROnPlateau). */
export class PlateauSchedule {
  /** The current rate. */
  lr: number;
  private best: number | null = null;
  private waited = 0;

  constructor(private readonly settings: PlateauSettings) {
    const known = { lr: true, mode: true, factor: true, patience: true, threshold: true, minLr: true } as const;
    expectOptions('PlateauSchedule', settings, known);
    this.lr = settings.lr;
  }

  /** Takes the metric of one more validation, and returns the rate from now on. */
  update(metric: number): number {
    const { mode = 'min', factor = 0.1, patience = 10, threshold = 1e-4, minLr = 0 } = this.settings;
    const { best } = this;
    const better =
      best === null || (mode === 'min' ? metric < best * (1 - threshold) : metric > best * (1 + threshold));
    if (better) [this.best, this.waited] = [metric, 0];
    else this.waited += 1;
    if (this.waited > patience) [this.lr, this.waited] = [Math.max(minLr, this.lr * factor), 0];
    return this.lr;
  }
}
