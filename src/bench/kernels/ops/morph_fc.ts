import { morphFcCase } from '../../op_cases/morph_fc';
import type { KernelCase } from '../kernel_case';
import type { Stage } from '../stages';

/** The spatial FCs alone: by height and by width, and for stage 4 in strided order. */
export function morphFc({ number, shape, channels: c, chunk, tokens }: Stage): KernelCase[] {
  const one = (name: string, axis: 'height' | 'width', order: 'consecutive' | 'strided') => ({
    ...{ op: `morph_fc ${name}`, stage: number },
    timed: morphFcCase(shape, { axis, chunk, order }),
    verified: morphFcCase([1, 2, ...shape.slice(2)], { axis, chunk, order }), // a frame knows of no other
    macs: tokens * c * c,
  });
  if (number === 4) return [one('strided', 'width', 'strided')];
  return [one('height', 'height', 'consecutive'), one('width', 'width', 'consecutive')];
}
