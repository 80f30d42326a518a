/** Measures of a segmentation by its confusion matrix, whose counts are exact up to 2^53 pixels. */
import { IGNORED } from '../data/types';

/** Measures of one class; null without a pixel of it, true or predicted. */
export interface PixelClass {
  /** True pixels. */
  pixels: number;
  /** True and predicted pixels over all that are either. */
  iou: number | null;
  /** Share of the true pixels that were found; null without true pixels. */
  accuracy: number | null;
}

/** Measures of a segmentation, in [0, 1]; 0 without a labelled pixel. */
export interface SegmentMeasures {
  /** Mean IoU of the classes that occur, in truth or prediction. */
  miou: number;
  /** Share of right pixels. */
  pixelAccuracy: number;
  /** Mean of the classes' accuracies. */
  meanAccuracy: number;
  classes: PixelClass[];
}

/** Counts of pixels [true class][predicted class] of masks. */
export class PixelConfusion {
  readonly counts: Float64Array;

  constructor(
    readonly classes: number,
    counts?: Float64Array,
  ) {
    this.counts = counts ?? new Float64Array(classes * classes);
  }

  /** Adds the pixels of masks; ignored ones do not count. @throws if an index is beyond the classes */
  add(truth: Uint8Array, predicted: Uint8Array): void {
    const { classes, counts } = this;
    if (truth.length !== predicted.length)
      throw new Error(`confusion: expected ${truth.length} predicted pixels, got ${predicted.length}`);
    for (let i = 0; i < truth.length; i++) {
      const label = truth[i]!;
      if (label === IGNORED) continue;
      if (label >= classes || predicted[i]! >= classes)
        throw new Error(
          `confusion: class ${label >= classes ? label : predicted[i]} at pixel ${i} is beyond the ${classes} classes`,
        );
      counts[label * classes + predicted[i]!]! += 1;
    }
  }

  /** Adds other counts. */
  addCounts(counts: Float64Array): void {
    counts.forEach((count, i) => (this.counts[i]! += count));
  }

  /** The matrix as rows. */
  rows(): number[][] {
    const { classes, counts } = this;
    return Array.from({ length: classes }, (_, c) => [...counts.subarray(c * classes, (c + 1) * classes)]);
  }

  /** Labelled pixels. */
  get pixels(): number {
    return this.counts.reduce((a, b) => a + b, 0);
  }
}

const mean = (values: readonly (number | null)[]): number => {
  const known = values.filter((value) => value !== null);
  return known.length > 0 ? known.reduce((a, b) => a + b, 0) / known.length : 0;
};

/** Measures of a matrix [true class][predicted class]. */
export function segmentMeasures(confusion: readonly (readonly number[])[]): SegmentMeasures {
  const sum = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0);
  const classes = confusion.map((row, c) => {
    const [pixels, right] = [sum(row), row[c]!];
    const union = pixels + sum(confusion.map((other) => other[c]!)) - right;
    return { pixels, iou: union > 0 ? right / union : null, accuracy: pixels > 0 ? right / pixels : null };
  });
  const all = sum(confusion.map(sum));
  return {
    miou: mean(classes.map(({ iou }) => iou)),
    pixelAccuracy: all > 0 ? sum(confusion.map((row, c) => row[c]!)) / all : 0,
    meanAccuracy: mean(classes.map(({ accuracy }) => accuracy)),
    classes,
  };
}
