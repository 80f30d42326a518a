import { record } from '../core/autograd';
import { kernels } from '../core/dispatch';
import { emptyLike, type Tensor } from '../core/tensor';
import { expectDims, expectFloats, expectInteger, expectShape } from './check';
import { fcGradients } from './fc_gradients';

function checkTemporalFc(x: Tensor, weight: Tensor, bias: Tensor | null, groups: number): void {
  expectFloats('temporalFc', 'temporal_fc', { x }, { weight, bias });
  expectDims('temporalFc', 'x', x, 5, '[B, T, H, W, C]');
  expectInteger('temporalFc', 'groups', groups, 1);
  const [steps, channels] = [x.shape[1] as number, x.shape[4] as number];
  if (channels % groups !== 0) throw new Error(`temporalFc: ${channels} channels do not divide into ${groups} groups`);
  const row = steps * (channels / groups);
  expectShape('temporalFc', { weight }, [row, row]);
  expectShape('temporalFc', { bias }, [row]);
}

/**
 * MorphFC along time (MorphMLP, section 3.3): at each position the channels are cut into G groups of S = C/G. The T·S numbers
 * x[t, g·S + s] of each group, at index t·S + s, pass through the same FC, whose outputs return to the same positions.
 * @param x [B, T, H, W, C] @param weight [T·S, T·S] @param bias [T·S] or null
 * @returns [B, T, H, W, C]
 */
export function temporalFc(x: Tensor, weight: Tensor, bias: Tensor | null, groups: number): Tensor {
  checkTemporalFc(x, weight, bias, groups);
  const [clips, steps, h, w, channels] = x.shape as [number, number, number, number, number];
  const at = { clips, steps, positions: h * w, channels, groups };
  const y = emptyLike(x);
  kernels.temporalFcForward({ x, weight, bias, y, ...at });
  return record({
    op: 'temporalFc',
    inputs: [x, weight, bias],
    output: y,
    saved: { x, weight },
    backward: (dy, { x, weight }, needs) => {
      const { dx, dweight, dbias } = fcGradients(x, weight, needs);
      kernels.temporalFcBackward({ x, weight, dy, dx, dweight, dbias, ...at });
      return [dx, dweight, dbias];
    },
  });
}
