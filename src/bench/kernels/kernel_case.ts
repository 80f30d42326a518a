import type { Bf16Terms } from '../op_cases/bf16';
import type { OpCase } from '../op_cases/case';
import type { Sizes } from './stages';

/** An op at the shapes of one stage. */
export interface KernelCase {
  /** The op's name and variant: `morph_fc width`. */
  op: string;
  stage: number;
  /** Sizes that replace those of the stage. */
  sizes?: Sizes;
  /** The timed case. */
  timed: OpCase;
  /** The case verified against float64 if the oracle is too slow for the timed shape: same widths, fewer tokens. */
  verified?: OpCase;
  /** The case with which variants other than ours are verified, which are compared with ours as timed: fewer tokens. */
  small?: OpCase;
  /** Multiply-adds of the forward pass. */
  macs: number;
  /** Multiply-adds of the backward pass; default twice those of the forward. */
  backwardMacs?: number;
  /** How it runs in bf16; default: as its op in `BF16_TERMS`. */
  bf16?: Bf16Terms;
  /** The backward reads only the upstream gradient. */
  backwardReadsNothing?: true;
}
