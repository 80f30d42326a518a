/** From clips to batches. Batches hold u8 pixels; `toBatch` is the normalisation that a device does to them. */
import type { Clip } from './types';

/** Clips of one size, one after the other. */
export interface ClipBatch {
  /** u8 [B, T, H, W, 3]. */
  pixels: Uint8Array;
  /** i32 [B]. */
  labels: Int32Array;
  /** [B, T, H, W, 3]. */
  shape: readonly [number, number, number, number, 3];
  paths: string[];
}

/** Normalised network input. */
export interface InputBatch {
  /** f32 [B, 3, T, H, W]: (pixel / 255 - mean) / std. */
  input: Float32Array;
  /** i32 [B]. */
  labels: Int32Array;
  /** [B, 3, T, H, W]. */
  shape: readonly [number, 3, number, number, number];
}

/** Mean and standard deviation of a pixel value in 0..1, the same for the three channels. */
export interface Normalisation {
  mean: number;
  std: number;
}

/** The authors' recipes' normalisation. */
export const NORMALISATION: Normalisation = { mean: 0.45, std: 0.225 };

/** Puts clips of the same size into one batch; throws where there is none or two sizes differ. */
export function stackClips(clips: readonly Clip[]): ClipBatch {
  const first = clips[0];
  if (first === undefined) throw new Error('stackClips: expected at least one clip, got none');
  const volume = first.size[0] * first.size[1] * first.size[2] * 3;
  const pixels = new Uint8Array(clips.length * volume);
  clips.forEach((clip, i) => {
    checkSize(clip, first, volume);
    pixels.set(clip.pixels, i * volume);
  });
  const labels = Int32Array.from(clips, (clip) => clip.label);
  return { pixels, labels, shape: [clips.length, ...first.size, 3], paths: clips.map((clip) => clip.path) };
}

function checkSize(clip: Clip, first: Clip, volume: number): void {
  if (clip.size.join() === first.size.join() && clip.pixels.length === volume) return;
  throw new Error(
    `stackClips: ${clip.path} has ${clip.pixels.length} bytes for frames x height x width = ${clip.size.join(' x ')}, ` +
      `expected ${volume} for ${first.size.join(' x ')} as in ${first.path}`,
  );
}

/** Normalises u8 [B, T, H, W, 3] to f32 [B, 3, T, H, W]. `clips`: a batch, or clips of one size. */
export function toBatch(clips: ClipBatch | readonly Clip[], normalisation: Normalisation = NORMALISATION): InputBatch {
  const { pixels, labels, shape } = 'pixels' in clips ? clips : stackClips(clips);
  const [batch, frames, height, width] = shape;
  const table = Float32Array.from({ length: 256 }, (_, v) => (v / 255 - normalisation.mean) / normalisation.std);
  const plane = frames * height * width;
  const input = new Float32Array(pixels.length);
  for (let b = 0, at = 0; b < batch; b++) {
    const red = b * 3 * plane;
    for (let i = red; i < red + plane; i++, at += 3) {
      input[i] = table[pixels[at]!]!;
      input[i + plane] = table[pixels[at + 1]!]!;
      input[i + 2 * plane] = table[pixels[at + 2]!]!;
    }
  }
  return { input, labels, shape: [batch, 3, frames, height, width] };
}
