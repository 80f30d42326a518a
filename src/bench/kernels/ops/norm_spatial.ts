import { normSpatialCase } from '../../op_cases/norm_spatial';
import type { KernelCase } from '../kernel_case';
import type { Stage } from '../stages';

/** LayerNorm, the branches, what weighs them, the projection and the residual. */
export function normSpatial({ number, shape, channels: c, chunk, tokens }: Stage): KernelCase[] {
  const branches = number === 4 ? 2 : 3;
  return [
    {
      ...{ op: 'norm_spatial', stage: number },
      timed: normSpatialCase({ shape, chunk, branches }),
      small: normSpatialCase({ shape: [2, 1, ...shape.slice(2)], chunk, branches }),
      macs: tokens * (branches + 1) * c * c + (1 + branches) * c * Math.ceil(c / 4),
    },
  ];
}
