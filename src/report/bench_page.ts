/** The page of benchmarks (`bench kernels|models --html`, `bench compare --html`): limits, ranking and history. */
import { QUIET_SHARE } from '../bench/cpu_contention';
import type { Rates, ResultRow, Results } from '../bench/results';
import { median, ratio, spread, type Ratio } from '../bench/statistics';
import { writeFileAtomic } from '../formats/atomic';
import { amount, percent, significant } from '../terminal/format';
import { historySection } from './bench_history';
import { html, renderPage, type Html } from './html';
import { card, identityList, scrollTable, wrapSection } from './parts';
import { plot, type StudyChart, type StudySection } from './study/section';

const OURS = 'morphmlp';

const ms = (value: number): string => `${significant(value, 3)} ms`;

/** Colours of palette.css by variant: ours has the first. */
export function colorsOf(variants: readonly string[]): Map<string, string> {
  const order = [...new Set([...variants.filter((name) => name === OURS), ...variants])];
  return new Map(order.map((name, i) => [name, i < 8 ? `--series${i + 1}` : '--rest']));
}

const swatch = (color: string): Html => html`<i class="swatch c${color}"></i>`;

/** Multiply-adds a byte; null if the row does none or its bytes are unknown. */
const intensityOf = ({ gflops, gbs }: Rates): number | null => (gbs && gflops > 0 ? gflops / gbs / 2 : null);

/** Rows of the same work. The first is ours, else the fastest. */
interface Group {
  of: string;
  op: string;
  rows: ResultRow[];
}

function groupsOf(rows: readonly ResultRow[]): Group[] {
  const groups = new Map<string, Group>();
  for (const row of rows) {
    const group = groups.get(row.of) ?? { of: row.of, op: row.op, rows: [] };
    group.rows.push(row);
    groups.set(row.of, group);
  }
  return [...groups.values()];
}

/** The speedup over ours, with its interval; null for ours, and where ours is absent. */
function speedOf(row: ResultRow, { rows }: Group): Ratio | null {
  const ours = rows.find(({ variant }) => variant === OURS);
  if (!ours || ours === row) return null;
  return row.speed ?? ratio(ours.ms.slice(0, row.ms.length), row.ms);
}

function speedText(row: ResultRow, group: Group): string {
  const speed = speedOf(row, group);
  if (!speed) return row.variant === OURS ? '1' : '–';
  const times = significant(speed.median, 3);
  if (row.ms.length === 1) return times;
  const interval = `${significant(speed.low, 3)}–${significant(speed.high, 3)}`;
  return `${times} (${interval})${speed.verdict === 'no difference' ? ', no difference' : ''}`;
}

function summary(results: Results, groups: readonly Group[]): Html {
  const ours = results.rows.filter(({ variant }) => variant === OURS);
  const shares = ours.flatMap(({ rates }) => rates?.share ?? []);
  const limits = results.rows.find(({ rates }) => rates?.limits)?.rates?.limits;
  const contested = groups.filter(({ rows }) => rows.length > 1);
  const won = contested.filter(
    ({ rows }) => [...rows].sort((a, b) => median(a.ms) - median(b.ms))[0]!.variant === OURS,
  );
  return html`<dl class="cards">
    ${card('Measurements', String(results.rows.length), `of ${amount(groups.length, 'shape and direction', 'shapes and directions')}`, true)}
    ${shares.length > 0 && card('Of the limit', percent(median(shares), 0), `median of ours; least ${percent(Math.min(...shares), 0)}`)}
    ${limits && card('Machine', `${significant(limits.gflops, 3)} GFLOP/s`, `and ${significant(limits.gbs, 3)} GB/s, measured alongside`)}
    ${contested.length > 0 && card('Ours is fastest', `${won.length} of ${contested.length}`, 'by the median, of those with others beside it')}
  </dl>`;
}

/** A note if other programs used the processors. */
function busyNote({ rows }: Results): Html | null {
  const others = Math.max(0, ...rows.flatMap((row) => row.others ?? []));
  if (others <= QUIET_SHARE) return null;
  return html`<p class="note warn">
    <b>Busy</b> Other programs used up to ${percent(others, 0)} of the processors: times and shares of limits say
    little.
  </p>`;
}

