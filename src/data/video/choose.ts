/** Selects the video decoder: node-av in a child process, or the FFmpeg program. Both give the same bytes. */
import { createRequire } from 'node:module';
import type { Decoder } from './decoder';
import { FfmpegMissing, hasProgram, NO_DECODER } from './ffmpeg';
import { NodeAvDecoder } from './node_av_decoder';
import { ProgramDecoder } from './program_decoder';

/** Whether node-av is installed. */
function hasNodeAv(): boolean {
  try {
    createRequire(__filename).resolve('node-av/lib');
    return true;
  } catch {
    return false;
  }
}

const decoders: { 'node-av'?: Decoder; ffmpeg?: Decoder } = {};

/**
 * The decoder of this thread: the FFmpeg program if MORPHMLP_FFMPEG is set, else node-av if installed, else ffmpeg on the
 * PATH. @throws FfmpegMissing if no decoder is found
 */
export function decoder(): Decoder {
  if (process.env.MORPHMLP_FFMPEG) return (decoders.ffmpeg ??= new ProgramDecoder());
  if (hasNodeAv()) return (decoders['node-av'] ??= new NodeAvDecoder());
  if (hasProgram()) return (decoders.ffmpeg ??= new ProgramDecoder());
  throw new FfmpegMissing(NO_DECODER);
}

/** Name and version of the decoder in use. Rejects with `FfmpegMissing` if there is none. */
export const decoderVersion = async (): Promise<string> => decoder().version();

/** The available decoders, for `bench data`. */
export function allDecoders(): Decoder[] {
  const nodeAv = hasNodeAv() ? [(decoders['node-av'] ??= new NodeAvDecoder())] : [];
  return process.env.MORPHMLP_FFMPEG || hasProgram() ? [...nodeAv, (decoders.ffmpeg ??= new ProgramDecoder())] : nodeAv;
}

/** Ends the processes of this thread's decoders. */
export async function closeDecoders(): Promise<void> {
  await Promise.all(Object.values(decoders).map((one) => one.close()));
}
