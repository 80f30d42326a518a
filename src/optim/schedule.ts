/** Warm-up and cosine learning rate, by fractional epoch (or step: the unit is whatever the counts are in). */
export interface CosineSchedule {
  baseLr: number;
  /** Where the cosine ends. */
  endLr: number;
  /** Where the warm-up starts. */
  warmupStartLr: number;
  warmupEpochs: number;
  maxEpoch: number;
  /** Whether the cosine runs from the end of the warm-up (the authors' COSINE_AFTER_WARMUP) or from 0. */
  cosineAfterWarmup: boolean;
}

function cosineAt(s: CosineSchedule, epoch: number): number {
  const offset = s.cosineAfterWarmup ? s.warmupEpochs : 0;
  const progress = (epoch - offset) / (s.maxEpoch - offset);
  return s.endLr + (s.baseLr - s.endLr) * (Math.cos(Math.PI * progress) + 1) * 0.5;
}

/** The learning rate at a fractional epoch: linear from `warmupStartLr` to where the cosine takes over, then the cosine. */
export function learningRate(schedule: CosineSchedule, epoch: number): number {
  const { warmupEpochs, warmupStartLr } = schedule;
  if (epoch >= warmupEpochs) return cosineAt(schedule, epoch);
  return warmupStartLr + ((cosineAt(schedule, warmupEpochs) - warmupStartLr) * epoch) / warmupEpochs;
}
