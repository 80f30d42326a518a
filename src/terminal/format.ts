import Table from 'cli-table3';
import pc from 'picocolors';
import { displayWidth, oneLine, padWidth } from './text_width';

/** A number of things: `1 file`, `2 files`. */
export const amount = (n: number, one: string, several = `${one}s`): string => `${n} ${n === 1 ? one : several}`;

const pad2 = (n: number) => String(n).padStart(2, '0');

/** Formats seconds as 0:05, 1:15 or 1:01:40; non-finite values as --:--. */
export function clock(seconds: number): string {
  if (!Number.isFinite(seconds)) return '--:--';
  const s = Math.max(0, Math.round(seconds));
  const [hours, minutes] = [Math.floor(s / 3600), Math.floor(s / 60) % 60];
  return hours > 0 ? `${hours}:${pad2(minutes)}:${pad2(s % 60)}` : `${minutes}:${pad2(s % 60)}`;
}

/** Formats a time in a video to a tenth of a second: 0:05.0, 1:01:40.5. */
export function clockTime(seconds: number): string {
  const tenths = Math.max(0, Math.round(seconds * 10));
  const [hours, minutes, rest] = [Math.floor(tenths / 36_000), Math.floor(tenths / 600) % 60, tenths % 600];
  const end = `${pad2(Math.floor(rest / 10))}.${rest % 10}`;
  return hours > 0 ? `${hours}:${pad2(minutes)}:${end}` : `${minutes}:${end}`;
}

/** Formats seconds with suitable units and precision: 3.2 µs, 45 ms, 2.35 s, 1 min 15 s, 2 h 05 min, 3 d 4 h. */
export function duration(seconds: number): string {
  if (!Number.isFinite(seconds)) return 'unknown';
  if (seconds < 0) return `-${duration(-seconds)}`;
  if (seconds < 59.95) return shortDuration(seconds);
  const s = Math.round(seconds);
  if (s < 3600) return `${Math.floor(s / 60)} min ${pad2(s % 60)} s`;
  const minutes = Math.round(s / 60);
  if (minutes < 1440) return `${Math.floor(minutes / 60)} h ${pad2(minutes % 60)} min`;
  const hours = Math.round(minutes / 60);
  return `${Math.floor(hours / 24)} d ${hours % 24} h`;
}

function shortDuration(seconds: number): string {
  if (seconds === 0) return '0 s';
  for (const [unit, size] of [
    ['s', 1],
    ['ms', 1e-3],
    ['µs', 1e-6],
  ] as const) {
    if (seconds >= 0.9995 * size) return `${significant(seconds / size, 3)} ${unit}`;
  }
  return `${significant(seconds * 1e9, 3)} ns`;
}

/** Formats a number with `digits` significant digits without an exponent: 1234 stays 1234. */
export function significant(value: number, digits: number): string {
  if (!Number.isFinite(value)) return String(value);
  const before = value === 0 ? 1 : Math.floor(Math.log10(Math.abs(value))) + 1;
  const fixed = value.toFixed(Math.min(100, Math.max(0, digits - before)));
  return fixed.includes('.') ? fixed.replace(/\.?0+$/, '') : fixed;
}

function scaled(value: number, step: number, units: readonly string[], digits: number): string {
  if (!Number.isFinite(value)) return String(value);
  let power = 0;
  for (let rest = Math.abs(value); rest >= step * (1 - 0.5 * 10 ** -digits) && power < units.length - 1; power++)
    rest /= step;
  const text = power === 0 ? significant(value, 6) : (value / step ** power).toFixed(digits);
  return `${text}${units[power]}`;
}

/** Formats a count with two decimals above 10^3: 812, 23.39M, 1.20G. */
export function count(value: number, digits = 2): string {
  return scaled(value, 1000, ['', 'K', 'M', 'G', 'T', 'P'], digits);
}

/** Formats multiply-adds: 66.0 GMACs, 812 MMACs. */
export function macs(value: number): string {
  return `${scaled(value, 1000, [' ', ' K', ' M', ' G', ' T', ' P'], 1)}MACs`;
}

/** Formats bytes in binary units: 512 B, 1.5 KiB, 2.25 GiB. */
export function bytes(value: number): string {
  return scaled(value, 1024, [' B', ' KiB', ' MiB', ' GiB', ' TiB', ' PiB'], 1);
}

/** Formats a fraction in [0, 1] as a percentage: 95.3%. Never rounds to 100% or 0%: 99.97% is shown as 99.9%. */
export function percent(share: number, digits = 1): string {
  if (!Number.isFinite(share)) return '–';
  const step = 10 ** -digits;
  const rounded = Number((share * 100).toFixed(digits));
  const value = rounded >= 100 && share < 1 ? 100 - step : rounded <= 0 && share > 0 ? step : rounded;
  return `${value.toFixed(digits)}%`;
}

