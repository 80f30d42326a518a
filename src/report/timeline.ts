/** The classes of a video over its time, as a picture and as a page. */
import { writeFileAtomic } from '../formats/atomic';
import { amount, clockTime, percent } from '../terminal/format';
import { asset, html, renderPage, type Html } from './html';
import { identityList, scrollTable, wrapSection } from './parts';

/** Rows of classes, each with a colour of palette.css; the other classes share the last. */
const ROWS = 8;

/** Columns of the picture: a long video has several windows in one. */
const COLUMNS = 480;

/** Segments listed on the page. */
const MOST_SEGMENTS = 500;

/** Neighbouring windows with the same most probable class. */
export interface TimelineSegment {
  label: string;
  /** Seconds. */
  start: number;
  end: number;
  windows: number;
  /** Mean probability of the class in its windows. */
  probability: number;
}

/** What a timeline is of. */
export interface TimelineOptions {
  /** The video. */
  name: string;
  classNames: readonly string[];
  /** Number of windows. */
  windows: number;
  /** Seconds. */
  duration: number;
}

/** A class in the picture. */
interface Row {
  label: string;
  color: string;
  /** Mean probability in each column. */
  values: number[];
}

/**
 * Collects the scores of the windows of a video. Its memory depends on the number of classes and segments, not on that of windows.
 */
export class TimelineData {
  readonly segments: TimelineSegment[] = [];
  /** Sums of probabilities [column][class], and windows in each column. */
  private readonly sums: Float64Array[];
  private readonly counts: Int32Array;
  /** Windows of each class in which it is the most probable. */
  private readonly wins: Int32Array;
  /** Start of the first window and end of the last, in seconds. */
  private from = 0;
  private to = 0;

  constructor(readonly options: TimelineOptions) {
    const columns = Math.min(COLUMNS, options.windows);
    this.sums = Array.from({ length: columns }, () => new Float64Array(options.classNames.length));
    this.counts = new Int32Array(columns);
    this.wins = new Int32Array(options.classNames.length);
  }

  /** Adds window `index` of `options.windows`, in order, with the probabilities of its classes. */
  add(index: number, { start, end }: { start: number; end: number }, probabilities: Float32Array): void {
    const column = Math.floor((index * this.sums.length) / this.options.windows);
    this.counts[column]! += 1;
    probabilities.forEach((p, c) => (this.sums[column]![c]! += p));
    const best = probabilities.indexOf(probabilities.reduce((a, b) => Math.max(a, b)));
    this.wins[best]! += 1;
    if (index === 0) this.from = start;
    this.to = end;
    this.extend(this.options.classNames[best]!, start, end, probabilities[best]!);
  }

  private extend(label: string, start: number, end: number, probability: number): void {
    const last = this.segments.at(-1);
    if (last?.label !== label) {
      if (last && last.end > start) last.end = start; // windows overlap: the later one has the time
      this.segments.push({ label, start, end, windows: 1, probability });
      return;
    }
    last.probability += (probability - last.probability) / ++last.windows;
    last.end = end;
  }

  /** Times of the picture's ends, in seconds. */
  get span(): { from: number; to: number } {
    return { from: this.from, to: this.to };
  }

  /** The classes that are most probable somewhere, most windows first. */
  get rows(): Row[] {
    const { classNames } = this.options;
    const order = classNames.map((_, c) => c).filter((c) => this.wins[c]! > 0);
    order.sort((a, b) => this.wins[b]! - this.wins[a]!);
    return order.slice(0, ROWS).map((c, i) => ({
      label: classNames[c]!,
      color: `--series${i + 1}`,
      values: this.sums.map((sums, column) => sums[c]! / this.counts[column]!),
    }));
  }

  /** Classes that are most probable somewhere and have no row. */
  get others(): number {
    return Math.max(0, this.wins.filter((n) => n > 0).length - ROWS);
  }

  /** Colour of the most probable class of each column. */
  best(rows: readonly Row[]): string[] {
    const { classNames } = this.options;
    const colors = new Map(rows.map(({ label, color }) => [label, color]));
    return this.sums.map((sums) => colors.get(classNames[sums.indexOf(Math.max(...sums))]!) ?? '--rest');
  }
}

