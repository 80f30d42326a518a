/**
 * Merges the rows of several passes over all cases. A shared machine may run at half its speed for seconds at a time, which biases the
 * median of consecutive rounds but not of rounds that are minutes apart.
 */
import type { KernelRow } from './kernels/measure';
import { bestLimits, rooflineMs } from './roofline';
import { ratio, spread } from './statistics';

const sameAs = (a: KernelRow) => (b: KernelRow) =>
  (['op', 'stage', 'shape', 'direction', 'dtype', 'variant', 'cache', 'launch'] as const).every(
    (key) => a[key] === b[key],
  );

/** Concatenates the rounds of two rows and recomputes every derived figure. */
function joined(a: KernelRow, b: KernelRow): KernelRow {
  const ms = [...a.ms, ...b.ms];
  const found = spread(ms);
  const limits = bestLimits(a.limits, b.limits);
  const rate = (perMs: 'gflops' | 'gbs') => (a[perMs] * a.median) / found.median;
  const [gflops, gbs] = [rate('gflops'), rate('gbs')];
  const floor = rooflineMs(gflops * found.median * 1e6, gbs * found.median * 1e6, limits);
  return {
    ...a,
    ...{ ms, ...found, gflops, gbs, limits, limit: floor.by, shareOfLimit: floor.ms / found.median },
    ...(a.cpuMs && b.cpuMs ? { cpuMs: [...a.cpuMs, ...b.cpuMs] } : {}),
    others: Math.max(a.others, b.others),
    error: a.error ?? b.error,
  };
}

/** The row of the first variant of the same measurement, against which speedups are computed; undefined if that variant failed. */
const baselineOf = (rows: readonly KernelRow[], row: KernelRow) =>
  rows.find((other) => other.speed === null && sameAs({ ...row, variant: other.variant })(other));

/** Recomputes speedups from paired rounds. A slow variant has fewer rounds in each pass, so pairing is done pass by pass. */
function withSpeeds(rows: readonly KernelRow[], passes: readonly KernelRow[][]): KernelRow[] {
  const turns = (row: KernelRow, by: KernelRow) =>
    passes.flatMap((pass) => {
      const [ours, first] = [pass.find(sameAs(row)), pass.find(sameAs(by))];
      return (ours?.ms ?? []).flatMap((ms, i) => (first && i < first.ms.length ? [{ ms, first: first.ms[i]! }] : []));
    });
  return rows.map((row) => {
    const baseline = row.speed && baselineOf(rows, row);
    const pairs = baseline ? turns(row, baseline) : [];
    if (pairs.length === 0) return row;
    const of = (key: 'ms' | 'first') => pairs.map((pair) => pair[key]);
    return { ...row, speed: ratio(of('first'), of('ms')) };
  });
}

/** One row for each measurement that occurs in any pass, in order of first occurrence. */
export function joinPasses(passes: readonly KernelRow[][]): KernelRow[] {
  const rows: KernelRow[] = [];
  for (const row of passes.flat()) {
    const at = rows.findIndex(sameAs(row));
    if (at < 0) rows.push(row);
    else rows[at] = joined(rows[at]!, row);
  }
  return passes.length > 1 ? withSpeeds(rows, passes) : rows;
}
