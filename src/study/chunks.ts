/** The chunks of tokens that a spatial MorphFC mixes (MorphMLP, section 3.2). */

/** Height and width of a frame, in tokens. */
export type FrameSize = readonly [h: number, w: number];

/** How a spatial branch divides a frame into chunks: `width` counts tokens along rows, `height` along columns. */
export interface Cut {
  axis: 'width' | 'height';
  /** Tokens in a chunk, L. */
  chunk: number;
  /** `consecutive`: token n = j·L + l; `strided` (stage 4): n = l·J + j, with J chunks. */
  order: 'consecutive' | 'strided';
}

/** The chunk j of a token (row-major in its frame) and its position l in the chunk. */
export function chunkOf(
  token: number,
  [h, w]: FrameSize,
  { axis, chunk, order }: Cut,
): { chunk: number; place: number } {
  const n = axis === 'width' ? token : (token % w) * h + Math.floor(token / w);
  if (order === 'consecutive') return { chunk: Math.floor(n / chunk), place: n % chunk };
  const chunks = Math.ceil((h * w) / chunk);
  return { chunk: n % chunks, place: Math.floor(n / chunks) };
}

/** The group of a channel among `chunk` groups: a MorphFC mixes only equal groups of a chunk's tokens. */
export const groupOf = (channel: number, channels: number, chunk: number): number =>
  Math.floor(channel / (channels / chunk));
