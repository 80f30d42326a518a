/** How fast clips come off the disk: decoders alone, one worker, all workers. */
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
  /** Classes of the head, where they are given. */
  classes?: number | undefined;
  seed: number;
  /** Clips of a round, and rounds; the figures are medians over these. */
  count: number;
  rounds: number;
  /** Workers of the second measurement. */
  workers: number;
  onRound?: (done: number, total: number) => void;
}

/** Clips a second. */
export interface DataBench {
  /** One core of the FFmpeg program that decodes the same frames, a run for each clip; null where it is absent, or the clips are no videos. */
  ffmpeg: number | null;
  /** The same of node-av. */
  nodeAv: number | null;
  /** One worker, the first time a file is read and later, when its length is known. */
  first: number;
  worker: number;
  /** All workers together. */
  workers: number;
  /** Rate of node-av over that of the FFmpeg program, of rounds next to each other; null where one of them is absent. */
  ofFfmpeg: number | null;
}

interface Video {
  source: Source & { kind: 'video' };
  info: VideoInfo;
  plan: ClipPlan;
}

/** Clips that a worker has waiting, as a loader that reads two batches ahead gives it. */
const AHEAD = 8;

/** The generator of item i, the same in every round. */
const randomOf = (seed: number, i: number): Philox => new Philox(seed).fork('bench').fork(i);

/** The clips of a round as a decoder sees them, where all are videos. */
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

/** Reads items through a pool that always has as many under way as keep it busy. */
async function readAll(set: VideoDataset, items: readonly number[], seed: number, atOnce: number): Promise<void> {
  let next = 0;
  const reader = async (): Promise<void> => {
    for (let i = items[next++]; i !== undefined; i = items[next++]) await set.samples(i, randomOf(seed, i));
  };
  await Promise.all(Array.from({ length: atOnce }, reader));
}

/** Opens the set over a pool of `workers`, for as long as `body` runs. */
async function withSet<T>(
  options: DataBenchOptions,
  workers: number,
  body: (set: VideoDataset) => Promise<T>,
): Promise<T> {
  const { spec, clips, classes, seed } = options;
  const pool = new DecodePool(workers);
  try {
    const set = openDataset(spec, { clips: { ...clips, train: true }, classes, seed }, pool);
    if (!(set instanceof VideoDataset)) throw new Error('drawn clips are not read: give --data with files to measure');
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

/** Seconds a clip of a decoder alone, one clip after the other; null where it is absent. */
async function alone(name: Decoder['name'], videos: readonly Video[]): Promise<number | null> {
  const by = allDecoders().find((one) => one.name === name);
  if (by === undefined || videos.length === 0) return null;
  await by.version(); // its process starts
  const ms = await elapsed(async () => {
    for (const { source, info, plan } of videos)
      await decodeFrames({ ...source, numbers: plan.frames, size: plan.size, info }, {}, by);
  });
  return ms / videos.length / 1000;
}

/** Seconds a clip of everything once, next to each other, so that what slows the machine slows all. */
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

/** Measures reading. Rejects where the set is drawn, or one of the clips cannot be read. */
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
