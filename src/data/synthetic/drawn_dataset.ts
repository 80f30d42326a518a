/** The datasets that are drawn from a seed, in the decoding threads, whose cache keeps them. */
import type { Philox } from '../../core/philox';
import { viewCount, type Views } from '../sampling';
import type { Source } from '../source';
import type { Clip, Dataset } from '../types';
import { MIDDLE, type VideoOptions } from '../video/clip_plan';
import type { DecodePool } from '../video/decode_pool';
import { DRAWN, drawing, type DrawnOptions, type DrawnSet } from './drawn';

/** `length` clips of a drawn set. Every view of a clip is the whole clip. */
export class DrawnDataset implements Dataset {
  readonly classNames: readonly string[];
  readonly length: number;

  /** @throws if an option is out of its range */
  constructor(
    private readonly set: DrawnSet,
    private readonly options: DrawnOptions & { length: number },
    private readonly pool: DecodePool,
  ) {
    this.classNames = DRAWN[set].classNames;
    this.length = options.length;
    if (!Number.isInteger(this.length) || this.length < 1)
      throw new Error(`${set} dataset: length must be a whole number of at least 1, got ${this.length}`);
    DRAWN[set].check(options);
  }

  name(i: number): string {
    return `${this.set} clip ${i} (${this.classNames[this.label(i)]})`;
  }

  label(i: number): number {
    return DRAWN[this.set].label(i);
  }

  describe(): Record<string, string | number> {
    const { seed, size, frames, stream } = this.options;
    return { source: `embedded ${this.set} dataset`, clips: this.length, seed: String(seed), stream, frames, size };
  }

  /** Clip i, which depends only on the dataset's seed. */
  async clip(i: number, _random?: Philox, signal?: AbortSignal): Promise<Clip> {
    const { seed, stream, size, frames } = this.options;
    const source: Source = {
      ...{ kind: 'drawn', path: `${this.set} ${seed} ${stream} ${i} ${frames}x${size}`, index: i },
      ...{ set: this.set, options: { seed, stream, size, frames } },
    };
    const options: VideoOptions = { frames, rate: 1, crop: size, train: false, flip: false };
    const { clips } = await this.pool.read({ source, options, choices: [{ view: 0, views: MIDDLE }] }, signal);
    return { pixels: clips[0]!, frames, height: size, width: size, ...this.labels(i), path: this.name(i) };
  }

  private labels(i: number): Pick<Clip, 'label' | 'targets'> {
    const targets = drawing(this.set).targets?.(i);
    return targets ? { label: this.label(i), targets } : { label: this.label(i) };
  }

  async views(i: number, sets: readonly Views[], signal?: AbortSignal): Promise<Clip[]> {
    const clip = await this.clip(i, undefined, signal);
    return sets.flatMap((views) => Array.from({ length: viewCount(views) }, () => clip));
  }
}
