/** Input of the network: clips are copied to the device as bytes, then normalised and mixed there. */
import type { Normalisation } from '../data/normalisation';
import { stackClips, type Batch, type Clip } from '../data/types';
import { clipInput, clipSettings } from '../ops/clip_input';
import { scope } from '../core/scope';
import { tensor, type Tensor } from '../core/tensor';

/** Clips or a batch from which the network's input is made. */
export type ClipInput = Pick<Batch, 'pixels' | 'shape' | 'normalisation'> & Partial<Pick<Batch, 'mix'>>;

/** Input [B, 3, T, H, W] of the network for a batch, on the current device. */
export function inputOf(
  { pixels, shape, normalisation, mix = null }: ClipInput,
  dtype: 'f32' | 'bf16' = 'f32',
): Tensor {
  return clipInput(tensor(pixels, shape), tensor(clipSettings({ normalisation, mix })), dtype);
}

/** The network's input as f32 on the host. */
export function normalised(clips: readonly Clip[], normalisation: Normalisation): { x: Float32Array; shape: number[] } {
  return scope(() => {
    const x = inputOf({ ...stackClips(clips), normalisation });
    return { x: x.floats(), shape: [...x.shape] };
  });
}
