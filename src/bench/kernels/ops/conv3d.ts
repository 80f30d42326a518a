import { convNormCase } from '../../op_cases/conv_norm';
import { conv3dCase } from '../../op_cases/conv3d';
import type { KernelCase } from '../kernel_case';
import { STAGES, type Stage } from '../stages';

const half = { stride: [1, 2, 2], padding: [0, 1, 1], input: 'NTHWC', bias: true } as const;

/** The strided 1×3×3 convolution on frames of size × size; verified on one frame of 15×14. */
function halving(stage: number, [ins, outs]: [number, number], size: number): KernelCase {
  const weight = [outs, ins, 1, 3, 3];
  return {
    ...{ op: 'conv3d half', stage },
    timed: conv3dCase({ x: [1, 8, size, size, ins], weight, ...half }),
    verified: conv3dCase({ x: [1, 1, 15, 14, ins], weight, ...half }),
    macs: 8 * (size / 2) ** 2 * outs * ins * 9,
  };
}

const stem = { weight: [56, 3, 3, 3, 3], stride: [2, 2, 2], padding: [1, 1, 1], input: 'NCTHW', grad: false } as const;

/** The grouped convolution of table 10 of the paper: groups and taps as in the morph FC; a square kernel in stage 4. */
function grouped({ number, channels: c, size, chunk, tokens }: Stage): KernelCase {
  const [rows, columns] = number === 4 ? [7, 7] : [1, chunk];
  const shape = {
    weight: [c, c / chunk, 1, rows, columns],
    stride: [1, 1, 1] as const,
    padding: [0, (rows - 1) >> 1, (columns - 1) >> 1] as const,
    paddingBehind: [0, rows >> 1, columns >> 1] as const,
    ...{ groups: chunk, input: 'NTHWC' as const },
  };
  return {
    ...{ op: 'conv3d groups', stage: number },
    timed: conv3dCase({ x: [1, 8, size, size, c], ...shape }),
    verified: conv3dCase({ x: [1, 1, 3, 15, c], ...shape }),
    macs: tokens * c * c,
  };
}

const stemMacs = 8 * 112 * 112 * 56 * 81;

const stemCases: KernelCase[] = [
  {
    ...{ op: 'conv3d stem', stage: 1 },
    timed: conv3dCase({ x: [1, 3, 16, 224, 224], ...stem }),
    verified: conv3dCase({ x: [1, 3, 5, 31, 30], ...stem }),
    ...{ macs: stemMacs, backwardMacs: stemMacs },
  },
  {
    ...{ op: 'conv_norm stem', stage: 1 },
    timed: convNormCase({ x: [1, 3, 16, 224, 224], ...stem }, { gelu: true }),
    verified: convNormCase({ x: [1, 3, 5, 31, 30], ...stem }, { gelu: true }),
    ...{ macs: stemMacs, backwardMacs: stemMacs },
  },
];

/** Channels before the downsampling to each stage. */
const BEFORE = [56, ...STAGES.map(({ channels }) => channels)];

/** The stem's convolutions (the first also fused with BatchNorm), the downsampling before each stage, and grouped convolutions. */
export const conv3d = (stage: Stage): KernelCase[] => {
  const { number, channels, size } = stage;
  const half = halving(number, [BEFORE[number - 1]!, channels], 2 * size);
  return [...(number === 1 ? stemCases : []), half, grouped(stage)];
};
