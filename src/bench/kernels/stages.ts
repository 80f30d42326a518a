/** One stage of video S for one clip of 16 frames of 224×224: the shapes for which the kernels are tuned. */
export interface Stage {
  number: 1 | 2 | 3 | 4;
  /** [B, T, H, W, C] of the stage's tokens. */
  shape: [number, number, number, number, number];
  channels: number;
  /** Height of a frame. */
  size: number;
  chunk: number;
  tokens: number;
  /** Groups of the temporal FC. */
  groups: number;
  /** Row length of the temporal FC. */
  temporalRow: number;
}

/** Sizes that replace those of a stage, for `--shape` and `--sweep`. */
export interface Sizes {
  /** [B, T, H, W, C] */
  shape?: readonly number[];
  /** One size of the shape. */
  clips?: number;
  frames?: number;
  size?: number;
  channels?: number;
  /** Tokens in a chunk, and groups of the temporal FC. */
  chunk?: number;
  groups?: number;
}

/** Names of the sizes that `--sweep` varies. */
export const SWEPT = ['clips', 'frames', 'size', 'channels', 'chunk', 'groups'] as const;

function stageOf(number: Stage['number'], shape: readonly number[], chunk: number, groups: number): Stage {
  const [clips, frames, height, width, channels] = shape as Stage['shape'];
  const tokens = clips * frames * height * width;
  const temporalRow = (frames * channels) / groups;
  return {
    number,
    shape: [clips, frames, height, width, channels],
    channels,
    size: height,
    chunk,
    tokens,
    groups,
    temporalRow,
  };
}

/** The four stages in order; 8 frames after the stem. */
export const STAGES = [
  stageOf(1, [1, 8, 56, 56, 112], 14, 8),
  stageOf(2, [1, 8, 28, 28, 224], 28, 8),
  stageOf(3, [1, 8, 14, 14, 392], 28, 8),
  stageOf(4, [1, 8, 7, 7, 784], 49, 8),
];

/** A stage with other sizes. @throws if the channels do not divide into chunks or groups */
export function resized(stage: Stage, { shape = stage.shape, ...sizes }: Sizes): Stage {
  const [clips, frames, height, width, channels] = shape as Stage['shape'];
  const [h, w] = [sizes.size ?? height, sizes.size ?? width];
  const of = [sizes.clips ?? clips, sizes.frames ?? frames, h, w, sizes.channels ?? channels];
  const made = stageOf(stage.number, of, sizes.chunk ?? stage.chunk, sizes.groups ?? stage.groups);
  for (const name of ['chunk', 'groups'] as const)
    if (made.channels % made[name] !== 0)
      throw new Error(
        `stage ${stage.number}: ${made.channels} channels do not divide into ${name === 'chunk' ? 'chunks of' : 'groups:'} ${made[name]} (--sweep ${name}=N chooses another)`,
      );
  return made;
}

/** Formats sizes for a label: `chunk=7`. */
export const sizesText = (sizes: Sizes): string =>
  Object.entries(sizes)
    .map(([name, value]) => `${name}=${Array.isArray(value) ? value.join('x') : String(value)}`)
    .join(' ');

/** Formats the place of a measurement: op, stage and other sizes. */
export const placeOf = ({ op, stage, sizes = {} }: { op: string; stage: number; sizes?: Sizes }): string =>
  [`${op} stage ${stage}`, sizesText(sizes)].filter(Boolean).join(', ');
