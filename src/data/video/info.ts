/** Facts about a video file, and the index of its frames. */

/** The bytes of a file that are a video of their own: from `start` up to, not with, `end`. */
export interface Part {
  start: number;
  end: number;
}

export interface CallOptions {
  timeoutMs?: number;
  signal?: AbortSignal | undefined;
  /** Only this part of the file is the video. */
  part?: Part | undefined;
}

/**
 * The frames that a video presents, in order of presentation. Frames that an edit list hides, that are cut off, or that no
 * key frame leads to are not among them.
 */
export interface FrameIndex {
  /** Number of the stream in the file. */
  stream: number;
  /** Seconds of one tick, as a fraction. */
  timeBase: readonly [number, number];
  /** Ticks of each frame, rising; counted frames may lack them (NaN). */
  timestamps: Float64Array;
  /** Ticks of the key frame that each frame is decoded from; NaN: decode from the start of the file. */
  keys: Float64Array;
  /** The container has no usable timestamps: frame n is the n-th that the decoder gives from the start of the file. */
  counted: boolean;
  /** Whether the frames were found by decoding the whole file, not from its packets. */
  decoded: boolean;
  /** FFmpeg filters that turn or mirror a frame as a player shows it; '' for none. */
  turn: string;
}

/** Properties of a video stream. */
export interface VideoInfo {
  /** As shown: the aspect of pixels and the rotation applied. */
  width: number;
  height: number;
  /** As shown, but each stored pixel taken as a square. Absent where that is the same. */
  stored?: readonly [width: number, height: number];
  /** Mean rate of the frames. */
  fps: number;
  /** Number of frames presented. */
  frames: number;
  /** Seconds. */
  duration: number;
  /** Degrees clockwise that a player turns the pictures by: 0, 90, 180 or 270. */
  rotation: number;
  /** One sentence where frames are missing: the file is cut short or damaged. */
  warning?: string;
  /** Absent for pictures and raw frames, and where it is not read yet. */
  index?: FrameIndex;
}

/** Seconds at which frame `number` is presented, by the file's own clock; null where it has none. */
export function frameTime(info: VideoInfo, number: number): number | null {
  const { index } = info;
  if (index === undefined) return number / info.fps;
  const ticks = index.timestamps[number]!;
  return Number.isNaN(ticks) ? null : (ticks * index.timeBase[0]) / index.timeBase[1];
}
