/** Two results files beside each other: what became faster, slower, or neither. */
import { QUIET } from './cpu_contention';
import type { ResultRow, Results } from './results';
import { independentRatio, median, type Ratio } from './statistics';

/** One measurement that both files have. */
export interface Compared {
  what: string;
  /** Medians in ms. */
  before: number;
  after: number;
  /** How many times as fast it is now, by the times as they are. */
  speed: Ratio;
  /** The same of times in units of the shortest that the machine's limits, measured beside, allowed; null where a file has no limits. */
  againstLimit: Ratio | null;
  /** The same by the processor time of all threads, which other programs hardly change; null where a file has none. */
  cpu: Ratio | null;
  /** The same against the median of all rows: what all share may be the machine. */
  againstOthers: number;
  /**
   * A difference that all of them see: the times alone contain what the machine itself did between the two files. The processor time counts
   * unless both files say that the machine was quiet: work that is spread worse over the threads takes no more of it.
   */
  verdict: Ratio['verdict'];
  /** How much more time it takes now, as a share, by the mildest of these; below 0 where it takes less. */
  slowdown: number;
}

/** What two files have in common, and what not. */
export interface Comparison {
  /** The slowest first. */
  rows: Compared[];
  onlyBefore: string[];
  onlyAfter: string[];
  /** Medians over all rows: what all share may be the machine. */
  overall: { speed: number; againstLimit: number | null };
}

/** A name of a term, and its value in both files. */
export interface Difference {
  term: string;
  before: string;
  after: string;
}

/** Rows that both files have. */
function pairs(before: Results, after: Results): [ResultRow, ResultRow][] {
  const now = new Map(after.rows.map((row) => [row.what, row]));
  return before.rows.flatMap((row): [ResultRow, ResultRow][] => (now.has(row.what) ? [[row, now.get(row.what)!]] : []));
}

/** The terms in which two files, or the compiler flags of rows that both have, differ; what one does not say differs from nothing. */
export function differentTerms(before: Results, after: Results): Difference[] {
  const flags = pairs(before, after).map(([a, b]) => ({ term: 'compiler flags', before: a.flags, after: b.flags }));
  const terms = [...before.terms].map(([term, value]) => ({ term, before: value, after: after.terms.get(term) ?? '' }));
  const differ = (d: Difference) => d.before !== '' && d.after !== '' && d.before !== d.after;
  return [...terms.filter(differ), ...flags.filter(differ).slice(0, 1)];
}

function scaled({ median, low, high }: Ratio, factor: number): Ratio {
  const [l, h] = [low * factor, high * factor];
  return { median: median * factor, low: l, high: h, verdict: l > 1 ? 'faster' : h < 1 ? 'slower' : 'no difference' };
}

const isQuiet = ({ others }: ResultRow): boolean => others !== null && others <= QUIET;

function compareRow(a: ResultRow, b: ResultRow): Omit<Compared, 'againstOthers'> {
  const speed = independentRatio(a.ms, b.ms);
  const againstLimit = a.floorMs && b.floorMs ? scaled(speed, b.floorMs / a.floorMs) : null;
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

/** The rows of one file that the other does not have. */
function without(rows: readonly ResultRow[], others: readonly ResultRow[]): string[] {
  const there = new Set(others.map(({ what }) => what));
  return rows.map(({ what }) => what).filter((what) => !there.has(what));
}

/**
 * Compares files of one kind row by row.
 * @throws where they are of two kinds, or have no row in common
 */
export function compareResults(before: Results, after: Results): Comparison {
  if (before.kind !== after.kind)
    throw new Error(
      `${before.path} is of bench ${before.kind}, ${after.path} of bench ${after.kind}: they have nothing in common`,
    );
  const common = pairs(before, after);
  if (common.length === 0)
    throw new Error(`no row of ${before.path} is in ${after.path}, such as ${before.rows[0]!.what}`);
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

/** The rows that became slower by more than `percent`, beyond the noise. */
export const regressions = ({ rows }: Comparison, percent: number): Compared[] =>
  rows.filter(({ verdict, slowdown }) => verdict === 'slower' && 100 * slowdown > percent);
