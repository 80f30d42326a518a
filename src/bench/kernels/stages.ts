/** One stage of video S for one clip of 16 frames of 224×224: the shapes for which the kernels are tuned. */
export interface Stage {
  number: 1 | 2 | 3 | 4;
  /** [B, T, H, W, C] of the stage's tokens. */
  shape: [number, number, number, number, number];
  channels: number;
  size: number;
  chunk: number;
  tokens: number;
  /** Groups of the temporal FC. */
  groups: number;
  /** Row length of the temporal FC. */
  temporalRow: number;
}

const FRAMES = 8; // after the stem

function stage(number: Stage['number'], size: number, channels: number, chunk: number): Stage {
  const tokens = FRAMES * size * size;
  const shape: Stage['shape'] = [1, FRAMES, size, size, channels];
  return { number, shape, channels, size, chunk, tokens, groups: 8, temporalRow: (FRAMES * channels) / 8 };
}

/** The four stages in order. */
export const STAGES = [stage(1, 56, 112, 14), stage(2, 28, 224, 28), stage(3, 14, 392, 28), stage(4, 7, 784, 49)];
