/** The embedded motion dataset, drawn and cached by the decoding threads. */
import { MIDDLE, type VideoOptions } from '../video/clip_plan';
import type { DecodePool } from '../video/decode_pool';
import { MOTION_FRAMES, MOTION_SIDE, MotionDataset } from './motion';
import type { Philox } from '../../core/philox';
import { viewCount, type Views } from '../sampling';
import type { Source } from '../source';
import type { Clip } from '../types';

/** `MotionDataset` whose clips are drawn on other threads. */
export class DrawnDataset extends MotionDataset {
  constructor(
    options: ConstructorParameters<typeof MotionDataset>[0],
    private readonly pool: DecodePool,
  ) {
    super(options);
  }

  override async clip(i: number, _random?: Philox, signal?: AbortSignal): Promise<Clip> {
    const { seed, stream = 0, size = MOTION_SIDE, frames = MOTION_FRAMES } = this.options;
    const label = this.label(i);
    const path = this.name(i);
    const source: Source = {
      ...{ kind: 'drawn', path: `motion ${seed} ${stream} ${i} ${frames}x${size}`, index: i },
      options: { seed, stream, size, frames },
    };
    const options: VideoOptions = { frames, rate: 1, crop: size, train: false, flip: false };
    const { clips } = await this.pool.read({ source, options, choices: [{ view: 0, views: MIDDLE }] }, signal);
    return { pixels: clips[0]!, frames, height: size, width: size, label, path };
  }

  override async views(i: number, sets: readonly Views[], signal?: AbortSignal): Promise<Clip[]> {
    const clip = await this.clip(i, undefined, signal);
    return sets.flatMap((views) => Array.from({ length: viewCount(views) }, () => clip));
  }
}
