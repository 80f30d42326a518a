import { normTemporalCase } from '../../op_cases/norm_temporal';
import type { KernelCase } from '../kernel_case';
import { STAGES } from '../stages';

/** LayerNorm, the temporal FC, its projection and the residual. */
export const normTemporal: KernelCase[] = STAGES.map(({ number, shape, channels: c, groups, temporalRow, tokens }) => ({
  ...{ op: 'norm_temporal', stage: number },
  timed: normTemporalCase(shape, groups),
  macs: tokens * c * (temporalRow + c),
}));
