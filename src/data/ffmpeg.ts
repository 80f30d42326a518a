import { spawn } from 'node:child_process';

/** What ffprobe says of a video's first picture stream. */
export interface VideoInfo {
  width: number;
  height: number;
  fps: number;
  frames: number;
}

/** Which frames of a video to decode, and what to cut out of them. */
export interface DecodeRequest {
  path: string;
  /** First frame, distance between frames, and how many. */
  start: number;
  step: number;
  frames: number;
  /** Size after scaling, then the square that is kept, in scaled pixels. */
  scaled: readonly [width: number, height: number];
  crop: { x: number; y: number; size: number };
  flip: boolean;
}

const TIMEOUT_MS = 120_000;
const program = (name: 'ffmpeg' | 'ffprobe') => (process.env.MORPHMLP_FFMPEG ?? 'ffmpeg').replace(/ffmpeg$/, name);

/** Why a video could not be read: one sentence that names the file. */
export class VideoError extends Error {}

function lastLine(text: string): string {
  return text.trim().split('\n').pop()?.trim() || 'no message';
}

/** Runs a program to its end and gives its output; rejects with one sentence that names `path`. */
function capture(name: 'ffmpeg' | 'ffprobe', args: string[], path: string): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const child = spawn(program(name), args, { stdio: ['ignore', 'pipe', 'pipe'] });
    const [out, err]: [Buffer[], Buffer[]] = [[], []];
    const timer = setTimeout(() => child.kill('SIGKILL'), TIMEOUT_MS);
    child.stdout.on('data', (data: Buffer) => out.push(data));
    child.stderr.on('data', (data: Buffer) => err.push(data));
    child.on('error', (error: NodeJS.ErrnoException) => {
      clearTimeout(timer);
      const absent = error.code === 'ENOENT';
      reject(
        new VideoError(
          absent
            ? `reading videos needs ${name}, which is not on the PATH (Debian: apt-get install ffmpeg)`
            : `${path}: ${error.message}`,
        ),
      );
    });
    child.on('close', (code, signal) => {
      clearTimeout(timer);
      if (code === 0) return resolve(Buffer.concat(out));
      const reason = signal ? `stopped by ${signal}` : lastLine(Buffer.concat(err).toString());
      reject(new VideoError(`${path}: ${name} could not read it: ${reason}`));
    });
  });
}

/** Whether FFmpeg is there. */
export function hasFfmpeg(): Promise<boolean> {
  return capture('ffmpeg', ['-version'], 'ffmpeg').then(
    () => true,
    () => false,
  );
}

interface ProbedStream {
  width?: number;
  height?: number;
  avg_frame_rate?: string;
  nb_frames?: string;
  duration?: string;
  side_data_list?: { rotation?: number }[];
}

function ratio(text: string | undefined): number {
  const [a, b = '1'] = (text ?? '').split('/');
  return Number(a) / Number(b);
}

function infoOf(path: string, stream: ProbedStream | undefined, duration: string | undefined): VideoInfo {
  if (!stream?.width || !stream.height) throw new VideoError(`${path}: it has no pictures (no video stream)`);
  const fps = ratio(stream.avg_frame_rate);
  const seconds = Number(stream.duration ?? duration);
  const frames = Number(stream.nb_frames) || Math.floor(seconds * fps);
  if (!(fps > 0) || !(frames > 0)) throw new VideoError(`${path}: its frame rate or length is unknown`);
  const turned = stream.side_data_list?.some((d) => Math.abs(d.rotation ?? 0) % 180 === 90);
  const [width, height] = turned ? [stream.height, stream.width] : [stream.width, stream.height];
  return { width, height, fps, frames };
}

/** Size, frame rate and length of a video, as it is shown (rotation applied). */
export async function probe(path: string): Promise<VideoInfo> {
  const args = ['-v', 'error', '-select_streams', 'v:0', '-show_streams', '-show_format', '-of', 'json', path];
  const text = (await capture('ffprobe', args, path)).toString();
  const parsed = JSON.parse(text) as { streams?: ProbedStream[]; format?: { duration?: string } };
  return infoOf(path, parsed.streams?.[0], parsed.format?.duration);
}

function filters({ step, scaled: [w, h], crop, flip }: DecodeRequest): string {
  const steps = [`select='not(mod(n\\,${step}))'`, `scale=${w}:${h}:flags=bicubic`];
  steps.push(`crop=${crop.size}:${crop.size}:${crop.x}:${crop.y}`);
  return [...steps, ...(flip ? ['hflip'] : [])].join(',');
}

/** Repeats the last frame where the video ended early. */
function padded(pixels: Buffer, request: DecodeRequest): Uint8Array {
  const frame = request.crop.size ** 2 * 3;
  const got = Math.floor(pixels.length / frame);
  if (got === 0) throw new VideoError(`${request.path}: no frame could be decoded from frame ${request.start} on`);
  const out = new Uint8Array(request.frames * frame);
  out.set(pixels.subarray(0, Math.min(got, request.frames) * frame));
  for (let t = got; t < request.frames; t++) out.copyWithin(t * frame, (got - 1) * frame, got * frame);
  return out;
}

/** Decodes exactly the requested frames. @returns [frames, size, size, 3] */
export async function decode(request: DecodeRequest, { fps }: VideoInfo): Promise<Uint8Array> {
  const seek = request.start > 0 ? ['-ss', String((request.start - 0.5) / fps)] : [];
  const pick = ['-an', '-vf', filters(request), '-vsync', '0', '-frames:v', String(request.frames)];
  const args = ['-v', 'error', '-nostdin', '-threads', '1', ...seek, '-i', request.path, ...pick];
  return padded(
    await capture('ffmpeg', [...args, '-f', 'rawvideo', '-pix_fmt', 'rgb24', 'pipe:1'], request.path),
    request,
  );
}
