import { temporalFcCase } from '../../cases/temporal_fc';
import type { KernelCase } from '../kernel_case';
import { STAGES } from '../stages';

/** The temporal FC alone. */
export const temporalFc: KernelCase[] = STAGES.map(({ number, shape, channels, groups, temporalRow, tokens }) => ({
  ...{ op: 'temporal_fc', stage: number },
  timed: temporalFcCase(shape, groups),
  macs: tokens * channels * temporalRow,
}));
