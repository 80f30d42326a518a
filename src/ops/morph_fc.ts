import { record } from '../core/autograd';
import { kernels } from '../core/dispatch';
import { expectOptions } from '../core/options';
import { emptyLike, type Tensor } from '../core/tensor';
import { expectDims, expectFloats, expectInteger, expectShape } from './check';
import { fcGradients } from './fc_gradients';

/** Chunking of tokens and grouping of channels in `morphFc`. */
export interface MorphFcOptions {
  /** Order of a frame's tokens: `width` row by row, `height` column by column. */
  axis: 'width' | 'height';
  /** Tokens in a chunk, L. */
  chunk: number;
  /** Groups of channels; default L, so that a row of the FC has C numbers. */
  groups?: number;
  /** `consecutive`: token j·L + l is the l-th of chunk j; `strided` (stage 4): token l·J + j. */
  order?: 'consecutive' | 'strided';
}

function shapeArguments(x: Tensor, { axis, chunk, groups = chunk, order = 'consecutive' }: MorphFcOptions) {
  const [b, t, height, width, channels] = x.shape as [number, number, number, number, number];
  const [vertical, strided] = [axis === 'height', order === 'strided'];
  return { frames: b * t, height, width, channels, chunk, groups, vertical, strided };
}

function checkMorphFc(x: Tensor, weight: Tensor, bias: Tensor | null, { chunk, groups = chunk }: MorphFcOptions): void {
  expectFloats('morphFc', 'morph_fc', { x }, { weight, bias });
  expectDims('morphFc', 'x', x, 5, '[B, T, H, W, C]');
  expectInteger('morphFc', 'chunk', chunk, 1);
  expectInteger('morphFc', 'groups', groups, 1);
  const channels = x.shape[4] as number;
  if (channels % groups !== 0) {
    const what = groups === chunk ? `chunk length ${chunk} needs` : `${groups} groups need`;
    throw new Error(`morphFc: x has ${channels} channels, ${what} a multiple of ${groups}`);
  }
  const row = chunk * (channels / groups);
  expectShape('morphFc', { weight }, [row, row]);
  expectShape('morphFc', { bias }, [row]);
}

/**
 * One spatial branch of MorphFC (MorphMLP, section 3.2): the tokens of each frame in chunks of L, the channels in G groups of
 * S = C/G. Each group g of each chunk j, the L·S numbers x[j·L + l, g·S + s] at index l·S + s, passes through the same FC, whose
 * outputs return to the same positions. With G = L, the default, the FC is C wide. If H·W is not a multiple of L, the last chunk
 * is padded with zeros and the outputs of the padding are dropped.
 * @param x [B, T, H, W, C] @param weight [L·S, L·S] @param bias [L·S] or null
 * @returns [B, T, H, W, C]
 */
export function morphFc(x: Tensor, weight: Tensor, bias: Tensor | null, options: MorphFcOptions): Tensor {
  expectOptions('morphFc', options, { axis: true, chunk: true, groups: true, order: true });
  checkMorphFc(x, weight, bias, options);
  const at = shapeArguments(x, options);
  const y = emptyLike(x);
  kernels.morphFcForward({ x, weight, bias, y, ...at });
  return record({
    op: 'morphFc',
    inputs: [x, weight, bias],
    output: y,
    saved: { x, weight },
    backward: (dy, { x, weight }, needs) => {
      const { dx, dweight, dbias } = fcGradients(x, weight, needs);
      kernels.morphFcBackward({ x, weight, dy, dx, dweight, dbias, ...at });
      return [dx, dweight, dbias];
    },
  });
}
