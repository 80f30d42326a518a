/** Decodes requested frames of videos by number. */
import { UnreadableClip } from '../types';
import { decoder } from './choose';
import type { Decoder } from './decoder';
import type { CallOptions, Part, VideoInfo } from './info';

/** Pictures of one size, one after the other. */
export interface Frames {
  /** u8 [count, height, width, 3]: red, green, blue. */
  pixels: Uint8Array;
  width: number;
  height: number;
}

/** Pictures to decode out of one video. */
export interface DecodeRequest {
  path: string;
  part?: Part | undefined;
  /** Frame numbers from 0, in order of presentation; in any order, repeats allowed. */
  numbers: readonly number[];
  /** Size of the returned pictures. */
  size: readonly [width: number, height: number];
  /** Result of `probe` for this video. */
  info: VideoInfo;
}

/** A frame that the index promises cannot be decoded. */
export class FramesMissing extends UnreadableClip {}

/** The frames of a request, sorted, without duplicates. */
function framesWanted({ numbers, info }: DecodeRequest): number[] {
  const wanted = [...new Set(numbers)].sort((a, b) => a - b);
  if (wanted.length > 0 && wanted[0]! >= 0 && wanted.at(-1)! < info.frames) return wanted;
  throw new Error(
    `decodeFrames: expected frame numbers from 0 to ${info.frames - 1}, got ${numbers.join(', ') || 'none'}`,
  );
}

/** The decoded frames of a request in the requested order. */
function framesFrom(request: DecodeRequest, unique: Uint8Array): Frames {
  const { numbers, size } = request;
  const [width, height] = size;
  const wanted = framesWanted(request);
  const bytes = width * height * 3;
  if (wanted.length === numbers.length && wanted.every((n, i) => n === numbers[i]))
    return { pixels: unique, width, height };
  const place = new Map(wanted.map((n, i) => [n, i]));
  const pixels = new Uint8Array(numbers.length * bytes);
  numbers.forEach((n, i) => pixels.set(unique.subarray(place.get(n)! * bytes, (place.get(n)! + 1) * bytes), i * bytes));
  return { pixels, width, height };
}

/**
 * Decodes exactly the frames of each request, identified by timestamp. Rejects with `FramesMissing` if a frame of
 * a request cannot be decoded, with `UnreadableClip` if a file cannot be read.
 */
export async function decodeVideos(
  requests: readonly DecodeRequest[],
  options: CallOptions = {},
  by: Decoder = decoder(),
): Promise<Frames[]> {
  const wanted = requests.map((request) => {
    const { path, part, size, info } = request;
    if (info.index === undefined) throw new Error(`${path}: decodeVideos needs the index of its frames`);
    return { path, part, size, index: info.index, numbers: framesWanted(request) };
  });
  const decoded = await by.decode(wanted, options);
  return requests.map((request, i) => {
    const pixels = decoded[i];
    if (pixels) return framesFrom(request, pixels);
    const { numbers } = wanted[i]!;
    throw new FramesMissing(
      `${request.path}: of the frames ${numbers[0]} to ${numbers.at(-1)} of ${request.info.frames} some cannot be decoded: a part of it is damaged`,
    );
  });
}

/** Decodes the frames of one request; see `decodeVideos`. */
export async function decodeFrames(request: DecodeRequest, options: CallOptions = {}, by?: Decoder): Promise<Frames> {
  const [frames] = await decodeVideos([request], options, by);
  return frames!;
}
