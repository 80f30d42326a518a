import { temporalFcCase } from '../../op_cases/temporal_fc';
import type { KernelCase } from '../kernel_case';
import type { Stage } from '../stages';

/** The temporal FC alone. */
export const temporalFc = ({ number, shape, channels, groups, temporalRow, tokens }: Stage): KernelCase[] => [
  {
    ...{ op: 'temporal_fc', stage: number },
    timed: temporalFcCase(shape, groups),
    verified: temporalFcCase([1, shape[1], 5, 9, channels], groups), // a position knows of no other
    macs: tokens * channels * temporalRow,
  },
];
