import { linearCase } from '../../cases/linear';
import type { KernelCase } from '../kernel_case';
import { STAGES } from '../stages';

/** The channel FC alone, and the wide one of the MLP with its GELU. */
export const linear: KernelCase[] = STAGES.flatMap(({ number, channels: c, tokens }) => [
  { op: 'linear', stage: number, timed: linearCase([tokens], c, c), macs: tokens * c * c },
  { op: 'linear gelu', stage: number, timed: linearCase([tokens], 3 * c, c, { gelu: true }), macs: 3 * tokens * c * c },
]);
