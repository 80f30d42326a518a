/** Compares two results files: which measurements became faster or slower. */
import { QUIET_SHARE } from './cpu_contention';
import type { ResultRow, Results } from './results';
import { independentRatio, median, type Ratio } from './statistics';

/** A measurement that both files contain. */
export interface Compared {
  what: string;
  /** Medians in ms. */
  before: number;
  after: number;
  /** Speedup by the measured times. */
  speed: Ratio;
  /** Speedup of times divided by the roofline time measured with them; null if a file has no limits. */
  againstLimit: Ratio | null;
  /** Speedup by the CPU time of all threads, which other programs hardly affect; null if a file has none. */
  cpu: Ratio | null;
  /** Speedup relative to the median of all rows: a change that all rows share may come from the machine. */
  againstOthers: number;
  /**
   * A difference counts only if all of these speedups show it, because wall times alone include changes of the machine between the two
   * files. CPU time is ignored if both files report a quiet machine: work that is spread worse over the threads takes no more CPU time.
   */
  verdict: Ratio['verdict'];
  /** Additional time as a fraction, by the smallest of these changes; negative if it takes less. */
  slowdown: number;
}

/** The comparison of two results files. */
export interface Comparison {
  /** Largest slowdown first. */
  rows: Compared[];
  onlyBefore: string[];
  onlyAfter: string[];
  /** Medians over all rows. */
  overall: { speed: number; againstLimit: number | null };
}

/** A measuring condition whose value differs between two files. */
export interface Difference {
  term: string;
  before: string;
  after: string;
}

/** The rows that both files contain. */
function pairs(before: Results, after: Results): [ResultRow, ResultRow][] {
  const now = new Map(after.rows.map((row) => [row.what, row]));
  return before.rows.flatMap((row): [ResultRow, ResultRow][] => (now.has(row.what) ? [[row, now.get(row.what)!]] : []));
}

/** The conditions, and the compiler flags of common rows, that differ between two files. A condition that one file lacks is ignored. */
export function differingTerms(before: Results, after: Results): Difference[] {
  const flags = pairs(before, after).map(([a, b]) => ({ term: 'compiler flags', before: a.flags, after: b.flags }));
  const terms = [...before.terms].map(([term, value]) => ({ term, before: value, after: after.terms.get(term) ?? '' }));
  const differ = (d: Difference) => d.before !== '' && d.after !== '' && d.before !== d.after;
  return [...terms.filter(differ), ...flags.filter(differ).slice(0, 1)];
}

function scaled({ median, low, high }: Ratio, factor: number): Ratio {
  const [l, h] = [low * factor, high * factor];
  return { median: median * factor, low: l, high: h, verdict: l > 1 ? 'faster' : h < 1 ? 'slower' : 'no difference' };
}

const isQuiet = ({ others }: ResultRow): boolean => others !== null && others <= QUIET_SHARE;

function compareRow(a: ResultRow, b: ResultRow): Omit<Compared, 'againstOthers'> {
  const speed = independentRatio(a.ms, b.ms);
  const againstLimit = a.rooflineMs && b.rooflineMs ? scaled(speed, b.rooflineMs / a.rooflineMs) : null;
  const cpu = a.cpuMs && b.cpuMs ? independentRatio(a.cpuMs, b.cpuMs) : null;
  const witnesses = [speed, againstLimit, isQuiet(a) && isQuiet(b) ? null : cpu].filter((ratio) => ratio !== null);
  const agreed = witnesses.every(({ verdict }) => verdict === speed.verdict);
  const slowdowns = witnesses.map((ratio) => 1 / ratio.median - 1);
  return {
    ...{ what: a.what, before: median(a.ms), after: median(b.ms), speed, againstLimit, cpu },
    verdict: agreed ? speed.verdict : 'no difference',
    slowdown: slowdowns.reduce((x, y) => (Math.abs(x) < Math.abs(y) ? x : y)),
  };
}

/** The names of the rows that only the first file contains. */
function without(rows: readonly ResultRow[], others: readonly ResultRow[]): string[] {
  const there = new Set(others.map(({ what }) => what));
  return rows.map(({ what }) => what).filter((what) => !there.has(what));
}

/** Throws unless both files are of one benchmark. */
export function requireSameKind(before: Results, after: Results): void {
  if (before.kind !== after.kind)
    throw new Error(
      `expected two files of one benchmark, got bench ${before.kind} (${before.path}) and bench ${after.kind} (${after.path})`,
    );
}

/**
 * Compares two files of the same kind row by row.
 * @throws if their kinds differ or they have no row in common
 */
export function compareResults(before: Results, after: Results): Comparison {
  requireSameKind(before, after);
  const common = pairs(before, after);
  if (common.length === 0)
    throw new Error(
      `${before.path} and ${after.path} have no row in common (the first row of the former is ${before.rows[0]!.what})`,
    );
  const found = common.map(([a, b]) => compareRow(a, b));
  const overall = median(found.map(({ speed }) => speed.median));
  const rows = found.map((row) => ({ ...row, againstOthers: row.speed.median / overall }));
  const limited = rows.flatMap(({ againstLimit }) => (againstLimit ? [againstLimit.median] : []));
  return {
    overall: {
      speed: overall,
      againstLimit: limited.length > 0 ? median(limited) : null,
    },
    rows: rows.sort((a, b) => b.slowdown - a.slowdown),
    onlyBefore: without(before.rows, after.rows),
    onlyAfter: without(after.rows, before.rows),
  };
}

/** The rows that became slower by more than `percent` with statistical significance. */
export const regressions = ({ rows }: Comparison, percent: number): Compared[] =>
  rows.filter(({ verdict, slowdown }) => verdict === 'slower' && 100 * slowdown > percent);
