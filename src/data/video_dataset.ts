import type { Philox } from '../random';
import type { ClipSpec } from './clip_spec';
import type { DecodePool } from './decode_pool';
import type { Listing } from './listing';
import type { Clip, Dataset } from './types';

/** How clips are taken from the videos of a listing. */
export interface VideoOptions {
  frames: number;
  /** Distance between frames; shortened where a video is too short. */
  rate: number;
  /** Side of the square crop. */
  crop: number;
  /** true: random place, size and flip; false: the middle. */
  train: boolean;
  /** Mirror half of the training clips. Off for classes that tell left from right. */
  flip: boolean;
}

/** The short side is scaled to 256…320 for a crop of 224 (the authors' TRAIN_JITTER_SCALES), in proportion for others. */
const JITTER = [256 / 224, 320 / 224] as const;

/** Clips of video files, decoded by FFmpeg. */
export class VideoDataset implements Dataset {
  readonly length: number;
  readonly classNames: readonly string[];

  constructor(
    private readonly listing: Listing,
    private readonly options: VideoOptions,
    private readonly pool: DecodePool,
  ) {
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
    const { frames, rate, crop } = this.options;
    return { source: this.listing.source, clips: this.length, classes: this.classNames.length, frames, rate, crop };
  }

  async clip(i: number, random: Philox): Promise<Clip> {
    const { path, label } = this.item(i);
    const pixels = await this.pool.clip(this.spec(path, random));
    const { frames, crop } = this.options;
    return { pixels, frames, height: crop, width: crop, label, path };
  }

  private spec(path: string, random: Philox): ClipSpec {
    const { frames, rate, crop, train, flip } = this.options;
    if (!train) return { path, frames, rate, crop, scale: 1, at: { time: 0.5, x: 0.5, y: 0.5 }, flip: false };
    const scale = JITTER[0] + (JITTER[1] - JITTER[0]) * random.uniform();
    const at = { time: random.uniform(), x: random.uniform(), y: random.uniform() };
    return { path, frames, rate, crop, scale, at, flip: flip && random.uniform() < 0.5 };
  }

  private item(i: number): { path: string; label: number } {
    const item = this.listing.items[i];
    if (!item) throw new Error(`${this.listing.source}: item ${i} of ${this.length}`);
    return item;
  }
}
