import { linearCase } from '../../op_cases/linear';
import type { KernelCase } from '../kernel_case';
import type { Stage } from '../stages';

const VERIFIED_ROWS = [2, 170];

/** The channel FC, and the MLP's expanding FC with GELU. */
export const linear = ({ number, channels: c, tokens }: Stage): KernelCase[] => [
  {
    op: 'linear',
    stage: number,
    timed: linearCase([tokens], c, c),
    verified: linearCase(VERIFIED_ROWS, c, c),
    macs: tokens * c * c,
  },
  {
    op: 'linear gelu',
    stage: number,
    timed: linearCase([tokens], 3 * c, c, { gelu: true }),
    verified: linearCase(VERIFIED_ROWS, 3 * c, c, { gelu: true }),
    macs: 3 * tokens * c * c,
  },
];
