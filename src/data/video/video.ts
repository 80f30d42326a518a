/** Facts about a video file. */
import { runProgram } from './ffmpeg';
import { UnreadableClip } from '../types';

/** What is known of a video's first picture stream, as it is shown (rotation applied). */
export interface VideoInfo {
  width: number;
  height: number;
  fps: number;
  /** Number of frames. */
  frames: number;
  /** Whether `frames` is counted in the file; otherwise it is estimated from the duration. */
  exact: boolean;
  /** Seconds. */
  duration: number;
  /** Degrees that a player turns the pictures by; `width` and `height` have it applied. */
  rotation: number;
  /** Whether frames are evenly spaced, so that frame n can be found by its time. */
  steady: boolean;
  /** Seconds from the start of the file to the first picture (sound may begin before). */
  offset: number;
}

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

interface ProbedStream {
  codec_type?: string;
  width?: number;
  height?: number;
  avg_frame_rate?: string;
  r_frame_rate?: string;
  nb_frames?: string;
  nb_read_packets?: string;
  duration?: string;
  start_time?: string;
  tags?: { rotate?: string; DURATION?: string };
  side_data_list?: { rotation?: number }[];
}

interface Probed {
  streams?: ProbedStream[];
  format?: { duration?: string; start_time?: string };
}

const PROBED =
  'stream=codec_type,width,height,avg_frame_rate,r_frame_rate,nb_frames,duration,start_time:stream_tags=rotate,DURATION' +
  ':stream_side_data=rotation:format=duration,start_time';

/** A number out of ffprobe's texts ("30000/1001", "12.5", "N/A"); 0 where there is none. */
function number(text: string | undefined): number {
  const [above, below = '1'] = (text ?? '').split('/');
  const value = Number(above) / Number(below);
  return Number.isFinite(value) ? value : 0;
}

/** Seconds of "00:01:02.5", the form Matroska keeps. */
const clockSeconds = (text = ''): number => text.split(':').reduce((sum, part) => sum * 60 + (Number(part) || 0), 0);

function frameCount(stream: ProbedStream, duration: number, fps: number): { frames: number; exact: boolean } {
  const counted = number(stream.nb_frames) || number(stream.nb_read_packets);
  return counted > 0 ? { frames: counted, exact: true } : { frames: Math.round(duration * fps), exact: false };
}

function rotationOf(stream: ProbedStream): number {
  const turned = stream.side_data_list?.find((data) => data.rotation !== undefined)?.rotation;
  return turned ?? number(stream.tags?.rotate);
}

function pictureStream(path: string, { streams = [] }: Probed): ProbedStream {
  const stream = streams.find((s) => s.codec_type === 'video');
  if (stream === undefined) throw new UnreadableClip(`${path}: it has no video stream`);
  return stream;
}

function infoOf(path: string, probed: Probed): VideoInfo {
  const { format = {} } = probed;
  const stream = pictureStream(path, probed);
  const rates = [number(stream.avg_frame_rate), number(stream.r_frame_rate)] as const;
  const fps = rates[0] || rates[1];
  const duration = number(stream.duration) || clockSeconds(stream.tags?.DURATION) || number(format.duration);
  const { frames, exact } = frameCount(stream, duration, fps);
  const { width = 0, height = 0 } = stream;
  if (!(width > 0 && height > 0)) throw new UnreadableClip(`${path}: the size of its pictures is unknown`);
  if (!(fps > 0) || !(frames > 0))
    throw new UnreadableClip(`${path}: its frame rate or length is unknown, or it has no frame`);
  const rotation = rotationOf(stream);
  const upright = Math.round(rotation / 90) % 2 === 0;
  const seekable = stream.nb_read_packets === undefined;
  const steady = seekable && Math.abs(rates[0] - rates[1]) <= 1e-3 * fps;
  const offset = Math.max(0, number(stream.start_time) - number(format.start_time));
  const size = upright ? { width, height } : { width: height, height: width };
  return { ...size, fps, frames, exact, duration, rotation, steady, offset };
}

/** Only local files: neither a listing nor a playlist inside a file may reach for anything else. */
export function inputArguments(path: string, part?: Part): string[] {
  if (part === undefined) return ['-protocol_whitelist', 'file', '-i', `file:${path}`];
  const { start, end } = part;
  return ['-protocol_whitelist', 'file,subfile', '-i', `subfile,,start,${start},end,${end},,:${path}`];
}

async function runProbe(path: string, entries: string, extra: string[], options: CallOptions): Promise<Probed> {
  const args = [
    '-v',
    'error',
    ...extra,
    '-show_entries',
    entries,
    '-of',
    'json',
    ...inputArguments(path, options.part),
  ];
  const { stdout } = await runProgram('ffprobe', args, { ...options, subject: path });
  return JSON.parse(stdout.toString()) as Probed;
}

/** Streams of pictures without an index or a duration (Motion JPEG, raw H.264) tell their length only by being read through. */
const lacksLength = ({ streams = [], format = {} }: Probed): boolean =>
  streams.some((s) => s.codec_type === 'video' && !number(s.nb_frames) && !number(s.duration) && !s.tags?.DURATION) &&
  !number(format.duration);

/** Size, frame rate and length of a video. Rejects with `UnreadableClip` where the file is none. */
export async function probe(path: string, options: CallOptions = {}): Promise<VideoInfo> {
  const probed = await runProbe(path, PROBED, [], options);
  if (!lacksLength(probed)) return infoOf(path, probed);
  const counting = ['-count_packets', '-select_streams', 'v:0'];
  return infoOf(
    path,
    await runProbe(path, PROBED.replace('nb_frames', 'nb_frames,nb_read_packets'), counting, options),
  );
}
