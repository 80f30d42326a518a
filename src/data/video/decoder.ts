/** Interface of video decoders; choose.ts selects one. */
import type { CallOptions, FrameIndex, Part } from './info';

/** Packets of a video stream, and the properties of the stream. */
export interface Scan {
  stream: number;
  /** FFmpeg's name. */
  codec: string;
  width: number;
  height: number;
  /** Width / height of a pixel; 0 if unknown. */
  pixelAspect: number;
  /** Nine 16.16 numbers. */
  matrix: readonly number[] | null;
  rotateTag: string | null;
  /** Frame rate in the header; 0 if unknown. */
  rate: number;
  timeBase: readonly [number, number];
  /** Number of frames in the header; 0 if absent. */
  headerFrames: number;
  /** Whether a frame may be stored as two fields. */
  interlaced: boolean;
  /** Timestamp of each packet in ticks, in storage order; NaN without one. */
  timestamps: Float64Array;
  /** Bits of `PACKET`. */
  flags: Uint8Array;
  /** Whether the file ends within a packet. */
  cut: boolean;
}

export const PACKET = { key: 1, corrupt: 2, discard: 4 } as const;

/** A video file, or the part of a file that is a video. */
export interface VideoFile {
  path: string;
  part?: Part | undefined;
}

/** Frames of one video to decode. */
export interface FrameRequest extends VideoFile {
  index: FrameIndex;
  /** Frame numbers, strictly increasing. */
  numbers: readonly number[];
  /** Size to which frames are scaled after rotation. */
  size: readonly [width: number, height: number];
}

/** Frames of a request, u8 [count, height, width, 3]; null if one of them cannot be decoded. */
export type Pixels = Uint8Array | null;

/** Encoding settings of a video. */
export interface Coding {
  /** libx264's constant rate factor. */
  crf: number;
  /** Largest distance between key frames; libx264's default if absent. */
  keyframes?: number;
}

/**
 * libx264's macroblock tree, which saves bits, is off: its vector code reads memory that it has not written, so that the same
 * frames give other bytes depending on what was encoded before (core 165).
 */
export const MBTREE = 0;

/** Raw frames u8 [count, height, width, 3]. */
export interface RawFrames {
  pixels: Uint8Array;
  width: number;
  height: number;
  fps: number;
}

/** A video, or numbered pictures of a folder (FFmpeg's image2 pattern), to re-encode. */
export interface Recoding extends Coding {
  input: VideoFile | { path: string; pattern: string };
  /** Number of frames, from the first. */
  frames: number;
  /** Stream of a video; ignored for pictures. */
  stream: number;
  turn: string;
  size: readonly [width: number, height: number];
  file: string;
}

/** Each call rejects with an `UnreadableClip` ("<path>: <reason>") if the file is invalid. */
export interface Decoder {
  readonly name: 'node-av' | 'ffmpeg';
  /** Name and version in a line. */
  version(): Promise<string>;
  /** Reads the packets of the first video stream that is not a cover. */
  scan(file: VideoFile, call: CallOptions): Promise<Scan>;
  /** Decodes a whole stream; resolves to the timestamp of each frame in ticks, NaN without one. */
  frameTimes(file: VideoFile, stream: number, call: CallOptions): Promise<Float64Array>;
  decode(requests: readonly FrameRequest[], call: CallOptions): Promise<Pixels[]>;
  /** Writes an H.264 file. */
  encode(frames: RawFrames, file: string, coding: Coding, call: CallOptions): Promise<void>;
  recode(recoding: Recoding, call: CallOptions): Promise<void>;
  /** Ends its processes; it may be used again. */
  close(): Promise<void>;
}
