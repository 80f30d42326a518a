/** Measures the rate of reading clips: with a decoder alone, one worker, and all workers. */
import { planClip, type ClipPlan } from '../../data/video/clip_plan';
import { DecodePool } from '../../data/video/decode_pool';
import { openDataset, type DataSpec } from '../../data/open';
import { probeSource, sourceOf, type Source } from '../../data/source';
import { allDecoders } from '../../data/video/choose';
import { decodeFrames } from '../../data/video/decode';
import type { Decoder } from '../../data/video/decoder';
import type { VideoInfo } from '../../data/video/info';
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
  /** The FFmpeg program on one core, decoding the same frames with one run per clip; null if absent or the clips are not videos. */
  ffmpeg: number | null;
  /** node-av on one core, decoding the same frames; null if absent or the clips are not videos. */
  nodeAv: number | null;
  /** One worker, reading each file for the first time. */
  first: number;
  /** One worker, once the lengths of the files are known. */
  worker: number;
  /** All workers together. */
  workers: number;
  /** Rate of node-av divided by that of the FFmpeg program, paired by round; null if one of them is absent. */
  ofFfmpeg: number | null;
}

interface Video {
  source: Source & { kind: 'video' };
  info: VideoInfo;
  plan: ClipPlan;
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
    if (!(set instanceof VideoDataset))
      throw new Error('synthetic clips are not read from files: expected --data with files');
    return await body(set);
  } finally {
    await pool.close();
  }
}

interface Round {
  first: number;
  worker: number;
  ffmpeg: number | null;
  nodeAv: number | null;
  workers: number;
}

/** Measures a decoder alone, clip by clip, in seconds per clip; null if it is absent. */
async function alone(name: Decoder['name'], videos: readonly Video[]): Promise<number | null> {
  const by = allDecoders().find((one) => one.name === name);
  if (by === undefined || videos.length === 0) return null;
  await by.version(); // starts its process
  const ms = await elapsed(async () => {
    for (const { source, info, plan } of videos)
      await decodeFrames({ ...source, numbers: plan.frames, size: plan.size, info }, {}, by);
  });
  return ms / videos.length / 1000;
}

/** Measures everything once, in seconds per clip, so that contention affects all figures of a round. */
async function round(options: DataBenchOptions, videos: readonly Video[], items: readonly number[]): Promise<Round> {
  const { seed, workers } = options;
  const each = (ms: number): number => ms / items.length / 1000;
  const one = await withSet(options, 1, async (set) => {
    const first = each(await elapsed(() => readAll(set, items, seed, AHEAD)));
    const decoders = { ffmpeg: await alone('ffmpeg', videos), nodeAv: await alone('node-av', videos) };
    return { first, ...decoders, worker: each(await elapsed(() => readAll(set, items, seed, AHEAD))) };
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
  const [first] = rounds as [Round];
  const { ffmpeg, nodeAv } = first;
  return {
    ffmpeg: ffmpeg === null ? null : rate((r) => r.ffmpeg!),
    nodeAv: nodeAv === null ? null : rate((r) => r.nodeAv!),
    ...{ first: rate((r) => r.first), worker: rate((r) => r.worker), workers: rate((r) => r.workers) },
    ofFfmpeg: ffmpeg === null || nodeAv === null ? null : median(rounds.map((r) => r.ffmpeg! / r.nodeAv!)),
  };
}
