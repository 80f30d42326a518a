import { dryRun } from '../core/dry_run';
import { rngState, setRngState } from '../core/generator';
import { scope } from '../core/scope';
import { zeros } from '../core/tensor';
import type { Backbone } from '../models/morphmlp';

/** Random words that a training forward of `clips` clips draws. */
export function wordsOfForward(model: Backbone, clips: number): number {
  const { kind, frames } = model.config;
  const before = rngState();
  try {
    dryRun(() => scope(() => void model.forward(zeros([clips, 3, kind === 'video' ? frames : 1, 32, 32]))));
    return rngState().offset - before.offset;
  } finally {
    setRngState(before);
  }
}

/**
 * Random state of a step's slices: each draws from a place of its own, as if those before it were full, so that it does not matter
 * which rank computes them, or whether clips of others could not be read.
 */
export class SliceRandom {
  private from: ReturnType<typeof rngState> | null = null;
  private words: number | null = null;

  constructor(
    private readonly slices: number,
    private readonly wordsOfSlice: () => number,
  ) {}

  /** Sets the state for a slice of the current step. */
  begin(slice: number): void {
    this.from ??= rngState();
    this.seek(this.from, slice);
  }

  /** Sets the state after the step. */
  finish(): void {
    this.seek(this.from ?? rngState(), this.slices);
    this.from = null;
  }

  private seek({ seed, offset }: ReturnType<typeof rngState>, slice: number): void {
    this.words ??= this.wordsOfSlice();
    setRngState({ seed, offset: offset + slice * this.words });
  }
}