/** A piece of a strip: columns `from` to `to` (exclusive). */
interface Piece {
  from: number;
  to: number;
  color: string;
  opacity: number;
}

/** Merges neighbouring columns that look the same; opacities have twenty steps. */
function pieces(columns: readonly { color: string; opacity: number }[]): Piece[] {
  const found: Piece[] = [];
  columns.forEach(({ color, opacity }, i) => {
    const rounded = Math.round(opacity * 20) / 20;
    const last = found.at(-1);
    if (last && last.color === color && last.opacity === rounded) last.to = i + 1;
    else found.push({ from: i, to: i + 1, color, opacity: rounded });
  });
  return found.filter(({ opacity }) => opacity > 0);
}

const rowPieces = ({ values, color }: Row): Piece[] => pieces(values.map((opacity) => ({ color, opacity })));
const bestPieces = (data: TimelineData, rows: readonly Row[]): Piece[] =>
  pieces(data.best(rows).map((color) => ({ color, opacity: 1 })));

/** Times of the marks of an axis over `from` to `to` seconds: the ends, and whole steps between. */
function ticks(from: number, to: number): number[] {
  const steps = [0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14_400];
  const step = steps.find((s) => (to - from) / s <= 8) ?? 28_800;
  const inner: number[] = [];
  for (let t = Math.ceil(from / step) * step; t < to; t += step)
    if (t - from > step * 0.6 && to - t > step * 0.6) inner.push(t);
  return [from, ...inner, to];
}

const part = (value: number, { from, to }: { from: number; to: number }): number =>
  to > from ? (value - from) / (to - from) : 0;

const WIDTH = 960;
const LABELS = 200;
const ROW = 28;

function rects(found: readonly Piece[], columns: number, top: number, height: number): Html[] {
  const unit = (WIDTH - LABELS) / columns;
  return found.map(
    ({ from, to, color, opacity }) =>
      html`<rect
        x="${(LABELS + from * unit).toFixed(2)}"
        y="${top}"
        width="${((to - from) * unit).toFixed(2)}"
        height="${height}"
        fill="var(${color})"
        fill-opacity="${opacity}"
      />`,
  );
}

/** Colours of the picture that palette.css lacks. */
const SVG_STYLE = `
:root { --ground: #ffffff; --text: #16191f; --muted: #5c6573; --faint: #eef0f3; }
@media (prefers-color-scheme: dark) { :root { --ground: #161a20; --text: #e7eaef; --muted: #98a3b3; --faint: #1e242c; } }
text { font: 13px system-ui, 'Liberation Sans', Arial, sans-serif; fill: var(--text); }
.muted { fill: var(--muted); }`;

const fitted = (label: string): string => (label.length > 26 ? `${label.slice(0, 25)}…` : label);

/** The timeline as an SVG file: a strip of the most probable class, and one of each class with its probability as opacity. */
export function timelineSvg(data: TimelineData): string {
  const rows = data.rows;
  const columns = rows[0]!.values.length;
  const lines = [
    { label: 'top class', found: bestPieces(data, rows) },
    ...rows.map((row) => ({ label: row.label, found: rowPieces(row) })),
  ];
  const height = 40 + lines.length * ROW + 26;
  const body = lines.map(({ label, found }, i) => {
    const top = 34 + i * ROW;
    return html`<text x="${LABELS - 12}" y="${top + 15}" text-anchor="end" class="${i === 0 && 'muted'}">
        ${fitted(label)}
      </text>
      <rect x="${LABELS}" y="${top}" width="${WIDTH - LABELS}" height="${ROW - 6}" fill="var(--faint)" />
      ${rects(found, columns, top, ROW - 6)}`;
  });
  const { span } = data;
  const marks = ticks(span.from, span.to).map((time, i, all) => {
    const anchor = i === 0 ? 'start' : i === all.length - 1 ? 'end' : 'middle';
    const x = LABELS + part(time, span) * (WIDTH - LABELS);
    return html`<text class="muted" x="${x.toFixed(1)}" y="${height - 10}" text-anchor="${anchor}">
      ${clockTime(time)}
    </text>`;
  });
  return html`<svg xmlns="http://www.w3.org/2000/svg" viewBox="-16 0 ${WIDTH + 32} ${height}" role="img">
    <title>${data.options.name}: classes over time</title>
    <style>
      ${{ markup: `${asset('palette.css')}${SVG_STYLE}` }}
    </style>
    <rect x="-16" width="${WIDTH + 32}" height="${height}" fill="var(--ground)" />
    <text x="0" y="20">${data.options.name}</text>
    ${body}${marks}
  </svg>`.markup;
}

