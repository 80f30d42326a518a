import type { Summary } from './learned_types';

/** The quantile of sorted values, with linear interpolation. */
function quantile(sorted: ArrayLike<number>, share: number): number {
  const at = share * (sorted.length - 1);
  const [low, part] = [Math.floor(at), at % 1];
  const below = sorted[low]!;
  return part === 0 ? below : below + part * (sorted[low + 1]! - below);
}

/** Quartiles, extremes and mean. @throws if `values` is empty */
export function summarise(values: ArrayLike<number>): Summary {
  if (values.length === 0) throw new Error('summarise: expected at least one value, got none');
  const sorted = Float64Array.from(values).sort();
  const mean = sorted.reduce((a, b) => a + b, 0) / sorted.length;
  const [min, q1, median, q3, max] = [0, 0.25, 0.5, 0.75, 1].map((share) => quantile(sorted, share));
  return { min: min!, q1: q1!, median: median!, q3: q3!, max: max!, mean };
}

const Z95 = 1.959963984540054;

/** The 95% confidence interval of a proportion observed as `k` of `n` (Wilson 1927); valid for small n and for k = 0 or n. */
export function wilson(k: number, n: number): [number, number] {
  if (n === 0) return [0, 1];
  const [share, z2] = [k / n, (Z95 * Z95) / n];
  const middle = (share + z2 / 2) / (1 + z2);
  const half = (Z95 / (1 + z2)) * Math.sqrt((share * (1 - share)) / n + z2 / (4 * n));
  return [k === 0 ? 0 : middle - half, k === n ? 1 : middle + half];
}

/**
 * The p-value of the exact two-sided McNemar test: only the first classifier is correct on `lost` clips, only the second on `won`.
 */
export function mcNemar(lost: number, won: number): number {
  const [n, few] = [lost + won, Math.min(lost, won)];
  let logTerm = -n * Math.LN2;
  let sum = 0;
  for (let i = 0; i <= few; i++) {
    sum += Math.exp(logTerm);
    logTerm += Math.log((n - i) / (i + 1));
  }
  return Math.min(1, 2 * sum);
}

/** Mean and its standard error (null for a single value). */
export function meanAndError(values: readonly number[]): { mean: number; error: number | null } {
  const n = values.length;
  const mean = values.reduce((a, b) => a + b, 0) / n;
  if (n < 2) return { mean, error: null };
  const variance = values.reduce((sum, v) => sum + (v - mean) ** 2, 0) / (n - 1);
  return { mean, error: Math.sqrt(variance / n) };
}