const factsOf = (row: ResultRow, rates: Rates): [string, string][] => [
  ['variant', row.variant],
  ['time', ms(median(row.ms))],
  ['GFLOP/s', significant(rates.gflops, 3)],
  ...(rates.gbs === null ? [] : [['GB/s', significant(rates.gbs, 3)] as [string, string]]),
  ['of its limit', `${percent(rates.share, 0)} (${rates.limit})`],
];

/** Shares of the limit by intensity; null without rows that have both. */
function limitChart(
  rows: readonly ResultRow[],
  colors: Map<string, string>,
): (StudyChart & Record<string, unknown>) | null {
  const points = rows.flatMap((row) => {
    const intensity = row.rates && intensityOf(row.rates);
    return row.rates && intensity ? [{ row, intensity, rates: row.rates }] : [];
  });
  if (points.length === 0) return null;
  const all = points.map(({ intensity }) => intensity);
  const limits = points.find(({ rates }) => rates.limits)?.rates.limits;
  const ridge = limits ? limits.gflops / limits.gbs / 2 : null;
  const series = [...colors].map(([name, color]) => ({
    ...{ name, color },
    points: points
      .filter(({ row }) => row.variant === name)
      .map(({ row, intensity, rates }) => ({
        ...{ name: row.of, intensity, share: rates.share, backward: / backward /.test(row.of) },
        facts: factsOf(row, rates),
      })),
  }));
  const readings = series.flatMap(({ name, points: own }, s) =>
    own.map((p, i) => [
      ...[s, i],
      `${p.name}, ${name}: ${significant(p.intensity, 3)} multiply-adds a byte, ${percent(p.share, 0)} of the limit`,
    ]),
  );
  return {
    ...{ type: 'limits', id: 'limits', title: 'Every kernel under the limit of the machine' },
    description: `Shares of the limit from ${percent(Math.min(...points.map((p) => p.rates.share)), 0)} to ${percent(Math.max(...points.map((p) => p.rates.share)), 0)}, by arithmetic intensity.`,
    range: [Math.min(...all, ridge ?? Infinity) / 1.6, Math.max(...all, ridge ?? 0) * 1.6],
    top: Math.max(1.1, Math.ceil(10 * Math.max(...points.map((p) => p.rates.share))) / 10),
    ...{ ridge, series, readings },
  };
}

/** A bar whose length is the speed relative to the fastest, with the middle half of the rounds on it. */
function speedBar({ ms: rounds }: ResultRow, fastest: number, color: string): Html {
  const { median: middle, q1, q3 } = spread(rounds);
  const at = (time: number) => Math.min(100, (90 * fastest) / time);
  const percents = (value: number) => `${value.toFixed(2)}%`;
  return html`<span class="time" aria-hidden="true"
    ><i class="c${color}" style="left:0;width:${percents(at(middle))}"></i
    ><b style="left:${percents(at(q3))};width:${percents(at(q1) - at(q3))}"></b
  ></span>`;
}

function rankedRows(group: Group, colors: Map<string, string>): Html[] {
  const fastest = Math.min(...group.rows.map((row) => median(row.ms)));
  const sorted = [...group.rows].sort((a, b) => median(a.ms) - median(b.ms));
  return sorted.map((row) => {
    const { q1, q3 } = spread(row.ms);
    const color = colors.get(row.variant)!;
    const { rates } = row;
    return html`<tr>
      <th scope="row"><span class="named">${swatch(color)}${row.variant}</span></th>
      <td>${speedBar(row, fastest, color)}</td>
      <td>${ms(median(row.ms))}</td>
      <td>${significant(q1, 3)}–${significant(q3, 3)}</td>
      <td>${rates ? significant(rates.gflops, 3) : '–'}</td>
      <td>${rates ? `${percent(rates.share, 0)} ${rates.limit}` : '–'}</td>
      <td>${speedText(row, group)}</td>
    </tr>`;
  });
}