/** A strip that stretches to the width of its place. */
function strip(found: readonly Piece[], columns: number, best: boolean): Html {
  const all = found.map(
    ({ from, to, color, opacity }) =>
      html`<rect x="${from}" width="${to - from}" height="1" fill="var(${color})" fill-opacity="${opacity}" />`,
  );
  return html`<svg
    class="strip${best && ' best'}"
    viewBox="0 0 ${columns} 1"
    preserveAspectRatio="none"
    aria-hidden="true"
    shape-rendering="crispEdges"
  >
    ${all}
  </svg>`;
}

function picture(data: TimelineData): Html {
  const { rows, span, others } = data;
  const columns = rows[0]!.values.length;
  const lines = rows.map(
    (row) =>
      html`<span class="name" title="${row.label}"><i class="swatch c${row.color}"></i>${row.label}</span>${strip(
          rowPieces(row),
          columns,
          false,
        )}`,
  );
  const marks = ticks(span.from, span.to).map(
    (time, i, all) =>
      html`<span class="${i === all.length - 1 && 'end'}" style="left:${(part(time, span) * 100).toFixed(2)}%"
        >${clockTime(time)}</span
      >`,
  );
  return html`<figure class="panel">
    <figcaption>
      <h3>Classes over time</h3>
      <span class="muted">stronger: more probable</span>
    </figcaption>
    <div class="timeline">
      <span class="name muted">top class</span>${strip(bestPieces(data, rows), columns, true)}${lines}
      <div class="axis" aria-hidden="true">${marks}</div>
    </div>
    ${
      others > 0 &&
      html`<p class="muted">
        <i class="swatch c--rest"></i>${amount(others, 'more class', 'more classes')} without a row
      </p>`
    }
  </figure>`;
}

function segmentTable({ segments }: TimelineData): Html {
  const rows = segments.slice(0, MOST_SEGMENTS).map(
    ({ label, start, end, windows, probability }) =>
      html`<tr>
        <th scope="row" class="time">${clockTime(start)} – ${clockTime(end)}</th>
        <td class="text long">${label}</td>
        <td>${percent(probability)}</td>
        <td>${windows}</td>
      </tr>`,
  );
  const head = html`<th scope="col">Time</th>
    <th scope="col" class="text">Most probable class</th>
    <th scope="col">Mean probability</th>
    <th scope="col">Windows</th>`;
  const more = segments.length - rows.length;
  return html`<div class="panel">
    ${scrollTable({ label: 'Segments', head, rows, tall: true })}
    ${more > 0 && html`<p class="muted">${amount(more, 'more segment')}: the csv has them all.</p>`}
  </div>`;
}

/** The timeline as a self-contained page. @param checkpoint the weights */
export function timelinePage(data: TimelineData, checkpoint: string): string {
  const { name, windows, duration } = data.options;
  const sections = [
    { id: 'timeline', name: 'Timeline', body: picture(data) },
    { id: 'segments', name: 'Segments', body: segmentTable(data) },
  ];
  const facts = {
    Model: checkpoint,
    Video: `${clockTime(duration)} · ${amount(windows, 'window')} · ${amount(data.segments.length, 'segment')}`,
  };
  return renderPage({
    title: `${name} · MorphMLP`,
    sections,
    header: html`<p class="over">MorphMLP · classes over time</p>
      <h1>${name}</h1>
      ${identityList(facts)}`,
    body: html`${sections.map(wrapSection)}`,
    charts: [],
    styles: ['palette.css', 'timeline.css'],
  });
}

/** Writes a timeline atomically: a picture, or a page if the name ends in .html. */
export function writeTimeline(file: string, data: TimelineData, checkpoint: string): void {
  const text = /\.html$/i.test(file) ? timelinePage(data, checkpoint) : timelineSvg(data);
  writeFileAtomic(file, (write) => write(Buffer.from(text, 'utf8')));
}
