/** The median; of an even count, the upper of the two middle values. */
export const median = (values: readonly number[]): number => sorted(values)[values.length >> 1]!;

const sorted = (values: readonly number[]) => [...values].sort((a, b) => a - b);

/** Runs `work` and returns the elapsed milliseconds. */
export async function elapsed(work: () => unknown): Promise<number> {
  const since = performance.now();
  await work();
  return performance.now() - since;
}

/** Median and quartiles. */
export interface Spread {
  median: number;
  q1: number;
  q3: number;
}

/** Computes the median and the quartiles. */
export function spread(values: readonly number[]): Spread {
  const all = sorted(values);
  const at = (share: number) => all[Math.min(all.length - 1, Math.floor(share * all.length))]!;
  return { median: at(0.5), q1: at(0.25), q3: at(0.75) };
}

/** A speedup with its confidence interval. */
export interface Ratio {
  median: number;
  /** A confidence interval of the median: at least 95%, or 1 - 2^(1 - n) for n < 6 rounds. */
  low: number;
  high: number;
  verdict: 'faster' | 'slower' | 'no difference';
}

/** The probability that at most `k` of `n` fair coins show heads. */
function atMost(k: number, n: number): number {
  let [sum, term] = [0, 0.5 ** n];
  for (let i = 0; i <= k; i++) {
    sum += term;
    term *= (n - i) / (i + 1);
  }
  return sum;
}

/**
 * The speedup of `b` over `a` from interleaved rounds: the median of a/b by round, with its confidence interval from order statistics
 * (distribution-free). If the interval contains 1, there is no difference.
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

/** ways[u]: the number of orders of `n` and `m` distinct numbers with u inverted pairs (Mann and Whitney's U). */
function orders(n: number, m: number): Float64Array {
  let ways = Float64Array.of(1);
  // The generating function is the Gaussian binomial: products of (1 - q^(m+i)) / (1 - q^i).
  for (let i = 1; i <= n; i++) {
    const next = new Float64Array(i * m + 1);
    const at = (list: Float64Array, k: number) => (k >= 0 && k < list.length ? list[k]! : 0);
    for (let k = 0; k < next.length; k++) next[k] = at(ways, k) - at(ways, k - m - i) + (k >= i ? next[k - i]! : 0);
    ways = next;
  }
  return ways;
}

/**
 * The speedup of `b` over `a` from the rounds of two separate runs: the median of all quotients, with the confidence interval of Mann and
 * Whitney's test: at least 95%, or the most that so few rounds allow (90% for three each).
 */
export function independentRatio(a: readonly number[], b: readonly number[]): Ratio {
  const all = sorted(a.flatMap((x) => b.map((y) => x / y)));
  const ways = orders(a.length, b.length);
  const total = ways.reduce((sum, w) => sum + w, 0);
  let [rank, sum] = [0, ways[0]!];
  while (sum / total <= 0.025 && rank + 1 < all.length / 2) sum += ways[++rank]!;
  const [low, high] = [all[Math.max(0, rank - 1)]!, all[all.length - 1 - Math.max(0, rank - 1)]!];
  return { median: median(all), low, high, verdict: low > 1 ? 'faster' : high < 1 ? 'slower' : 'no difference' };
}
