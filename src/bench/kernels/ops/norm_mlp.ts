import { normMlpCase } from '../../op_cases/norm_mlp';
import type { KernelCase } from '../kernel_case';
import type { Stage } from '../stages';

/** LayerNorm, the two FCs of the MLP and the residual. */
export const normMlp = ({ number, shape, channels: c, tokens }: Stage): KernelCase[] => [
  {
    ...{ op: 'norm_mlp', stage: number },
    timed: normMlpCase(shape, 3 * c),
    small: normMlpCase([2, 171, c], 3 * c), // a row knows of no other
    macs: tokens * 6 * c * c,
  },
];
