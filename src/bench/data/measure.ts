/** Measures the rate of reading clips: with one worker compared with FFmpeg alone, and with all workers. */
import { planClip, type ClipPlan } from '../../data/video/clip_plan';
import { DecodePool } from '../../data/video/decode_pool';
import { runProgram } from '../../data/video/ffmpeg';
import { openDataset, type DataSpec } from '../../data/open';
import { probeSource, sourceOf, type Source } from '../../data/source';
import { seekSeconds } from '../../data/video/decode';
import { inputArguments, type VideoInfo } from '../../data/video/video';
import { VideoDataset, type VideoOptions } from '../../data/video/video_dataset';
import { Philox } from '../../core/philox';
import { elapsed, median } from '../statistics';

export interface DataBenchOptions {
  spec: DataSpec;
  clips: Omit<VideoOptions, 'train'>;
  /** Classes of the head, if given. */
  classes?: number | undefined;
  seed: number;
  /** Clips per round. Figures are medians over the rounds. */
  count: number;
  rounds: number;
  /** Workers of the second measurement. */
  workers: number;
  onRound?: (done: number, total: number) => void;
}

/** Clips per second. */
export interface DataBench {
  /** FFmpeg on one core, decoding the same frames and discarding them; null if the clips are not videos. */
  ffmpeg: number | null;
  /** One worker, reading each file for the first time. */
  first: number;
  /** One worker, once the lengths of the files are known. */
  worker: number;
  /** All workers together. */
  workers: number;
  /** The worker's rate as a fraction of FFmpeg's, paired by round. */
  ofFfmpeg: number | null;
}

interface Video {
  source: Source & { kind: 'video' };
  info: VideoInfo;
  plan: ClipPlan;
}

/** Decodes a clip's range of frames from the same keyframe, without scaling or output. */
async function decodeAlone({ source, info, plan }: Video): Promise<void> {
  const [first, last] = [Math.min(...plan.frames), Math.max(...plan.frames)];
  const seconds = seekSeconds(first, info);
  const seek = seconds > 0 ? ['-ss', seconds.toFixed(6)] : [];
  const input = ['-v', 'error', '-nostdin', '-threads', '1', ...seek, ...inputArguments(source.path, source.part)];
  const frames = seconds > 0 ? last - first + 1 : last + 1;
  const output = ['-map', '0:v:0', '-an', '-frames:v', String(frames), '-f', 'null', '-'];
  await runProgram('ffmpeg', [...input, ...output], { subject: source.path });
}

/** Outstanding clips per worker, like a loader that prefetches two batches. */
const AHEAD = 8;

/** The generator of item i, the same in every round. */
const randomOf = (seed: number, i: number): Philox => new Philox(seed).fork('bench').fork(i);

/** The clips of a round as videos; empty if any is not a video. */
async function videosOf(
  set: VideoDataset,
  items: readonly number[],
  options: VideoOptions,
  seed: number,
): Promise<Video[]> {
  const videos: Video[] = [];
  for (const i of items) {
    const { path, source = sourceOf(path) } = set.listing.items[i]!;
    if (source.kind !== 'video') return [];
    const info = await probeSource(source);
    videos.push({ source, info, plan: planClip(options, info, { random: randomOf(seed, i).state() }) });
  }
  return videos;
}

/** Reads items with `atOnce` outstanding requests. */
async function readAll(set: VideoDataset, items: readonly number[], seed: number, atOnce: number): Promise<void> {
  let next = 0;
  const reader = async (): Promise<void> => {
    for (let i = items[next++]; i !== undefined; i = items[next++]) await set.samples(i, randomOf(seed, i));
  };
  await Promise.all(Array.from({ length: atOnce }, reader));
}

const inTurn = async (videos: readonly Video[]): Promise<void> => {
  for (const video of videos) await decodeAlone(video);
};

/** Opens the dataset on a pool of `workers` while `body` runs. */
async function withSet<T>(
  options: DataBenchOptions,
  workers: number,
  body: (set: VideoDataset) => Promise<T>,
): Promise<T> {
  const { spec, clips, classes, seed } = options;
  const pool = new DecodePool(workers);
  try {
    const set = openDataset(spec, { clips: { ...clips, train: true }, classes, seed }, pool);
    if (!(set instanceof VideoDataset)) throw new Error('synthetic clips are not read from files: expected --data with files');
    return await body(set);
  } finally {
    await pool.close();
  }
}

interface Round {
  first: number;
  worker: number;
  ffmpeg: number | null;
  workers: number;
}

/** Measures everything once, in seconds per clip, so that contention affects all figures of a round. */
async function round(options: DataBenchOptions, videos: readonly Video[], items: readonly number[]): Promise<Round> {
  const { seed, workers } = options;
  const each = (ms: number): number => ms / items.length / 1000;
  const one = await withSet(options, 1, async (set) => {
    const first = each(await elapsed(() => readAll(set, items, seed, AHEAD)));
    const ffmpeg = videos.length > 0 ? each(await elapsed(() => inTurn(videos))) : null;
    return { first, ffmpeg, worker: each(await elapsed(() => readAll(set, items, seed, AHEAD))) };
  });
  const all = await withSet(options, workers, async (set) => {
    await readAll(set, items, seed, AHEAD * workers);
    return each(await elapsed(() => readAll(set, items, seed, AHEAD * workers)));
  });
  return { ...one, workers: all };
}

/** Measures reading. Rejects if the dataset is synthetic or a clip cannot be read. */
export async function benchData(options: DataBenchOptions): Promise<DataBench> {
  const { items, videos } = await withSet(options, 1, async (set) => {
    const shuffled = new Philox(options.seed).shuffle(Array.from({ length: set.length }, (_, i) => i));
    const drawn = shuffled.slice(0, options.count);
    return { items: drawn, videos: await videosOf(set, drawn, { ...options.clips, train: true }, options.seed) };
  });
  const rounds: Round[] = [];
  for (let i = 0; i < options.rounds; i++) {
    rounds.push(await round(options, videos, items));
    options.onRound?.(i + 1, options.rounds);
  }
  const rate = (of: (round: Round) => number): number => 1 / median(rounds.map(of));
  const alone = videos.length > 0;
  return {
    ffmpeg: alone ? rate((r) => r.ffmpeg!) : null,
    ...{ first: rate((r) => r.first), worker: rate((r) => r.worker), workers: rate((r) => r.workers) },
    ofFfmpeg: alone ? median(rounds.map((r) => r.ffmpeg! / r.worker)) : null,
  };
}
