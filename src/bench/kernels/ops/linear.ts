import { linearCase } from '../../op_cases/linear';
import type { KernelCase } from '../kernel_case';
import { STAGES } from '../stages';

const FEWER = [2, 170]; // rows that are enough to be held to float64

/** The channel FC alone, and the wide one of the MLP with its GELU. */
export const linear: KernelCase[] = STAGES.flatMap(({ number, channels: c, tokens }) => [
  {
    op: 'linear',
    stage: number,
    timed: linearCase([tokens], c, c),
    verified: linearCase(FEWER, c, c),
    macs: tokens * c * c,
  },
  {
    op: 'linear gelu',
    stage: number,
    timed: linearCase([tokens], 3 * c, c, { gelu: true }),
    verified: linearCase(FEWER, 3 * c, c, { gelu: true }),
    macs: 3 * tokens * c * c,
  },
]);
