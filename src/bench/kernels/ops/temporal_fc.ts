import { temporalFcCase } from '../../op_cases/temporal_fc';
import type { KernelCase } from '../kernel_case';
import { STAGES } from '../stages';

/** The temporal FC alone. */
export const temporalFc: KernelCase[] = STAGES.map(({ number, shape, channels, groups, temporalRow, tokens }) => ({
  ...{ op: 'temporal_fc', stage: number },
  timed: temporalFcCase(shape, groups),
  verified: temporalFcCase([1, shape[1], 5, 9, channels], groups), // a position knows of no other
  macs: tokens * channels * temporalRow,
}));
