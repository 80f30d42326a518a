/** Prepares one file for a shard: decodes it to its end, as a check, and encodes it at one size. */
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { encodePicture, frameName } from '../pictures/pictures';
import { scaleShortSide } from '../sampling';
import { probeSource, type Source } from '../source';
import { UnreadableClip } from '../types';
import { decoder } from '../video/choose';
import type { Recoding } from '../video/decoder';
import { probe } from '../video/frame_index';
import type { VideoInfo } from '../video/info';

/** Encoding settings. */
export interface Encoding {
  /** Short side in pixels; smaller pictures keep their size. */
  shortSide: number;
  /** libx264's constant rate factor: 0 loses nothing, 51 most. */
  crf: number;
  /** Largest keyframe distance, in frames: a clip that begins in between decodes up to as many extra frames. */
  keyframes: number;
  /** JPEG quality, 1 to 100. */
  quality: number;
}

export const ENCODING: Encoding = { shortSide: 320, crf: 20, keyframes: 32, quality: 92 };

/** An encoded clip, ready for a shard. */
export interface Packed {
  bytes: Uint8Array;
  kind: 'video' | 'image';
  info: VideoInfo;
}

/** Timeout per file, in milliseconds. */
const TIMEOUT_MS = 30 * 60_000;

const even = (pixels: number): number => Math.max(2, 2 * Math.round(pixels / 2));

/** Size of the encoded video; even, because H.264 subsamples chroma by 2. */
function videoSize({ width, height }: VideoInfo, shortSide: number): [number, number] {
  const [w, h] = scaleShortSide(width, height, Math.min(shortSide, width, height));
  return [even(w), even(h)];
}

/** A video, or the numbered pictures of a folder. */
function inputOf(source: Source): Recoding['input'] {
  if (source.kind === 'video') return source;
  if (source.kind !== 'frames') throw new Error(`${source.path}: ${source.kind} cannot be prepared`);
  const pattern = source.template.replaceAll('%', '%%').replace(/\{:(0?\d*)d\}/, '%$1d');
  return { path: source.path, pattern };
}

/** Every frame that the file presents must be in the shard. */
function checkLength(source: Source, before: VideoInfo, after: VideoInfo): void {
  if (after.frames === before.frames) return;
  throw new UnreadableClip(`${source.path}: only ${after.frames} of its ${before.frames} frames can be decoded`);
}

/** The info stored in a shard's index; the index of frames is read with the clip. */
function withoutIndex({ index: _, ...info }: VideoInfo): VideoInfo {
  return info;
}

/** Encodes a video. Any decoding error rejects: FFmpeg would otherwise conceal damaged frames. */
async function encodeVideo(source: Source, folder: string, encoding: Encoding, signal?: AbortSignal): Promise<Packed> {
  const call = { signal, timeoutMs: TIMEOUT_MS };
  const before = await probeSource(source, call);
  const [width, height] = videoSize(before, encoding.shortSide);
  const file = path.join(folder, 'clip.mp4');
  const { stream = 0, turn = '' } = before.index ?? {};
  const { crf, keyframes } = encoding;
  const how = { stream, turn, size: [width, height] as const, frames: before.frames, crf, keyframes };
  await decoder().recode({ input: inputOf(source), file, ...how }, call);
  const info = await probe(file, call);
  checkLength(source, before, info);
  return { bytes: await readFile(file), kind: 'video', info: withoutIndex(info) };
}

/** Encodes a picture, upright and without metadata. */
async function packPicture(source: Source & { kind: 'image' }, { shortSide, quality }: Encoding): Promise<Packed> {
  const before = await probeSource(source);
  const size = scaleShortSide(before.width, before.height, Math.min(shortSide, before.width, before.height));
  const bytes = await encodePicture(source, size, quality);
  return { bytes, kind: 'image', info: { ...before, width: size[0], height: size[1] } };
}

/** Throws for missing frames of a folder, with their names: FFmpeg would only end early. */
async function expectFrames(source: Source & { kind: 'frames' }): Promise<void> {
  const there = new Set(await readdir(source.path).catch(() => []));
  for (let n = 1; n <= source.count; n++) {
    const name = frameName(source.template, n);
    if (!there.has(name)) throw new UnreadableClip(`${source.path}: ${name} is missing, frame ${n} of ${source.count}`);
  }
}

/** Encodes one file. Rejects with `UnreadableClip` where it, or a part of it, cannot be decoded. */
export async function pack(source: Source, encoding: Encoding, signal?: AbortSignal): Promise<Packed> {
  if (source.kind === 'image') return packPicture(source, encoding);
  if (source.kind === 'frames') await expectFrames(source);
  const folder = await mkdtemp(path.join(os.tmpdir(), 'morphmlp-'));
  try {
    return await encodeVideo(source, folder, encoding, signal);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
