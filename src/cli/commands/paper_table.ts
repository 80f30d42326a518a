import type { NetworkTime, PaperRow } from '../../bench/paper/measure';
import { TITLES } from '../../bench/paper/tables';
import { percent, significant, table } from '../../terminal/format';
import { speedText } from './kernel_table';

/** Relative difference (ours − paper) / paper; a dash if the paper has no figure. */
function difference(ours: number, paper: number | null): string {
  if (paper === null) return '–';
  const share = ours / paper - 1;
  return `${share < 0 ? '-' : '+'}${percent(Math.abs(share))}`;
}

const giga = (value: number): string => value.toFixed(value < 20 ? 2 : 1);

function counts({ name, params, macs, views, paper }: PaperRow, viewed: boolean): string[] {
  const [millions, all] = [params / 1e6, (macs / 1e9) * views.crops * views.clips];
  return [
    ...[name, `${millions.toFixed(2)}M`],
    ...(viewed ? [] : [paper.params === null ? '–' : `${paper.params}M`, difference(millions, paper.params)]),
    ...(viewed ? [giga(macs / 1e9)] : []),
    ...[giga(all), paper.gmacs === null ? '–' : String(paper.gmacs), difference(all, paper.gmacs)],
  ];
}

function times({ speed, ...time }: NetworkTime, viewed: boolean, compared: boolean): string[] {
  return [
    ...[String(time.batch), time.median.toFixed(1), `${time.q1.toFixed(1)}–${time.q3.toFixed(1)}`],
    significant(time.viewsPerSecond, 3),
    ...(viewed ? [significant(time.clipsPerSecond, 3)] : []),
    ...[time.gflops.toFixed(0), percent(time.shareOfPeak, 0), time.error.toExponential(1)],
    ...(compared ? [speed ? speedText(speed) : '1'] : []),
  ];
}

function headOf(viewed: boolean, timed: boolean, compared: boolean): string[] {
  const counted = viewed
    ? ['frames x crops x clips', 'parameters', 'GMACs a view', 'all views', 'paper', 'difference']
    : ['network', 'parameters', 'paper', 'difference', 'GMACs', 'paper', 'difference'];
  if (!timed) return counted;
  const rates = viewed ? ['views/s', 'clips/s'] : ['images/s'];
  const speed = compared ? ['times as fast'] : [];
  return [...counted, 'batch', 'ms', 'middle half', ...rates, 'GFLOP/s', 'of FMA peak', 'error', ...speed];
}

/** Prints one table of the paper with our results, and notes on its rows. */
function printTable(rows: readonly PaperRow[]): void {
  const number = rows[0]!.table;
  const [viewed, compared, timed] = [number >= 3 && number <= 5, number >= 8, rows.some(({ time }) => time !== null)];
  const lines = rows.map((row) => [...counts(row, viewed), ...(row.time ? times(row.time, viewed, compared) : [])]);
  console.log(`table ${number}: ${TITLES[number]}`);
  console.log(table(lines, { head: headOf(viewed, timed, compared) }));
  for (const { name, note } of rows) if (note) console.log(`${name}: ${note}`);
}

/** Prints rows, table by table. */
export function printTables(rows: readonly PaperRow[]): void {
  const numbers = [...new Set(rows.map((row) => row.table))];
  numbers.forEach((number, i) => {
    if (i > 0) console.log('');
    printTable(rows.filter((row) => row.table === number));
  });
}
