import { batchNormCase } from '../../op_cases/batch_norm';
import { geluCase } from '../../op_cases/gelu';
import { layerNormCase } from '../../op_cases/layer_norm';
import { meanPoolCase } from '../../op_cases/mean_pool';
import { reweightCase } from '../../op_cases/reweight';
import type { KernelCase } from '../kernel_case';
import type { Stage } from '../stages';

/** The ops that do little arithmetic for each number they read, at the stage where they read most. */
export const memoryBound = ({ number, shape, size, channels }: Stage): KernelCase[] => {
  if (number !== 1) return [];
  const stem = [1, 8, 2 * size, 2 * size, channels / 2];
  return [
    { op: 'layer_norm', stage: 1, timed: layerNormCase(shape), macs: 0 },
    { op: 'gelu', stage: 1, timed: geluCase(shape, 4), macs: 0 },
    { op: 'reweight', stage: 1, timed: reweightCase(shape, 3), macs: 0 },
    { op: 'mean_pool', stage: 1, timed: meanPoolCase(shape, 3), macs: 0, backwardReadsNothing: true },
    { op: 'batch_norm gelu', stage: 1, timed: batchNormCase(stem, { gelu: true }), macs: 0 },
  ];
};
