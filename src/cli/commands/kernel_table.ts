import path from 'node:path';
import pc from 'picocolors';
import type { Failure } from '../../bench/kernels/protocol';
import type { KernelRow } from '../../bench/kernels/measure';
import { openCounters } from '../../bench/perf';
import { QUIET_SHARE } from '../../bench/cpu_contention';
import { sizesText } from '../../bench/kernels/stages';
import type { Ratio } from '../../bench/statistics';
import { OURS, wgmmaUnavailable } from '../../bench/kernels/variant';
import { native, type Device, type Precision } from '../../core/native';
import { percent, significant, table } from '../../terminal/format';

const HEAD = ['op', 'stage', '', 'variant', 'cache', 'ms', 'middle half', 'GFLOP/s', 'GB/s', 'of limit', 'error'];
const ALIGN = ['left', 'right', 'left', 'left', 'left', 'right', 'right', 'right', 'right', 'right', 'right'] as const;

/** A ratio with its interval, or 'no difference'. */
export function speedText({ median, low, high, verdict }: Ratio): string {
  const times = significant(median, 3);
  return verdict === 'no difference'
    ? `${times} (no difference)`
    : `${times} (${significant(low, 3)}–${significant(high, 3)})`;
}

/** Milliseconds; below 1 ms with three digits. */
const inMs = (ms: number): string => (ms < 1 ? significant(ms, 3) : ms.toFixed(2));

/** The name of a row's variant, with its rounds if they are fewer than `most`. */
function variantText({ variant, ms }: KernelRow, most: number): string {
  if (ms.length === most) return variant;
  return `${variant}, ${ms.length} ${ms.length === 1 ? 'round' : 'rounds'}`;
}

/** Speedup over ours; of a single round without an interval. */
function besideOurs({ variant, speed, ms }: KernelRow): string {
  if (!speed) return variant === OURS.name ? '1' : '–';
  return ms.length === 1 ? significant(speed.median, 3) : speedText(speed);
}

function cells(row: KernelRow, several: boolean, most: number): (string | number)[] {
  return [
    ...[row.sizes ? `${row.op}, ${sizesText(row.sizes)}` : row.op, row.stage, row.direction, variantText(row, most)],
    ...[row.launch ? `${row.cache}, ${row.launch}` : row.cache],
    ...[inMs(row.median), `${inMs(row.q1)}–${inMs(row.q3)}`],
    ...[row.gflops === 0 ? '–' : significant(row.gflops, 3), significant(row.gbs, 3)],
    ...[`${percent(row.shareOfLimit, 0)} ${row.limit}`, row.error === null ? 'unverified' : row.error.toExponential(1)],
    ...(several ? [besideOurs(row)] : []),
  ];
}

/** Groups rows by op, stage, direction and regime, the fastest first. */
function ranked(rows: readonly KernelRow[]): KernelRow[] {
  const key = (r: KernelRow) => [r.op, r.stage, r.shape, r.direction, r.cache, r.launch].join(' ');
  const groups = new Map<string, KernelRow[]>();
  for (const row of rows) groups.set(key(row), [...(groups.get(key(row)) ?? []), row]);
  return [...groups.values()].flatMap((group) => [...group].sort((a, b) => a.median - b.median));
}

/** Prints the results; several variants are ranked, with their speed relative to ours and their compiler flags. */
export function printRows(rows: readonly KernelRow[]): void {
  const flags = new Map(rows.map((r) => [r.variant, r.flags]));
  const several = flags.size > 1;
  const most = Math.max(...rows.map(({ ms }) => ms.length));
  const [head, align] = several
    ? [
        [...HEAD, 'times as fast'],
        [...ALIGN, 'right' as const],
      ]
    : [HEAD, [...ALIGN]];
  console.log(
    table(
      ranked(rows).map((row) => cells(row, several, most)),
      { head, align },
    ),
  );
  if (several) for (const [variant, text] of flags) console.log(`${variant}: ${text}`);
}

/** Largest share of the processors that other programs used during the measurement, and whether it matters. */
export function othersText(rows: readonly KernelRow[]): string {
  const most = Math.max(...rows.map(({ others }) => others));
  const text = `others took at most ${percent(most, 0)} of the processors' time beside an op`;
  return most > QUIET_SHARE ? `${text}: the machine was busy, and times and shares of limits say little` : text;
}

/** Counts for each multiply-add, or why there are none. */
export function printCounts(rows: readonly KernelRow[]): void {
  const counted = rows.filter((row) => row.counts);
  if (counted.length === 0) {
    const opened = openCounters();
    native.perfClose();
    const why = typeof opened === 'string' ? opened : 'no row was counted';
    console.log(`no hardware counters: ${why}`);
    return;
  }
  const cells = ranked(counted).map(({ counts, ...row }) => {
    const products = (row.gflops * row.median * 1e6) / 2;
    const each = (count: number) => (products > 0 ? significant(count / products, 3) : '–');
    const { instructions, cycles, cacheMisses } = counts!;
    const perCycle = significant(instructions / cycles, 3);
    return [
      row.op,
      row.stage,
      row.direction,
      row.variant,
      each(instructions),
      each(cycles),
      perCycle,
      cacheMisses.toFixed(0),
    ];
  });
  const head = [
    'op',
    'stage',
    '',
    'variant',
    'instructions a multiply-add',
    'cycles',
    'instructions a cycle',
    'cache misses',
  ];
  console.log(table(cells, { head }));
}

/** Prints the kernels that failed, and sets exit status 1 if there are any. */
export function printFailures(failures: readonly Failure[]): void {
  for (const { plugin, at, problem } of failures)
    console.error(`${pc.red('failed')}  ${path.basename(plugin)}${at && ` (${at})`}: ${problem}`);
  if (failures.length > 0) process.exitCode = 1;
}

/** Libraries to compare our products with on a GPU, the ops they cover, and the reason if one is unavailable. */
const BESIDE: ({ name: string; why: () => string | undefined } & Record<Precision, string[]>)[] = [
  { name: 'cuBLASLt', f32: ['linear', 'morph_fc', 'temporal_fc'], bf16: [], why: () => native.cudaBlas() },
  { name: 'wgmma', f32: [], bf16: ['linear'], why: wgmmaUnavailable },
];

/** Prints why there are no rows of cuBLASLt or wgmma for ops that they cover. */
export function printMissing(rows: readonly KernelRow[], on: { device: Device; precision: Precision }): void {
  if (on.device !== 'cuda') return;
  for (const { name, why, ...ops } of BESIDE) {
    const couldBe = rows.some(({ op }) => ops[on.precision].includes(op.split(' ')[0]!));
    if (couldBe && !rows.some(({ variant }) => variant === name)) console.log(`no rows of ${name}: ${why()}`);
  }
}
