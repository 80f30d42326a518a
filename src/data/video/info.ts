/** Properties of a video file, and the index of its frames. */

/** Bytes `start` to `end` (exclusive) of a file, which form a video. */
export interface Part {
  start: number;
  end: number;
}

export interface CallOptions {
  timeoutMs?: number;
  signal?: AbortSignal | undefined;
  /** The part of the file that is the video; default all of it. */
  part?: Part | undefined;
}

/**
 * The presented frames of a video in presentation order, without frames that an edit list hides, that are cut off, or that depend
 * on no key frame.
 */
export interface FrameIndex {
  /** Number of the stream in the file. */
  stream: number;
  /** Duration of a tick in seconds, as a fraction. */
  timeBase: readonly [number, number];
  /** Timestamp of each frame in ticks, increasing; NaN for counted frames without one. */
  timestamps: Float64Array;
  /** Timestamp in ticks of the key frame from which each frame is decoded; NaN: from the start of the file. */
  keys: Float64Array;
  /** Whether frames are counted, for lack of timestamps: frame n is the n-th decoded from the start of the file. */
  counted: boolean;
  /** Whether the frames were found by decoding the whole file, not from its packets. */
  decoded: boolean;
  /** FFmpeg filters that rotate or mirror a frame as players do; '' for none. */
  turn: string;
}

/** Properties of a video stream. */
export interface VideoInfo {
  /** Displayed size, after pixel aspect and rotation. */
  width: number;
  height: number;
  /** Size with stored pixels treated as square, after rotation. Absent if it is the same. */
  stored?: readonly [width: number, height: number];
  /** Mean frame rate. */
  fps: number;
  /** Number of presented frames. */
  frames: number;
  /** Duration in seconds. */
  duration: number;
  /** Clockwise rotation by players in degrees: 0, 90, 180 or 270. */
  rotation: number;
  /** Warning if frames are missing because the file is truncated or damaged. */
  warning?: string;
  /** Absent for pictures and raw frames, and before it is read. */
  index?: FrameIndex;
}

/** Frame rate assigned to pictures, which have none: the rate to which recipes refer. */
const NOMINAL_FPS = 30;

/** Properties of `frames` pictures of one size. */
export function pictureInfo({ width, height }: { width: number; height: number }, frames = 1): VideoInfo {
  return { width, height, fps: NOMINAL_FPS, frames, duration: frames / NOMINAL_FPS, rotation: 0 };
}

/** Presentation time of frame `number` in seconds; null without timestamp. */
export function frameTime(info: VideoInfo, number: number): number | null {
  const { index } = info;
  if (index === undefined) return number / info.fps;
  const ticks = index.timestamps[number]!;
  return Number.isNaN(ticks) ? null : (ticks * index.timeBase[0]) / index.timeBase[1];
}
