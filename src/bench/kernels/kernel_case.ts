import type { OpCase } from '../op_cases/case';

/** One op at one stage's shapes. */
export interface KernelCase {
  /** The op's stem, and what of it: `morph_fc width`. */
  op: string;
  stage: number;
  /** What is timed. */
  timed: OpCase;
  /** What is held to float64, where the oracle is too slow for the timed shape: the same widths, fewer tokens. */
  verified?: OpCase;
  /** Multiply-adds of the forward. */
  macs: number;
  /** Those of the backward, where it does not have twice as many. */
  backwardMacs?: number;
  /** The backward needs nothing but the upstream gradient. */
  backwardReadsNothing?: true;
}