/** Formats a ratio: 1.52×, 12.3×, 140×. */
export function ratio(value: number): string {
  return Number.isFinite(value) ? `${significant(value, 3)}×` : '–';
}

/** Options of a table. */
export interface TableOptions {
  head: readonly string[];
  /** Alignment by column; default left for the first, right for the others. */
  align?: readonly ('left' | 'right')[];
  /** The output stream: a terminal gets frames and colours, others plain columns. Default stdout. */
  stream?: { isTTY?: boolean };
}

function alignments({ head, align }: TableOptions): ('left' | 'right')[] {
  return head.map((_, column) => align?.[column] ?? (column === 0 ? 'left' : 'right'));
}

function plainTable(rows: readonly (readonly string[])[], options: TableOptions): string {
  const sides = alignments(options);
  const lines = [options.head, ...rows];
  const widths = sides.map((_, column) => Math.max(...lines.map((line) => displayWidth(line[column] ?? ''))));
  const padded = (text: string, column: number) =>
    padWidth(text, widths[column] as number, sides[column] === 'left' ? 'right' : 'left');
  return lines
    .map((line) =>
      sides
        .map((_, c) => padded(line[c] ?? '', c))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

/** Whether to write colours to a stream: it is a terminal and NO_COLOR is not set. */
export function wantsColor(stream: { isTTY?: boolean }): boolean {
  return Boolean(stream.isTTY) && !process.env['NO_COLOR'] && process.env['TERM'] !== 'dumb';
}

function framedTable(rows: readonly (readonly string[])[], options: TableOptions): string {
  const { bold, dim } = pc.createColors(wantsColor(options.stream ?? process.stdout));
  const rule = (left: string, fill: string, joint: string, right: string) => ({
    left: dim(left),
    mid: dim(fill),
    joint: dim(joint),
    right: dim(right),
  });
  const [top, middle, bottom] = [rule('╭', '─', '┬', '╮'), rule('├', '─', '┼', '┤'), rule('╰', '─', '┴', '╯')];
  const table = new Table({
    head: options.head.map((text) => bold(text)),
    colAligns: alignments(options),
    style: { head: [], border: [], compact: true },
    chars: {
      ...{ top: top.mid, 'top-mid': top.joint, 'top-left': top.left, 'top-right': top.right },
      ...{ mid: middle.mid, 'mid-mid': middle.joint, 'left-mid': middle.left, 'right-mid': middle.right },
      ...{ bottom: bottom.mid, 'bottom-mid': bottom.joint, 'bottom-left': bottom.left, 'bottom-right': bottom.right },
      ...{ left: dim('│'), right: dim('│'), middle: dim('│') },
    },
  });
  for (const row of rows) table.push(options.head.map((_, column) => row[column] ?? ''));
  return table.toString();
}

/** Formats a table: framed on a terminal, plain aligned columns elsewhere, suitable for `awk` and diffs. */
export function table(rows: readonly (readonly (string | number)[])[], options: TableOptions): string {
  const texts = rows.map((row) =>
    row.map((cell) => (typeof cell === 'number' ? String(cell) : cell.replace(/[\r\n\t]+/g, ' '))),
  );
  return (options.stream ?? process.stdout).isTTY ? framedTable(texts, options) : plainTable(texts, options);
}

/**
 * The edit distance with insertions, deletions, substitutions and transpositions of adjacent characters (optimal string alignment). Not
 * from a library, because the usual ones count a transposition, the most common typo, twice.
 */
export function editDistance(a: string, b: string): number {
  let before: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1] ? 0 : 1;
      let best = Math.min((last[j] as number) + 1, (row[j - 1] as number) + 1, (last[j - 1] as number) + same);
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1])
        best = Math.min(best, (before[j - 2] as number) + 1);
      row.push(best);
    }
    [before, last] = [last, row];
  }
  return last[b.length] as number;
}

/** The known word nearest to `word`, or null if more than a third of the letters differ. */
export function nearest(word: string, known: readonly string[]): string | null {
  const fold = (text: string) => text.toLowerCase().replace(/[-_\s]/g, '');
  const ranked = known.map((name) => ({ name, distance: editDistance(fold(word), fold(name)) }));
  const best = ranked.sort((a, b) => a.distance - b.distance)[0];
  if (!best || word === '') return null;
  return best.distance <= Math.max(1, Math.floor(Math.max(word.length, best.name.length) / 3)) ? best.name : null;
}

/** The end of an error message about an unknown word: `; did you mean video-s?`, a short list of known words, or nothing. */
export function didYouMean(word: string, known: readonly string[], listUpTo = 12): string {
  const name = nearest(word, known);
  if (name !== null) return `; did you mean ${oneLine(name)}?`;
  return known.length > 0 && known.length <= listUpTo ? `; known are ${known.join(', ')}` : '';
}
