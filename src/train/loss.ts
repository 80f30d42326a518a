/** The loss of a batch, by the kind of its targets. */
import { softCrossEntropy } from '../ops/cross_entropy';
import { pixelCrossEntropy } from '../ops/pixel_cross_entropy';
import type { Tensor } from '../core/tensor';

/** Targets of a batch: f32 [B, classes], soft targets of clips, or bytes [B, H, W], classes of pixels (255: none). */
export type Targets = Float32Array | Uint8Array;

/** Whether targets are of pixels. */
export const isMasks = (targets: Targets): targets is Uint8Array => targets.BYTES_PER_ELEMENT === 1;

/** Loss of a batch, and what its accuracy is measured by: the logits of clips, or the predicted classes of pixels. */
export interface Loss {
  loss: Tensor;
  scores: Tensor;
}

/** Cross entropy of logits: of clips against soft targets, of pixels against masks (u8). */
export function lossOf(logits: Tensor, targets: Tensor): Loss {
  if (targets.dtype !== 'u8') return { loss: softCrossEntropy(logits, targets), scores: logits };
  const { loss, predicted } = pixelCrossEntropy(logits, targets);
  return { loss, scores: predicted };
}
