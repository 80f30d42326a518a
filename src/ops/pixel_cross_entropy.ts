import { record } from '../core/autograd';
import { kernels } from '../core/dispatch';
import { empty, emptyLike, ones, show, type Tensor } from '../core/tensor';
import { expectDims, expectF32, expectShape } from './check';

/** Most classes of a segmentation: masks are bytes, and one value must be free for ignored pixels. */
export const MOST_PIXEL_CLASSES = 255;

/** Result of `pixelCrossEntropy`. */
export interface PixelLoss {
  /** A scalar, shape []. */
  loss: Tensor;
  /** u8 [B, H, W]: the first class with the largest logit, of ignored pixels too. */
  predicted: Tensor;
}

/**
 * Cross entropy of the pixels of masks, from logits of smaller pictures that are resized to the masks bilinearly as they
 * are read: neither logits nor probabilities of the masks' size are stored.
 * @param logits f32 [B, h, w, classes], at most 255 classes
 * @param labels u8 [B, H, W]; a pixel whose label is not below `classes`, such as 255, is ignored
 * @param weights f32 [classes], factor of each class's loss; absent: all 1
 * @returns the mean over labelled pixels, divided by their weights as in PyTorch; 0 without labelled pixels
 */
export function pixelCrossEntropy(logits: Tensor, labels: Tensor, weights?: Tensor | null): PixelLoss {
  expectF32('pixelCrossEntropy', { logits, weights: weights ?? null });
  expectDims('pixelCrossEntropy', 'logits', logits, 4, '[B, h, w, classes]');
  expectDims('pixelCrossEntropy', 'labels', labels, 3, '[B, H, W]');
  const [batch, height, width, classes] = logits.shape as [number, number, number, number];
  const [, outHeight, outWidth] = labels.shape as [number, number, number];
  if (labels.dtype !== 'u8') throw new Error(`pixelCrossEntropy: labels must be u8, got ${labels.dtype}`);
  if (labels.device !== logits.device)
    throw new Error(`pixelCrossEntropy: labels are on ${labels.device}, logits on ${logits.device}`);
  if (labels.shape[0] !== batch || logits.size === 0 || labels.size === 0)
    throw new Error(
      `pixelCrossEntropy: expected masks of ${batch} pictures, none empty, got ${show(labels.shape)} for logits ${show(logits.shape)}`,
    );
  if (classes > MOST_PIXEL_CLASSES)
    throw new Error(`pixelCrossEntropy: at most ${MOST_PIXEL_CLASSES} classes, got ${classes}`);
  const factors = weights ?? ones([classes], { device: logits.device });
  expectShape('pixelCrossEntropy', { weights: factors }, [classes]);
  const at = { batch, height, width, classes, outHeight, outWidth };
  const [loss, total, logSums] = [emptyLike(logits, []), emptyLike(logits, []), emptyLike(logits, labels.shape)];
  const predicted = empty(labels.shape, { device: logits.device, dtype: 'u8' });
  kernels.pixelCrossEntropyForward({ logits, labels, weights: factors, loss, total, logSums, predicted, ...at });
  const output = record({
    op: 'pixelCrossEntropy',
    inputs: [logits],
    output: loss,
    saved: { logits, labels: labels.detach(), weights: weights ? weights.detach() : factors, total, logSums },
    backward: (dloss, { logits, labels, weights, total, logSums }) => {
      const dlogits = emptyLike(logits);
      kernels.pixelCrossEntropyBackward({ logits, labels, weights, total, logSums, dloss, dlogits, ...at });
      return [dlogits];
    },
  });
  return { loss: output, predicted };
}
