import pc from 'picocolors';
import { hideCursor, showCursor } from './cursor';
import { clock, percent, significant, wantsColor } from './format';
import { displayWidth, fitWidth, oneLine } from './text_width';

/** Called as work proceeds: the amount done, the total and the current activity. */
export type OnProgress = (done: number, total: number, activity: string) => void;

/** The output of a progress bar: process.stderr, or a substitute in tests. */
export interface ProgressStream {
  isTTY?: boolean;
  columns?: number;
  write(text: string): unknown;
}

/** Options of a progress bar. */
export interface ProgressOptions {
  label: string;
  /** The total amount of work; 0 if unknown. */
  total: number;
  /** Work of the same kind that follows this bar's, which the remaining time includes. Default 0. */
  beyond?: number;
  stream?: ProgressStream;
  /** Milliseconds before the bar appears. Default 0. */
  delay?: number;
  /** Clock in milliseconds, replaceable in tests. */
  now?: () => number;
}

/**
 * Figures after the bar: texts, or named values. `loss`, `accuracy` (a fraction in [0, 1]), `learningRate` and `clipsPerSecond` have their
 * own formats, others are shown as `name value`; undefined and null are omitted.
 */
export type ProgressFields = readonly string[] | { readonly [name: string]: number | string | null | undefined };

const REDRAW_MS = 100;
const PLAIN_MS = 10_000;
const PLAIN_LEAST_MS = 2_000;
const PLAIN_SHARE = 0.1;
const RATE_WINDOW_MS = 20_000;
const BAR = { least: 8, most: 32 };

/** Formats a value in about five characters, so that a redrawn line does not jump. */
function fixedDigits(value: number): string {
  if (!Number.isFinite(value)) return String(value);
  const size = Math.abs(value);
  if (size !== 0 && (size < 1e-3 || size >= 1e5)) return value.toExponential(2);
  return value.toFixed(size >= 100 ? 1 : size >= 10 ? 2 : 3);
}

const FORMATS: Record<string, (value: number) => string> = {
  loss: (value) => `loss ${fixedDigits(value)}`,
  accuracy: (value) => `acc ${percent(value)}`,
  learningRate: (value) => `lr ${value.toPrecision(3)}`,
  clipsPerSecond: (value) => `${significant(value, 3)} clips/s`,
};

function fieldTexts(fields: ProgressFields): string[] {
  if (Array.isArray(fields)) return fields.map(String);
  return Object.entries(fields).flatMap(([name, value]) => {
    if (value === null || value === undefined) return [];
    if (typeof value === 'string') return [`${name} ${value}`];
    return [FORMATS[name]?.(value) ?? `${name} ${significant(value, 4)}`];
  });
}

/** The rate over the last seconds, so that the estimated time adapts to changes of speed. */
class Rate {
  private samples: { time: number; done: number }[] = [];

  constructor(time: number) {
    this.restart(time, 0);
  }

  restart(time: number, done: number): void {
    this.samples = [{ time, done }];
  }

  add(time: number, done: number): void {
    const newest = this.samples.at(-1);
    if (newest && this.samples.length > 1 && time - newest.time < REDRAW_MS) this.samples.pop();
    this.samples.push({ time, done });
    while (this.samples.length > 2 && time - (this.samples[1]?.time ?? time) > RATE_WINDOW_MS) this.samples.shift();
  }

  /** Units per second; 0 if unknown. */
  get perSecond(): number {
    const [first, last] = [this.samples[0], this.samples.at(-1)];
    if (!first || !last || last.time <= first.time) return 0;
    return ((last.done - first.done) / (last.time - first.time)) * 1000;
  }
}

/**
 * A one-line progress bar. On a terminal it is redrawn in place at most ten times per second and never wider than the terminal; elsewhere
 * (a log, CI) a plain line is written every ten seconds or every tenth of the work, at most one in two seconds. The cursor is hidden while
 * a bar is drawn, and restored by `finish`, at exit and on Ctrl-C.
 */
export class Progress {
  private readonly stream: ProgressStream;
  private readonly now: () => number;
  private readonly started: number;
  private readonly live: boolean;
  private readonly rate: Rate;
  private drawnAt = -Infinity;
  private drawnShare = 0;
  private drawn = '';
  private done = 0;

  constructor(private readonly options: ProgressOptions) {
    this.stream = options.stream ?? process.stderr;
    this.now = options.now ?? (() => performance.now());
    this.started = this.now();
    this.live = Boolean(this.stream.isTTY) && process.env['TERM'] !== 'dumb';
    this.rate = new Rate(this.started);
    if (!this.live) this.drawnAt = this.started;
  }

  /** Sets the amount already done (a resumed epoch), so that rate and remaining time are correct. */
  startAt(done: number): void {
    this.done = done;
    this.drawnShare = this.share(done);
    this.rate.restart(this.now(), done);
  }

