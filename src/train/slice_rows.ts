import type { Slices } from '../distributed/gradient_sum';
import type { Ranks } from '../distributed/ranks';
import type { Metrics } from './metrics';

/** Figures of a slice: its mean loss, sums over its clips, and the batch statistics of its norms. */
export interface SliceFigures {
  loss: number;
  metrics: Metrics;
  statistics: Float64Array;
}

export const NO_STATISTICS = new Float64Array(0);

/** Numbers before the statistics: whether the slice was read, loss, clips, sum of losses, top-1, top-5. */
const FIXED = 6;

/** Figures of a step's slices on this rank, which ranks exchange in one message of float64 numbers. */
export class SliceRows {
  private readonly width: number;
  /** A row for each slice of this rank, then whether it was asked to stop. */
  private readonly values: Float64Array;

  constructor(
    private readonly slices: Slices,
    statistics: number,
  ) {
    this.width = FIXED + statistics;
    this.values = new Float64Array(slices.count * this.width + 1);
  }

  /** Enters the figures of a slice. */
  set(slice: number, { loss, metrics, statistics }: SliceFigures): void {
    const { clips, loss: sum, top1, top5 } = metrics;
    const at = (slice - this.slices.first) * this.width;
    this.values.set([1, loss, clips, sum, top1, top5], at);
    this.values.set(statistics, at + FIXED);
  }

  /** The figures of the slices that were read, of all ranks, in order; and whether a rank was asked to stop. */
  exchange(ranks: Ranks, stop: boolean): { slices: SliceFigures[]; stop: boolean } {
    this.values[this.values.length - 1] = Number(stop);
    const all = ranks.gather(this.values);
    return {
      slices: all.flatMap((values) => this.read(values)),
      stop: all.some((values) => values.at(-1) === 1),
    };
  }

  private read(values: Float64Array): SliceFigures[] {
    return Array.from({ length: this.slices.count }, (_, i) => values.subarray(i * this.width, (i + 1) * this.width))
      .filter(([present]) => present === 1)
      .map((row) => {
        const [, loss, clips, sum, top1, top5] = row as unknown as [number, number, number, number, number, number];
        return { loss, metrics: { clips, loss: sum, top1, top5 }, statistics: row.subarray(FIXED) };
      });
  }
}
