import { normSpatialCase } from '../../op_cases/norm_spatial';
import type { KernelCase } from '../kernel_case';
import { STAGES } from '../stages';

/** LayerNorm, the branches, what weighs them, the projection and the residual. */
export const normSpatial: KernelCase[] = STAGES.map(({ number, shape, channels: c, chunk, tokens }) => {
  const branches = number === 4 ? 2 : 3;
  return {
    ...{ op: 'norm_spatial', stage: number },
    timed: normSpatialCase({ shape, chunk, branches }),
    macs: tokens * (branches + 1) * c * c + (1 + branches) * c * Math.ceil(c / 4),
  };
});
