import { record } from '../core/autograd';
import { kernels } from '../core/dispatch';
import { expectOptions } from '../core/options';
import { empty, show, type Tensor } from '../core/tensor';

/** Normalisation and mixing of a batch of clips. */
export interface ClipSettings {
  /** Mean and standard deviation of red, green and blue, for pixels scaled to [0, 1]. */
  normalisation: { mean: readonly number[]; std: readonly number[] };
  /** Mixing of each clip with its partner in the reversed batch: mixup, which keeps the share `lambda`, or CutMix, which swaps `box`. */
  mix?: { lambda: number; box?: { x: number; y: number; width: number; height: number } } | null;
}

const EVERYWHERE = { x: 0, y: 0, width: 2 ** 24, height: 2 ** 24 };
const NOWHERE = { x: 0, y: 0, width: 0, height: 0 };

/** Lookup tables of the normalisation, f32 [3 · 256]: (byte / 255 − mean) / std per channel, rounded once. */
function pixelTables({ mean, std }: ClipSettings['normalisation']): Float32Array {
  const tables = new Float32Array(3 * 256);
  for (const channel of [0, 1, 2]) {
    const [m, s] = [mean[channel] ?? NaN, std[channel] ?? NaN];
    if (!(s > 0) || !Number.isFinite(m))
      throw new Error(`clipSettings: expected a finite mean and a positive std, got mean ${m}, std ${s}`);
    for (let byte = 0; byte < 256; byte++) tables[channel * 256 + byte] = (byte / 255 - m) / s;
  }
  return tables;
}

/** Packs settings for `clipInput`: f32 [774]. @throws unless means are finite and standard deviations positive */
export function clipSettings(settings: ClipSettings): Float32Array {
  expectOptions('clipSettings', settings, { normalisation: true, mix: true });
  const { normalisation, mix } = settings;
  const [keep, take] = !mix || mix.box ? [0, 1] : [mix.lambda, 1 - mix.lambda];
  const { x, y, width, height } = !mix ? NOWHERE : (mix.box ?? EVERYWHERE);
  return Float32Array.from([...pixelTables(normalisation), keep, take, x, y, width, height]);
}

/**
 * Converts clips of bytes to the network's input: normalises them and mixes each with its partner in the reversed batch (mixup, Zhang
 * et al., 2018; CutMix, Yun et al., 2019). The middle clip of an odd batch is its own partner. Not differentiable.
 *
 * @param pixels u8 [B, T, H, W, 3]
 * @param settings f32 [774], made by `clipSettings`
 * @returns [B, 3, T, H, W]
 * @throws if `settings` requires a gradient
 */
export function clipInput(pixels: Tensor, settings: Tensor, dtype: 'f32' | 'bf16' = 'f32'): Tensor {
  const [clips = 0, frames = 0, height = 0, width = 0, channels] = pixels.shape;
  if (pixels.dtype !== 'u8' || pixels.ndim !== 5 || channels !== 3)
    throw new Error(`clipInput: pixels must be u8 [B, T, H, W, 3], got ${pixels.dtype} ${show(pixels.shape)}`);
  const x = empty([clips, 3, frames, height, width], { device: pixels.device, dtype });
  kernels.clipInputForward({ clips, frames, height, width, pixels, settings, x });
  return record({ op: 'clipInput', inputs: [pixels, settings], output: x, backward: null });
}
