/**
 * Rows of several passes over all cases as one. For seconds at a time a shared machine may run at half its speed, which no median of rounds
 * in a row sees; rounds that lie minutes apart do.
 */
import type { KernelRow } from './kernels/measure';
import { better, floorMs } from './roofline';
import { ratio, spread } from './statistics';

const sameAs = (a: KernelRow) => (b: KernelRow) =>
  (['op', 'stage', 'direction', 'dtype', 'variant', 'cache', 'launch'] as const).every((key) => a[key] === b[key]);

/** Rounds of both; all that follows from them is computed again. */
function joined(a: KernelRow, b: KernelRow): KernelRow {
  const ms = [...a.ms, ...b.ms];
  const found = spread(ms);
  const limits = better(a.limits, b.limits);
  const rate = (perMs: 'gflops' | 'gbs') => (a[perMs] * a.median) / found.median;
  const [gflops, gbs] = [rate('gflops'), rate('gbs')];
  const floor = floorMs(gflops * found.median * 1e6, gbs * found.median * 1e6, limits);
  return {
    ...a,
    ...{ ms, ...found, gflops, gbs, limits, limit: floor.by, shareOfLimit: floor.ms / found.median },
    ...(a.cpuMs && b.cpuMs ? { cpuMs: [...a.cpuMs, ...b.cpuMs] } : {}),
    others: Math.max(a.others, b.others),
    error: a.error ?? b.error,
  };
}

/** The first variant that stood beside a row, which is the one that others are measured by. */
const firstBeside = (rows: readonly KernelRow[], row: KernelRow) =>
  rows.find((other) => sameAs({ ...row, variant: other.variant })(other))!;

/** Speeds, again of rounds in which both took turns: a variant that takes long has fewer in each pass. */
function withSpeeds(rows: readonly KernelRow[], passes: readonly KernelRow[][]): KernelRow[] {
  const turns = (row: KernelRow, by: KernelRow) =>
    passes.flatMap((pass) => {
      const [ours, first] = [pass.find(sameAs(row)), pass.find(sameAs(by))];
      return (ours?.ms ?? []).flatMap((ms, i) => (first && i < first.ms.length ? [{ ms, first: first.ms[i]! }] : []));
    });
  return rows.map((row) => {
    const pairs = row.speed ? turns(row, firstBeside(rows, row)) : [];
    if (pairs.length === 0) return row;
    const of = (key: 'ms' | 'first') => pairs.map((pair) => pair[key]);
    return { ...row, speed: ratio(of('first'), of('ms')) };
  });
}

/** One row for each that any pass has, in the order of the first passes. */
export function joinPasses(passes: readonly KernelRow[][]): KernelRow[] {
  const rows: KernelRow[] = [];
  for (const row of passes.flat()) {
    const at = rows.findIndex(sameAs(row));
    if (at < 0) rows.push(row);
    else rows[at] = joined(rows[at]!, row);
  }
  return passes.length > 1 ? withSpeeds(rows, passes) : rows;
}
