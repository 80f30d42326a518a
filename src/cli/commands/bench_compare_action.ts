import pc from 'picocolors';
import {
  compareResults,
  differingTerms,
  regressions,
  requireSameKind,
  type Compared,
  type Comparison,
} from '../../bench/compare';
import { readResults, type Results } from '../../bench/results';
import { median, type Ratio } from '../../bench/statistics';
import { writeFileAtomic } from '../../formats/atomic';
import { writeBenchPage } from '../../report/bench_page';
import { percent, significant, table } from '../../terminal/format';
import { checkOutputs } from './outputs';

/** Arguments of `morphmlp bench compare`. */
export interface BenchCompareArguments {
  failAbove?: number;
  force?: boolean;
  out?: string;
  html?: string;
}

/** Differences in the conditions of the two files: an error, or a warning with --force. */
function checkTerms(before: Results, after: Results, force: boolean): void {
  const differ = differingTerms(before, after).map((d) => `${d.term} (${d.before}; ${d.after})`);
  if (differ.length === 0) return;
  const text = `${before.path} and ${after.path} were measured under different terms: ${differ.join(', ')}`;
  if (!force) throw new Error(`${text}; --force compares them all the same`);
  console.error(`morphmlp: ${text}`);
}

const times = ({ median, low, high }: Ratio): string =>
  `${significant(median, 3)} (${significant(low, 3)}–${significant(high, 3)})`;

function cells({ what, before, after, speed, againstLimit, cpu, againstOthers, verdict }: Compared): string[] {
  const ms = (value: number) => significant(value, 4);
  const known = (ratio: Ratio | null) => (ratio ? times(ratio) : '–');
  return [
    what,
    ms(before),
    ms(after),
    times(speed),
    known(againstLimit),
    known(cpu),
    significant(againstOthers, 3),
    verdict,
  ];
}

const HEAD = [
  '',
  'ms before',
  'ms after',
  'times as fast',
  'against the limit',
  'by CPU time',
  'the median row',
  'verdict',
];
const ALIGN = ['left', 'right', 'right', 'right', 'right', 'right', 'right', 'left'] as const;

/** Machine and commit of a results file, and the share of the processors that other programs used. */
function whenceText({ commit, date, rows }: Results): string {
  const shares = rows.flatMap(({ others }) => others ?? []);
  const busy = shares.length > 0 ? `, others took at most ${percent(Math.max(...shares), 0)} of the processors` : '';
  return `commit ${commit}, ${date}${busy}`;
}

function print({ rows, onlyBefore, onlyAfter, overall }: Comparison, before: Results, after: Results): void {
  console.log(table(rows.map(cells), { head: HEAD, align: ALIGN }));
  const count = (verdict: Ratio['verdict']) => rows.filter((row) => row.verdict === verdict).length;
  console.log(`${count('slower')} slower, ${count('faster')} faster, ${count('no difference')} without a difference`);
  const limit = overall.againstLimit === null ? '' : `, ${significant(overall.againstLimit, 3)} against the limit`;
  console.log(
    `median of all rows: ${significant(overall.speed, 3)} times as fast${limit}; what all share may be the machine`,
  );
  for (const [from, list] of [[before, onlyBefore] as const, [after, onlyAfter] as const])
    for (const what of list) console.log(`only in ${from.path}: ${what}`);
  console.log(`before: ${whenceText(before)}  ·  after: ${whenceText(after)}`);
}

/** Medians of the rows of more than two files. */
function printHistory(all: readonly Results[]): void {
  const of = all.map(({ rows }) => new Map(rows.map((row) => [row.what, significant(median(row.ms), 4)])));
  const names = [...new Set(all.flatMap(({ rows }) => rows.map(({ what }) => what)))];
  const head = ['ms', ...all.map(({ commit, date }) => `${commit} ${date.slice(5, 10)}`)];
  console.log(
    table(
      names.map((what) => [what, ...of.map((file) => file.get(what) ?? '–')]),
      { head },
    ),
  );
  console.log(`from ${all[0]!.path} to ${all.at(-1)!.path}:`);
}

/** Runs `morphmlp bench compare`. */
export function benchCompare(files: readonly string[], given: BenchCompareArguments): void {
  if (files.length < 2) throw new Error(`bench compare: expected two or more results files, got ${files.length}`);
  checkOutputs({ out: given.out, html: given.html });
  const all = files.map(readResults);
  const [before, after] = [all[0]!, all.at(-1)!];
  const comparison = compareResults(before, after);
  for (const later of all.slice(1)) {
    requireSameKind(before, later);
    checkTerms(before, later, given.force ?? false);
  }
  if (all.length > 2) printHistory(all);
  print(comparison, before, after);
  if (given.out) writeFileAtomic(given.out, (write) => write(Buffer.from(`${JSON.stringify(comparison, null, 1)}\n`)));
  if (given.html) writeBenchPage(given.html, all);
  if (given.failAbove === undefined) return;
  const worse = regressions(comparison, given.failAbove);
  for (const { what, slowdown } of worse) console.error(`${pc.red('slower')}  ${what}: ${percent(slowdown)} more time`);
  if (worse.length > 0) process.exitCode = 1;
}