  /** Shows `done` of the total and further figures. Cheap enough to call at every step. */
  update(done: number, fields: ProgressFields = []): void {
    const now = this.now();
    this.done = done;
    this.rate.add(now, done);
    if (!this.due(now, this.share(done))) return;
    this.drawnAt = now;
    this.drawnShare = this.share(done);
    if (this.live) this.draw(this.liveLine(done, fieldTexts(fields).map(oneLine)));
    else this.stream.write(`${this.plainLine(done, fieldTexts(fields).map(oneLine))}\n`);
  }

  /** Advances by one. */
  tick(fields: ProgressFields = []): void {
    this.update(this.done + 1, fields);
  }

  /** Writes a line above the bar. */
  log(text: string): void {
    const { drawn } = this;
    this.erase();
    this.stream.write(`${text}\n`);
    if (drawn) this.draw(drawn);
  }

  /** Removes the bar, restores the cursor and writes `text`, if given, in its place. */
  finish(text?: string): void {
    this.erase();
    showCursor(this.stream);
    if (text) this.stream.write(`${text}\n`);
  }

  private share(done: number): number {
    return this.options.total > 0 ? Math.min(1, Math.max(0, done / this.options.total)) : 0;
  }

  private due(now: number, share: number): boolean {
    if (now - this.started < (this.options.delay ?? 0)) return false;
    const since = now - this.drawnAt;
    if (this.live) return since >= REDRAW_MS || (share === 1 && this.drawnShare < 1);
    return since >= PLAIN_MS || (since >= PLAIN_LEAST_MS && share - this.drawnShare >= PLAIN_SHARE - 1e-9);
  }

  private draw(line: string): void {
    hideCursor(this.stream);
    this.stream.write(`\r${line}\x1b[K`);
    this.drawn = line;
  }

  private erase(): void {
    if (this.drawn) this.stream.write('\r\x1b[K');
    this.drawn = '';
  }

  private tail(done: number): string[] {
    const { total, beyond = 0 } = this.options;
    const { perSecond } = this.rate;
    if (total <= 0) return perSecond > 0 ? [`${significant(perSecond, 3)}/s`] : [];
    const left = total + beyond - done;
    return perSecond > 0 && left > 0 ? [`${clock(left / perSecond)} left`] : [];
  }

  private head(done: number): string {
    const { total } = this.options;
    return total > 0 ? `${String(Math.floor(this.share(done) * 100)).padStart(3)}%` : String(done);
  }

  private plainLine(done: number, fields: readonly string[]): string {
    return [oneLine(this.options.label), this.head(done), ...fields, ...this.rateText(fields), ...this.tail(done)].join(
      '  ',
    );
  }

  /** The bar's own rate, if no field contains one. */
  private rateText(fields: readonly string[]): string[] {
    const { perSecond } = this.rate;
    const hasRate = fields.some((text) => text.endsWith('/s')) || this.options.total <= 0;
    if (hasRate || perSecond <= 0) return [];
    return [perSecond >= 1 ? `${significant(perSecond, 3)}/s` : `${significant(1 / perSecond, 3)} s each`];
  }

  /** Fits the line to the terminal: drops figures from the last, then the bar, then the end of the label. */
  private liveLine(done: number, fields: readonly string[]): string {
    const room = Math.max(1, (this.stream.columns || 80) - 1);
    const [label, head, tail] = [oneLine(this.options.label), this.head(done), this.tail(done)];
    const wished = [...fields, ...this.rateText(fields)];
    for (let kept = wished.length; kept >= 0; kept--) {
      const behind = [head, ...wished.slice(0, kept), ...tail];
      const free = room - displayWidth([label, '', ...behind].join('  '));
      if (free >= BAR.least) return this.colored(label, Math.min(BAR.most, free), done, behind);
    }
    return fitWidth([label, head, ...tail].join('  '), room);
  }

  private colored(label: string, width: number, done: number, behind: readonly string[]): string {
    const { cyan, dim } = pc.createColors(wantsColor(this.stream));
    const [full, rest] = process.env['TERM'] === 'linux' ? ['#', '-'] : ['━', '─'];
    const filled = this.options.total > 0 ? Math.floor(this.share(done) * width + 1e-9) : 0;
    const bar = cyan(full.repeat(filled)) + dim(rest.repeat(width - filled));
    const last = behind.length - 1;
    const texts = behind.map((text, i) => (i === last && i > 0 ? dim(text) : text));
    return [label, bar, ...texts].join('  ');
  }
}

/**
 * Runs `work` with a bar that appears after two seconds and is removed when `work` ends or throws.
 * @returns what `work` returns
 */
export async function withProgress<T>(
  options: ProgressOptions,
  work: (progress: Progress) => T | Promise<T>,
): Promise<T> {
  const progress = new Progress({ delay: 2000, ...options });
  try {
    return await work(progress);
  } finally {
    progress.finish();
  }
}
