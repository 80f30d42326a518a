import pc from 'picocolors';

/** What a bar writes to: process.stderr, or a stand-in. */
export interface ProgressStream {
  isTTY?: boolean;
  columns?: number;
  write(text: string): unknown;
}

/** Options of a bar. */
export interface ProgressOptions {
  label: string;
  total: number;
  stream?: ProgressStream;
  /** Milliseconds, for tests. */
  now?: () => number;
}

const REDRAW_MS = 100;
const PLAIN_MS = 10_000;
const WIDTH = 24;

/** 75 s as 1:15, 3700 s as 1:01:40. */
export function clock(seconds: number): string {
  const s = Math.max(0, Math.round(seconds));
  const pad = (n: number) => String(n).padStart(2, '0');
  const [hours, minutes] = [Math.floor(s / 3600), Math.floor(s / 60) % 60];
  return hours > 0 ? `${hours}:${pad(minutes)}:${pad(s % 60)}` : `${minutes}:${pad(s % 60)}`;
}

/**
 * A progress bar on one line: redrawn in place at most ten times a second on a terminal; elsewhere a plain line every ten
 * seconds, so that a log stays readable.
 */
export class Progress {
  private readonly stream: ProgressStream;
  private readonly now: () => number;
  private readonly started: number;
  private first = 0;
  private drawn = -Infinity;

  constructor(private readonly options: ProgressOptions) {
    this.stream = options.stream ?? process.stderr;
    this.now = options.now ?? (() => performance.now());
    this.started = this.now();
    if (!this.stream.isTTY) this.drawn = this.started;
  }

  /** Counts from here when work was done before (a resumed epoch), so that the time left is right. */
  startAt(done: number): void {
    this.first = done;
  }

  /** Shows `done` of the total with some figures behind. */
  update(done: number, fields: readonly string[] = []): void {
    const now = this.now();
    const due = now - this.drawn >= (this.stream.isTTY ? REDRAW_MS : PLAIN_MS);
    if (!due && done < this.options.total) return;
    if (!this.stream.isTTY && !due) return;
    this.drawn = now;
    const line = this.line(done, fields);
    this.stream.write(this.stream.isTTY ? `\r\x1b[2K${line}` : `${line}\n`);
  }

  /** Removes the bar and writes `text` (a line of its own) in its place. */
  finish(text?: string): void {
    if (this.stream.isTTY) this.stream.write('\r\x1b[2K');
    if (text) this.stream.write(`${text}\n`);
  }

  private line(done: number, fields: readonly string[]): string {
    const { label, total } = this.options;
    const share = total > 0 ? Math.min(1, done / total) : 1;
    const rate = (done - this.first) / ((this.now() - this.started) / 1000);
    const left = rate > 0 ? `${clock((total - done) / rate)} left` : '';
    const percent = `${String(Math.floor(share * 100)).padStart(3)}%`;
    const text = [label, percent, ...fields, left].filter(Boolean);
    if (!this.stream.isTTY) return text.join('  ');
    const bar = '█'.repeat(Math.round(share * WIDTH)).padEnd(WIDTH, '░');
    const plain = [label, bar, ...text.slice(1)].join(' ').slice(0, (this.stream.columns ?? 80) - 1);
    return plain.replace(bar, pc.cyan(bar));
  }
}
