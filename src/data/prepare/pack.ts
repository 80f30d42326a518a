/** One file as it goes into a shard: decoded to its end, which shows that it can be, and encoded anew at one size. */
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { runProgram } from '../video/ffmpeg';
import { encodePicture, frameName } from '../pictures/pictures';
import { scaleShortSide } from '../sampling';
import { probeSource, type Source } from '../source';
import { UnreadableClip } from '../types';
import { probe, type VideoInfo } from '../video/video';

/** How files are encoded. */
export interface Encoding {
  /** Short side in pixels; smaller pictures keep their size. */
  shortSide: number;
  /** libx264's constant rate factor: 0 loses nothing, 51 most. */
  crf: number;
  /** Frames between two that can be decoded by themselves: a clip that begins in between costs up to so many more. */
  keyframes: number;
  /** Of JPEG pictures, 1 to 100. */
  quality: number;
}

export const ENCODING: Encoding = { shortSide: 320, crf: 20, keyframes: 32, quality: 92 };

/** What goes into a shard. */
export interface Packed {
  bytes: Uint8Array;
  kind: 'video' | 'image';
  info: VideoInfo;
}

/** Most milliseconds for one file. */
const TIMEOUT_MS = 30 * 60_000;

const even = (pixels: number): number => Math.max(2, 2 * Math.round(pixels / 2));

/** H.264 halves the colour's resolution, which takes even sizes. */
function videoSize({ width, height }: VideoInfo, shortSide: number): [number, number] {
  const [w, h] = scaleShortSide(width, height, Math.min(shortSide, width, height));
  return [even(w), even(h)];
}

/** FFmpeg's input: a file, or the numbered pictures of a folder. */
function inputOf(source: Source): string[] {
  if (source.kind === 'video') return ['-protocol_whitelist', 'file', '-i', `file:${source.path}`];
  if (source.kind !== 'frames') throw new Error(`${source.path}: ${source.kind} cannot be prepared`);
  const pattern = source.template.replaceAll('%', '%%').replace(/\{:(0?\d*)d\}/, '%$1d');
  const folder = source.path.replaceAll('%', '%%');
  return ['-f', 'image2', '-framerate', '30', '-start_number', '1', '-i', path.join(folder, pattern)];
}

/** A file whose end cannot be decoded is cut short, even where FFmpeg does not mind. */
function checkLength(source: Source, before: VideoInfo, after: VideoInfo): void {
  const least = before.exact ? before.frames - Math.max(2, before.frames * 0.02) : 1;
  if (after.frames >= least) return;
  throw new UnreadableClip(`${source.path}: only ${after.frames} of its ${before.frames} frames can be decoded`);
}

/** `-xerror`: what cannot be decoded ends the run, in place of being papered over. */
async function encodeVideo(source: Source, folder: string, encoding: Encoding, signal?: AbortSignal): Promise<Packed> {
  const call = { signal, timeoutMs: TIMEOUT_MS };
  const before = await probeSource(source, call);
  const [width, height] = videoSize(before, encoding.shortSide);
  const file = path.join(folder, 'clip.mp4');
  const count = source.kind === 'frames' ? ['-frames:v', String(source.count)] : [];
  const picture = [
    '-map',
    '0:v:0',
    '-an',
    '-sn',
    '-dn',
    '-vf',
    `scale=${width}:${height}:flags=bicubic`,
    '-vsync',
    '0',
  ];
  const coding = ['-c:v', 'libx264', '-preset', 'veryfast', '-pix_fmt', 'yuv420p', '-crf', String(encoding.crf)];
  const groups = ['-g', String(encoding.keyframes), '-movflags', '+faststart', '-threads', '1'];
  const args = ['-v', 'error', '-nostdin', '-xerror', '-threads', '1', ...inputOf(source), ...picture, ...count];
  await runProgram('ffmpeg', [...args, ...coding, ...groups, '-y', `file:${file}`], { ...call, subject: source.path });
  const info = await probe(file, call);
  checkLength(source, before, info);
  return { bytes: await readFile(file), kind: 'video', info };
}

/** A picture file, upright and without what is not its pixels. */
async function packPicture(source: Source & { kind: 'image' }, { shortSide, quality }: Encoding): Promise<Packed> {
  const before = await probeSource(source);
  const size = scaleShortSide(before.width, before.height, Math.min(shortSide, before.width, before.height));
  const bytes = await encodePicture(source, size, quality);
  return { bytes, kind: 'image', info: { ...before, width: size[0], height: size[1] } };
}

/** Names every missing frame's file where a folder lacks some: FFmpeg would only end early. */
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