const HEAD = ['Variant', '', 'Median', 'Middle half', 'GFLOP/s', 'Of limit', 'Times as fast as ours'];

/** The ranking of an op: its shapes and directions, the fastest variant of each first. */
function rankingOf(op: string, groups: readonly Group[], colors: Map<string, string>, open: boolean): Html {
  const rows = groups.map(
    (group) =>
      html`<tr class="group">
          <th scope="rowgroup" colspan="${HEAD.length}"><span>${group.of}</span></th>
        </tr>
        ${rankedRows(group, colors)}`,
  );
  const head = HEAD.map((name, i) => html`<th scope="col" class="${i < 2 && 'text'}">${name}</th>`);
  return html`<details class="panel" ${open && html`open`}>
    <summary>${op}</summary>
    ${scrollTable({ label: `Ranking of ${op}`, head, rows })}
  </details>`;
}

function rankingSection(groups: readonly Group[], colors: Map<string, string>): StudySection {
  const ops = [...new Set(groups.map(({ op }) => op))];
  const body = html`<p class="muted note">
      A bar is the speed by the median; the mark on it spans the middle half of the rounds. Speedups are medians over
      rounds in which all variants take turns, with a 95% interval; if it contains 1, there is no difference.
    </p>
    <div class="ops">
      ${ops.map((op, i) =>
        rankingOf(
          op,
          groups.filter((group) => group.op === op),
          colors,
          i === 0,
        ),
      )}
    </div>`;
  return { id: 'ranking', name: 'Ranking', body };
}

function flagList(rows: readonly ResultRow[]): Html | null {
  const flags = new Map(rows.filter((row) => row.flags !== '').map((row) => [row.variant, row.flags]));
  if (flags.size === 0) return null;
  return html`<details class="panel">
    <summary>Versions, settings and flags</summary>
    ${identityList(Object.fromEntries(flags))}
  </details>`;
}

/** Renders the page. @param all results files of one benchmark, the newest last: it is ranked, and all are its history */
export function renderBenchPage(all: readonly Results[], failures: readonly string[] = []): string {
  const last = all.at(-1)!;
  const groups = groupsOf(last.rows);
  const colors = colorsOf(last.rows.map(({ variant }) => variant));
  const chart = limitChart(last.rows, colors);
  const legend = [...colors].map(([name, color]) => html`<span>${swatch(color)}${name}</span>`);
  const shapes = html`<span>● forward</span><span>◆ backward</span>`;
  const failed = failures.map((text) => html`<p class="note warn"><b>Failed</b> ${text}</p>`);
  const sections: StudySection[] = [
    { id: 'summary', name: 'Summary', body: html`${summary(last, groups)}${busyNote(last)}${failed}` },
    ...(chart ? [{ id: 'roofline', name: 'Roofline', body: plot(chart, [...legend, shapes]), charts: [chart] }] : []),
    rankingSection(groups, colors),
    ...(all.length > 1 ? [historySection(all)] : []),
    {
      id: 'terms',
      name: 'Conditions',
      body: html`<div class="panel">${identityList(Object.fromEntries(last.terms))}</div>
        ${flagList(last.rows)}`,
    },
  ];
  return renderPage({
    title: `bench ${last.kind} · MorphMLP`,
    sections,
    header: html`<p class="over">MorphMLP · benchmark</p>
      <h1>bench ${last.kind}</h1>
      <p class="sub">
        <span>commit ${last.commit}</span><span>${last.date.slice(0, 10)}</span><span>${last.path}</span>
      </p>`,
    body: html`${sections.map(wrapSection)}`,
    charts: sections.flatMap((section) => section.charts ?? []),
    scripts: ['bench.js'],
    styles: ['palette.css', 'bench.css'],
  });
}

/** Writes the page atomically. */
export function writeBenchPage(file: string, all: readonly Results[], failures: readonly string[] = []): void {
  writeFileAtomic(file, (write) => write(Buffer.from(renderBenchPage(all, failures), 'utf8')));
}
