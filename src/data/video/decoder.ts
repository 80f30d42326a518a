/** Interface of video decoders; choose.ts selects one. */
import type { CallOptions, FrameIndex, Part } from './info';

/** Packets of a video stream, and the properties of the stream. */
export interface Scan {
  stream: number;
  /** FFmpeg's name. */
  codec: string;
  width: number;
  height: number;
  /** Width over height of a pixel; 0 where it is unknown. */
  pixelAspect: number;
  /** Nine 16.16 numbers. */
  matrix: readonly number[] | null;
  rotateTag: string | null;
  /** The rate in the header, 0 where it is unknown. */
  rate: number;
  timeBase: readonly [number, number];
  /** Number of frames that the header tells; 0 where it does not. */
  headerFrames: number;
  /** Whether a frame may be stored as two fields. */
  interlaced: boolean;
  /** Ticks of each packet in order of storage; NaN where it has none. */
  timestamps: Float64Array;
  /** Bits of `PACKET`. */
  flags: Uint8Array;
  /** Whether the file ends before its packets do. */
  cut: boolean;
}

export const PACKET = { key: 1, corrupt: 2, discard: 4 } as const;

/** A video, or a part of a file that is one. */
export interface VideoFile {
  path: string;
  part?: Part | undefined;
}

/** Frames of one video to decode. */
export interface FrameRequest extends VideoFile {
  index: FrameIndex;
  /** Frame numbers, rising, each once. */
  numbers: readonly number[];
  /** Size to which frames are scaled after rotation. */
  size: readonly [width: number, height: number];
}

/** u8 [height, width, 3] of each frame of a request, one after the other; null where one of them cannot be decoded. */
export type Pixels = Uint8Array | null;

/** How a video is written. */
export interface Coding {
  /** libx264's constant rate factor. */
  crf: number;
  /** Frames between two key frames; libx264's own default where it is absent. */
  keyframes?: number;
}

/** Raw frames u8 [count, height, width, 3]. */
export interface RawFrames {
  pixels: Uint8Array;
  width: number;
  height: number;
  fps: number;
}

/** A video, or the numbered pictures of a folder (FFmpeg's image2 pattern), to encode anew. */
export interface Recoding extends Coding {
  input: VideoFile | { path: string; pattern: string };
  /** How many frames, from the first. */
  frames: number;
  /** Stream of a video; ignored for pictures. */
  stream: number;
  turn: string;
  size: readonly [width: number, height: number];
  file: string;
}

/** Each call rejects with an `UnreadableClip` ("<path>: <reason>") where the file is at fault. */
export interface Decoder {
  readonly name: 'node-av' | 'ffmpeg';
  /** Name and version in a line. */
  version(): Promise<string>;
  /** Reads the packets of the first picture stream that is not a cover. */
  scan(file: VideoFile, call: CallOptions): Promise<Scan>;
  /** Decodes a whole stream: the ticks of each frame, NaN where it has none. */
  frameTimes(file: VideoFile, stream: number, call: CallOptions): Promise<Float64Array>;
  decode(requests: readonly FrameRequest[], call: CallOptions): Promise<Pixels[]>;
  /** Writes an H.264 file. */
  encode(frames: RawFrames, file: string, coding: Coding, call: CallOptions): Promise<void>;
  recode(recoding: Recoding, call: CallOptions): Promise<void>;
  /** Ends its processes; it may be used again. */
  close(): Promise<void>;
}
