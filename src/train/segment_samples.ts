/** Pictures of a validation that a report shows beside their truth and prediction. */
import { resizePicture } from '../data/pictures/pictures';
import { IGNORED, type Clip } from '../data/types';
import type { Ranks } from '../distributed/ranks';

/** A picture with its masks, all reduced to one size. */
export interface SegmentSample {
  path: string;
  /** Share of right pixels among the labelled ones, at full size. */
  right: number;
  /** Whether it is shown for being among those with the fewest right pixels. */
  worst: boolean;
  height: number;
  width: number;
  /** u8 [height, width, 3] */
  pixels: Uint8Array;
  /** True classes u8 [height, width], 255 for none. */
  truth: Uint8Array;
  /** Predicted classes u8 [height, width]. */
  predicted: Uint8Array;
}

const [WORST, EVEN, SIDE] = [4, 4, 256];

interface Kept extends SegmentSample {
  batch: number;
  row: number;
}

/** Least right first; equals by their place in the data, so that the choice does not depend on who read them. */
const byRight = (a: Kept, b: Kept): number => a.right - b.right || byPlace(a, b);
const byPlace = (a: Kept, b: Kept): number => a.batch - b.batch || a.row - b.row;

/** Share of right pixels; null without a labelled one. */
function shareRight(truth: Uint8Array, predicted: Uint8Array): number | null {
  let [labelled, right] = [0, 0];
  for (let i = 0; i < truth.length; i++) {
    if (truth[i] === IGNORED) continue;
    labelled += 1;
    if (truth[i] === predicted[i]) right += 1;
  }
  return labelled > 0 ? right / labelled : null;
}

/** Every n-th class of a mask: the element floor(i · in / out), as `resize` with nearest reads. */
function reduced(from: Uint8Array, [w, h]: readonly [number, number], [width, height]: readonly [number, number]) {
  const to = new Uint8Array(width * height);
  for (let y = 0; y < height; y++)
    for (let x = 0; x < width; x++)
      to[y * width + x] = from[Math.floor((y * h) / height) * w + Math.floor((x * w) / width)]!;
  return to;
}

async function reduce(clip: Clip, predicted: Uint8Array) {
  const mask = clip.mask!;
  const by = Math.min(1, SIDE / Math.max(mask.height, mask.width));
  const size = [Math.max(1, Math.round(mask.width * by)), Math.max(1, Math.round(mask.height * by))] as const;
  const pixels = await resizePicture(clip.pixels, [clip.width, clip.height], size);
  const [truth, found] = [mask.pixels, predicted].map((m) => reduced(m, [mask.width, mask.height], size));
  return { path: clip.path, width: size[0], height: size[1], pixels, truth: truth!, predicted: found! };
}

/** Keeps the pictures with the fewest right pixels, and some spread evenly over the batches: at most 8, of at most 256 pixels a side. */
export class SegmentSamples {
  private worst: Kept[] = [];
  private readonly even: Kept[] = [];
  private readonly evenBatches: ReadonlySet<number>;

  /** @param batches of the whole dataset */
  constructor(batches: number) {
    this.evenBatches = new Set(
      Array.from({ length: EVEN }, (_, i) => Math.floor(((2 * i + 1) * batches) / (2 * EVEN))),
    );
  }

  /** Offers the pictures of a batch. @param predicted of all of them, one after the other, at the size of their masks */
  async add(batch: number, clips: readonly Clip[], predicted: Uint8Array): Promise<void> {
    const area = predicted.length / clips.length;
    for (const [row, clip] of clips.entries()) {
      const found = predicted.subarray(row * area, (row + 1) * area);
      const right = shareRight(clip.mask!.pixels, found);
      const even = row === 0 && this.evenBatches.has(batch);
      const last = this.worst.at(-1);
      const worst = right !== null && (this.worst.length < WORST || right < last!.right);
      if (!even && !worst) continue;
      const kept = { ...(await reduce(clip, found)), batch, row, right: right ?? 1 };
      if (even) this.even.push({ ...kept, worst: false });
      if (worst) this.worst = [...this.worst, { ...kept, worst: true }].sort(byRight).slice(0, WORST);
    }
  }

  /** The pictures of all ranks: the worst, then the others in the order of the data. Every rank has the same. */
  gathered(ranks: Ranks): SegmentSample[] {
    const all = ranks
      .gatherJson([...this.worst, ...this.even].map(packed))
      .flat()
      .map(unpacked);
    const worst = all
      .filter((one) => one.worst)
      .sort(byRight)
      .slice(0, WORST);
    const places = new Set(worst.map(({ batch, row }) => `${batch}/${row}`));
    const even = all.filter((one) => !one.worst && !places.has(`${one.batch}/${one.row}`)).sort(byPlace);
    return [...worst, ...even].map(({ batch: _, row: __, ...sample }) => sample);
  }
}

/** A picture as JSON, for other ranks. */
type Packed = Omit<Kept, 'pixels' | 'truth' | 'predicted'> & { planes: string[] };

function packed({ pixels, truth, predicted, ...rest }: Kept): Packed {
  return { ...rest, planes: [pixels, truth, predicted].map((plane) => Buffer.from(plane).toString('base64')) };
}

function unpacked({ planes, ...rest }: Packed): Kept {
  const [pixels, truth, predicted] = planes.map((text) => Uint8Array.from(Buffer.from(text, 'base64')));
  return { ...rest, pixels: pixels!, truth: truth!, predicted: predicted! };
}
