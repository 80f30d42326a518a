import { closeSync, existsSync, fstatSync, fsyncSync, ftruncateSync, openSync, readFileSync, writeSync } from 'node:fs';

/**
 * One line of a metric log. `step` orders the lines. Kinds: a step, an epoch, a file that could not be read or was read in part, a
 * warning, the time spent so far, and the shares of an epoch that ranks waited for each other.
 */
export interface MetricRecord {
  kind: 'step' | 'epoch' | 'file' | 'warning' | 'time' | 'ranks';
  /** Completed optimizer steps. */
  step: number;
  [name: string]: unknown;
}

const WORDS = new Map<unknown, number>([
  ['NaN', NaN],
  ['Infinity', Infinity],
  ['-Infinity', -Infinity],
]);

/** Encodes NaN and infinities, which JSON lacks, so that the log of a diverged run shows that it diverged. */
function toLine(record: MetricRecord): string {
  const text = JSON.stringify(record, (_, value: unknown) =>
    typeof value === 'number' && !Number.isFinite(value) ? String(value) : value,
  );
  return `${text}\n`;
}

function parseLine(path: string, text: string, number: number): MetricRecord {
  let record: unknown;
  try {
    record = JSON.parse(text, (_, value: unknown) => WORDS.get(value) ?? value);
  } catch {
    throw new Error(`${path}: line ${number} is not JSON: ${text.slice(0, 60)}`);
  }
  if (typeof record === 'object' && record !== null && typeof (record as MetricRecord).step === 'number') {
    return record as MetricRecord;
  }
  throw new Error(`${path}: line ${number}: expected an object with a number "step", got ${text.slice(0, 60)}`);
}

interface Parsed {
  records: MetricRecord[];
  /** Byte offset of the end of each record. */
  ends: number[];
  torn: boolean;
}

function parse(path: string, data: Buffer): Parsed {
  const [records, ends]: [MetricRecord[], number[]] = [[], []];
  let start = 0;
  for (let end = data.indexOf(10); end >= 0; start = end + 1, end = data.indexOf(10, start)) {
    records.push(parseLine(path, data.toString('utf8', start, end), records.length + 1));
    ends.push(end + 1);
  }
  return { records, ends, torn: start < data.length };
}

/**
 * Reads a metric log. A last line without newline, as a killed process leaves it, is skipped and `torn` is true.
 * @throws if another line is not a record, with its number
 */
export function readMetrics(path: string): { records: MetricRecord[]; torn: boolean } {
  const { records, torn } = parse(path, readFileSync(path));
  return { records, torn };
}

/** Truncates a log after its last record with at most `step`, removing torn lines. */
function truncateTo(path: string, fd: number, step: number): void {
  const { records, ends } = parse(path, readFileSync(path));
  const after = records.findIndex((record) => record.step > step);
  const kept = after < 0 ? records.length : after;
  const length = kept > 0 ? (ends[kept - 1] as number) : 0;
  if (length < fstatSync(fd).size) ftruncateSync(fd, length);
}

/**
 * An append-only metric log with one JSON object per line (`metrics.jsonl`). Each record is a single write, so that a killed process leaves
 * at most one torn line.
 */
export class MetricLog {
  private fd: number | null;

  private constructor(readonly path: string) {
    this.fd = openSync(path, 'a');
  }

  /** Creates a log, truncating an existing one. */
  static create(path: string): MetricLog {
    const log = new MetricLog(path);
    ftruncateSync(log.open(), 0);
    return log;
  }

  /** Continues a log after `step`, removing later records of an interrupted run. */
  static resume(path: string, step: number): MetricLog {
    if (!existsSync(path)) return MetricLog.create(path);
    const log = new MetricLog(path);
    truncateTo(path, log.open(), step);
    return log;
  }

  /** Appends a record. */
  append(record: MetricRecord): void {
    writeSync(this.open(), toLine(record));
  }

  /** Flushes to disk and closes; a second call does nothing. */
  close(): void {
    if (this.fd === null) return;
    fsyncSync(this.fd);
    closeSync(this.fd);
    this.fd = null;
  }

  private open(): number {
    if (this.fd === null) throw new Error(`${this.path}: the log is closed`);
    return this.fd;
  }
}
