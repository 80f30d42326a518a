/** Dataset of the videos, folders of frames and pictures of a listing. */
import type { Philox } from '../../core/philox';
import type { DecodePool } from './decode_pool';
import type { LabelledFile, Listing } from '../lists/types';
import type { Views } from '../sampling';
import { shardOrder } from '../shards';
import { sourceOf } from '../source';
import type { Clip, Dataset } from '../types';
import { allViews, MIDDLE, type ClipChoice, type VideoOptions } from './clip_plan';

export type { VideoOptions } from './clip_plan';

const WHOLE = ['frames', 'rate', 'crop'] as const;

/**
 * Limit in bytes of videos that are decoded whole at first use, so that their later clips need no decoding. In large sets a
 * video may use at most its share of three quarters of the cache; the rest is for validation.
 */
const WHOLE_VIDEO = 128 * 2 ** 20;

function checkOptions(options: VideoOptions): void {
  for (const name of WHOLE) {
    const value = options[name];
    if (!Number.isInteger(value) || value < 1)
      throw new Error(`videos: ${name} must be a whole number of at least 1, got ${value}`);
  }
  if (!options.train || options.resizedCrop) return; // sizes are drawn only for plain training crops
  const [shortest, longest] = options.jitter ?? [options.crop, options.crop];
  if (!(shortest >= options.crop && longest >= shortest))
    throw new Error(`videos: jitter ${shortest} to ${longest} must be a range from the crop, ${options.crop}, up`);
}

/**
 * One clip per video. In training, its time, scale, position and flip are drawn from the generator passed to `clip`;
 * otherwise it is the middle clip, scaled so that the short side is the crop, with the centre crop.
 */
export class VideoDataset implements Dataset {
  readonly length: number;
  readonly classNames: readonly string[];
  readonly warnings = new Map<string, string>();

  constructor(
    readonly listing: Listing,
    readonly options: VideoOptions,
    private readonly pool: DecodePool,
  ) {
    checkOptions(options);
    this.length = listing.items.length;
    this.classNames = listing.classNames;
  }

  name(i: number): string {
    return this.item(i).path;
  }

  label(i: number): number {
    return this.item(i).label;
  }

  describe(): Record<string, string | number> {
    const { source, missing, duplicates, unreadable, digest } = this.listing;
    const { frames, rate, crop, sampling = 'dense' } = this.options;
    const counts = { clips: this.length, classes: this.classNames.length, missing: missing.length, duplicates };
    const lost = unreadable === undefined ? {} : { 'unreadable when prepared': unreadable };
    return { source, 'sha-256': digest.slice(0, 16), ...counts, ...lost, sampling, frames, rate, crop };
  }

  /** Prepared clips are read shard by shard. */
  order(random: Philox): Int32Array | undefined {
    const { blocks } = this.listing;
    return blocks && shardOrder(blocks, random);
  }

  async clip(i: number, random: Philox, signal?: AbortSignal): Promise<Clip> {
    const choice = this.options.train ? { random: random.state() } : { view: 0, views: MIDDLE };
    const [clip] = await this.clips(i, [choice], signal);
    return clip!;
  }

  /** Differently augmented clips from one decoding of item i (`options.samples`). */
  async samples(i: number, random: Philox, signal?: AbortSignal): Promise<Clip[]> {
    if (!this.options.train) return [await this.clip(i, random, signal)];
    const state = random.state();
    const choices = Array.from({ length: this.options.samples ?? 1 }, (_, sample) => ({ random: state, sample }));
    return this.clips(i, choices, signal);
  }

  async views(i: number, sets: readonly Views[], signal?: AbortSignal): Promise<Clip[]> {
    return this.clips(i, sets.flatMap(allViews), signal);
  }

  /** Several clips of item i (test views, repeated augmentation), with one run of FFmpeg per scale. */
  async clips(i: number, choices: readonly ClipChoice[], signal?: AbortSignal): Promise<Clip[]> {
    const { path, label, source = sourceOf(path), info } = this.item(i);
    const { frames, crop } = this.options;
    const whole = Math.min(WHOLE_VIDEO, ((this.pool.cacheMemory?.limit ?? 0) * 0.75) / this.length);
    const request = { source, options: this.options, choices, info, keep: { whole } };
    const { clips, info: found } = await this.pool.read(request, signal);
    if (found.warning !== undefined) this.warnings.set(path, found.warning);
    return clips.map((pixels) => ({ pixels, frames, height: crop, width: crop, label, path }));
  }

  private item(i: number): LabelledFile {
    const item = this.listing.items[i];
    if (item === undefined) throw new Error(`${this.listing.source}: item ${i} is outside 0..${this.length - 1}`);
    return item;
  }
}
