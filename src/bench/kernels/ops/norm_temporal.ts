import { normTemporalCase } from '../../op_cases/norm_temporal';
import type { KernelCase } from '../kernel_case';
import type { Stage } from '../stages';

/** LayerNorm, the temporal FC, its projection and the residual. */
export const normTemporal = ({ number, shape, channels: c, groups, temporalRow, tokens }: Stage): KernelCase[] => [
  {
    ...{ op: 'norm_temporal', stage: number },
    timed: normTemporalCase(shape, groups),
    small: normTemporalCase([2, shape[1], 5, 9, c], groups), // a position knows of no other
    macs: tokens * c * (temporalRow + c),
  },
];
