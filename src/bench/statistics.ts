/** The middle one of some figures. */
export const median = (values: readonly number[]): number => sorted(values)[values.length >> 1]!;

const sorted = (values: readonly number[]) => [...values].sort((a, b) => a - b);

/** Milliseconds that `work` takes. */
export async function elapsed(work: () => unknown): Promise<number> {
  const since = performance.now();
  await work();
  return performance.now() - since;
}

/** The middle of some figures, and the quarters that the middle half of them lies between. */
export interface Spread {
  median: number;
  q1: number;
  q3: number;
}

/** Median and interquartile range. */
export function spread(values: readonly number[]): Spread {
  const all = sorted(values);
  const at = (share: number) => all[Math.min(all.length - 1, Math.floor(share * all.length))]!;
  return { median: at(0.5), q1: at(0.25), q3: at(0.75) };
}

/** A ratio of two things that took turns. */
export interface Ratio {
  median: number;
  /** An interval that holds the true median with at least 95% (100% less 2 to the power of 1 - n for under 6 rounds). */
  low: number;
  high: number;
  verdict: 'faster' | 'slower' | 'no difference';
}

/** The chance that at most `k` of `n` fair coins show heads. */
function atMost(k: number, n: number): number {
  let [sum, term] = [0, 0.5 ** n];
  for (let i = 0; i <= k; i++) {
    sum += term;
    term *= (n - i) / (i + 1);
  }
  return sum;
}

/**
 * How many times as fast `b` is as `a`, from rounds in which both took turns: the median of a/b by round, with its confidence
 * interval from order statistics (no shape of the noise is assumed). Where the interval holds 1, there is no difference.
 */
export function ratio(a: readonly number[], b: readonly number[]): Ratio {
  const all = sorted(a.map((value, i) => value / b[i]!));
  let rank = 0;
  while (rank + 1 < all.length / 2 && atMost(rank, all.length) <= 0.025) rank++;
  if (rank > 0) rank--;
  const [low, high] = [all[rank]!, all[all.length - 1 - rank]!];
  const verdict = low > 1 ? 'faster' : high < 1 ? 'slower' : 'no difference';
  return { median: median(all), low, high, verdict };
}
