import { expectOptions, type Known } from '../core/options';

/** A learning rate with linear warm-up and cosine or polynomial decay. All counts are in the same unit, epochs or steps. */
export interface CosineSchedule {
  baseLr: number;
  /** Learning rate at the end of the cosine. */
  endLr: number;
  /** Learning rate at the start of the warm-up. */
  warmupStartLr: number;
  warmupEpochs: number;
  maxEpoch: number;
  /** true: the cosine starts at the end of the warm-up (the authors' COSINE_AFTER_WARMUP); false: at 0. */
  cosineAfterWarmup: boolean;
  /** Decay by this power of the share that is left, in place of the cosine. */
  power?: number;
}

const KNOWN: Known<CosineSchedule> = {
  ...{
    baseLr: true,
    endLr: true,
    warmupStartLr: true,
    warmupEpochs: true,
    maxEpoch: true,
    cosineAfterWarmup: true,
    power: true,
  },
};

function cosineAt(s: CosineSchedule, epoch: number): number {
  const offset = s.cosineAfterWarmup ? s.warmupEpochs : 0;
  const progress = (epoch - offset) / (s.maxEpoch - offset);
  if (s.power !== undefined) return s.endLr + (s.baseLr - s.endLr) * Math.max(0, 1 - progress) ** s.power;
  return s.endLr + (s.baseLr - s.endLr) * (Math.cos(Math.PI * progress) + 1) * 0.5;
}

/** The learning rate at a fractional epoch: linear from `warmupStartLr` up to the cosine at the end of the warm-up, then the cosine. */
export function learningRate(schedule: CosineSchedule, epoch: number): number {
  expectOptions('learningRate', schedule, KNOWN);
  const { warmupEpochs, warmupStartLr } = schedule;
  if (epoch >= warmupEpochs) return cosineAt(schedule, epoch);
  return warmupStartLr + ((cosineAt(schedule, warmupEpochs) - warmupStartLr) * epoch) / warmupEpochs;
}
