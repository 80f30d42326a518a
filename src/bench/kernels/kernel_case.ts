import type { OpCase } from '../op_cases/case';

/** An op at the shapes of one stage. */
export interface KernelCase {
  /** The op's name and variant: `morph_fc width`. */
  op: string;
  stage: number;
  /** The timed case. */
  timed: OpCase;
  /** The case verified against float64 if the oracle is too slow for the timed shape: same widths, fewer tokens. */
  verified?: OpCase;
  /** Multiply-adds of the forward pass. */
  macs: number;
  /** Multiply-adds of the backward pass; default twice those of the forward. */
  backwardMacs?: number;
  /** The backward reads only the upstream gradient. */
  backwardReadsNothing?: true;
}
