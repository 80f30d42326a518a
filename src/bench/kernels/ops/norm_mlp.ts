import { normMlpCase } from '../../op_cases/norm_mlp';
import type { KernelCase } from '../kernel_case';
import { STAGES } from '../stages';

/** LayerNorm, the two FCs of the MLP and the residual. */
export const normMlp: KernelCase[] = STAGES.map(({ number, shape, channels: c, tokens }) => ({
  ...{ op: 'norm_mlp', stage: number },
  timed: normMlpCase(shape, 3 * c),
  macs: tokens * 6 * c * c,
}));
