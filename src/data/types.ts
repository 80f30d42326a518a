import type { Philox } from '../random';

/** A decoded clip: pixels as bytes, not yet normalised. */
export interface Clip {
  /** [T, H, W, 3], red green blue */
  pixels: Uint8Array;
  frames: number;
  height: number;
  width: number;
  label: number;
  /** Where it came from, for messages and reports. */
  path: string;
}

/** A set of labelled clips. Nothing in here knows of models. */
export interface Dataset {
  readonly length: number;
  readonly classNames: readonly string[];
  /** A file path, or what else names item i. */
  name(i: number): string;
  /** The true class of item i. */
  label(i: number): number;
  /** Item i; training sets draw their crops and flips from `random`. Rejects when the item cannot be read. */
  clip(i: number, random: Philox): Promise<Clip>;
  /** What a report says about the data: source, counts, what is missing. */
  describe(): Record<string, string | number>;
}

/** Normalised input of the network. */
export interface Batch {
  /** [B, 3, T, H, W] */
  x: Float32Array;
  shape: readonly [number, number, number, number, number];
  labels: Int32Array;
  clips: readonly Clip[];
}

/** Mean and standard deviation of the authors' recipes, on pixels scaled to [0, 1]. */
export const NORMALISATION = { mean: 0.45, std: 0.225 } as const;

function writePlanes(clip: Clip, table: Float32Array, out: Float32Array): void {
  const plane = clip.pixels.length / 3;
  for (let i = 0, pixel = 0; i < plane; i++) {
    out[i] = table[clip.pixels[pixel++] as number] as number;
    out[plane + i] = table[clip.pixels[pixel++] as number] as number;
    out[2 * plane + i] = table[clip.pixels[pixel++] as number] as number;
  }
}

/** Clips of one size as one normalised batch, planes first. */
export function toBatch(clips: readonly Clip[], { mean, std }: { mean: number; std: number } = NORMALISATION): Batch {
  const [first] = clips;
  if (!first) throw new Error('toBatch: no clips');
  const { frames, height, width } = first;
  const odd = clips.find((c) => c.frames !== frames || c.height !== height || c.width !== width);
  if (odd)
    throw new Error(
      `toBatch: ${odd.path} is ${odd.frames}x${odd.height}x${odd.width}, ${first.path} ${frames}x${height}x${width}`,
    );
  const table = Float32Array.from({ length: 256 }, (_, byte) => (byte / 255 - mean) / std);
  const size = 3 * frames * height * width;
  const x = new Float32Array(clips.length * size);
  clips.forEach((clip, i) => writePlanes(clip, table, x.subarray(i * size, (i + 1) * size)));
  return { x, shape: [clips.length, 3, frames, height, width], labels: Int32Array.from(clips, (c) => c.label), clips };
}
