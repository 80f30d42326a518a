/** Precision, recall and F1 of each class, from a confusion matrix. */

/** Measures of a class, in [0, 1]. A measure without a denominator is null. */
export interface ClassMetrics {
  /** Clips of the class. */
  clips: number;
  /** Clips that were classified as the class. */
  predicted: number;
  /** Share of the predictions of the class that are right; null if it was never predicted. */
  precision: number | null;
  /** Share of the clips of the class that were found, its accuracy; null without clips. */
  recall: number | null;
  /** Harmonic mean of precision and recall: 2 TP / (2 TP + FP + FN), 0 if it was never predicted; null without clips. */
  f1: number | null;
}

/** Means over the classes with clips. A class that was never predicted counts with a precision of 0. */
export interface MacroMetrics {
  /** Number of classes with clips. */
  classes: number;
  precision: number | null;
  recall: number | null;
  f1: number | null;
}

const sum = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0);
const ratio = (part: number, whole: number): number | null => (whole > 0 ? part / whole : null);

/** Measures of each class of `confusion[true][predicted]`, in its order. */
export function classMetrics(confusion: readonly (readonly number[])[]): ClassMetrics[] {
  const columns = confusion.map((_, c) => sum(confusion.map((row) => row[c]!)));
  return confusion.map((row, c) => {
    const [clips, predicted, right] = [sum(row), columns[c]!, row[c]!];
    const f1 = clips === 0 ? null : (2 * right) / (clips + predicted);
    return { clips, predicted, precision: ratio(right, predicted), recall: ratio(right, clips), f1 };
  });
}

/** Means of measures over the classes with clips; null without any. */
export function macroMetrics(classes: readonly ClassMetrics[]): MacroMetrics {
  const present = classes.filter(({ clips }) => clips > 0);
  const mean = (of: 'precision' | 'recall' | 'f1') => ratio(sum(present.map((one) => one[of] ?? 0)), present.length);
  return { classes: present.length, precision: mean('precision'), recall: mean('recall'), f1: mean('f1') };
}

/** A pair of classes that is confused. */
export interface ConfusedPair {
  truth: number;
  predicted: number;
  /** Clips of class `truth` that were classified as `predicted`, and their share of the class. */
  clips: number;
  share: number;
}

/** The pairs of classes that are most often confused, at most `most`, most clips first. */
export function confusedPairs(confusion: readonly (readonly number[])[], most: number): ConfusedPair[] {
  const pairs = confusion.flatMap((row, truth) => {
    const total = sum(row);
    return row.flatMap((clips, predicted) =>
      clips > 0 && predicted !== truth ? [{ truth, predicted, clips, share: clips / total }] : [],
    );
  });
  return pairs.sort((a, b) => b.clips - a.clips || b.share - a.share).slice(0, most);
}
