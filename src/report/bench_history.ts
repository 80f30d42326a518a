/** The history of a benchmark over its results files. */
import { compareResults, differingTerms } from '../bench/compare';
import type { ResultRow, Results } from '../bench/results';
import { median } from '../bench/statistics';
import { significant } from '../terminal/format';
import { html, type Html } from './html';
import { scrollTable } from './parts';
import { plot, type StudyChart, type StudySection } from './study/section';

/** Label of a file: its commit and day. */
const labelOf = ({ commit, date }: Results): string => `${commit} ${date.slice(5, 10)}`.trim();

/** The median over the rows of `op` and `variant` of the speed relative to the first file that has the row; null without one. */
function speedIn(results: Results, first: ReadonlyMap<string, ResultRow>, wanted: (row: ResultRow) => boolean) {
  const speeds = results.rows.filter(wanted).map((row) => median(first.get(row.what)!.ms) / median(row.ms));
  return speeds.length > 0 ? median(speeds) : null;
}

/** The rows of each measurement where it occurs first. */
function firstRows(all: readonly Results[]): Map<string, ResultRow> {
  const first = new Map<string, ResultRow>();
  for (const { rows } of all) for (const row of rows) if (!first.has(row.what)) first.set(row.what, row);
  return first;
}

const MOST = 8;

/** The speed of our rows over the files: a line for each op, or for all ops together if there are many. */
function historyChart(all: readonly Results[]): StudyChart & Record<string, unknown> {
  const first = firstRows(all);
  const ours = [...first.values()].filter(({ variant }) => variant === 'morphmlp');
  const ops = [...new Set((ours.length > 0 ? ours : [...first.values()]).map(({ op }) => op))];
  const isOurs = (row: ResultRow) => ours.length === 0 || row.variant === 'morphmlp';
  const stems = [...new Set(ops.map((op) => op.split(' ')[0]!))];
  const names = ops.length <= MOST ? ops : stems.length <= MOST ? stems : ['all'];
  const belongs = (name: string) => (row: ResultRow) =>
    isOurs(row) && (name === 'all' || row.op === name || row.op.split(' ')[0] === name);
  const series = names.map((name, i) => ({
    ...{ name, color: `--series${i + 1}` },
    values: all.map((results) => speedIn(results, first, belongs(name))),
  }));
  const files = all.map((results) => `${labelOf(results)} · ${results.path}`);
  return {
    ...{ type: 'history', id: 'history', title: 'Speed of our kernels over the files, relative to the first' },
    description: `${all.length} files, from ${files[0]} to ${files.at(-1)}.`,
    ...{ labels: all.map(labelOf), files, series },
    readings: files.map((file, i) => [
      ...[0, i],
      [
        file,
        ...series.flatMap(({ name, values }) => (values[i] === null ? [] : [`${name} ${significant(values[i]!, 3)}`])),
      ].join(', '),
    ]),
  };
}

/** A table of medians by file, with the change from the first file to the last. */
function historyTable(all: readonly Results[]): Html {
  const [before, after] = [all[0]!, all.at(-1)!];
  const changes = new Map(compareResults(before, after).rows.map((row) => [row.what, row]));
  const of = all.map(({ rows }) => new Map(rows.map((row) => [row.what, row])));
  const rows = [...firstRows(all).keys()].map((what) => {
    const change = changes.get(what);
    const cells = of.map((file) => html`<td>${file.has(what) ? significant(median(file.get(what)!.ms), 3) : '–'}</td>`);
    const { median: times = null, low = 0, high = 0 } = change?.speed ?? {};
    return html`<tr>
      <th scope="row" class="long">${what}</th>
      ${cells}
      <td>${times === null ? '–' : `${significant(times, 3)} (${significant(low, 3)}–${significant(high, 3)})`}</td>
      <td class="text">${change?.verdict ?? '–'}</td>
    </tr>`;
  });
  const head = [
    html`<th scope="col">Milliseconds</th>`,
    ...all.map((results) => html`<th scope="col" title="${results.path}">${labelOf(results)}</th>`),
    html`<th scope="col">Last against first</th>
      <th scope="col" class="text">Verdict</th>`,
  ];
  return html`<details class="panel" open>
    <summary>Every row by file</summary>
    ${scrollTable({ label: 'Every row by file', head, rows, tall: true })}
  </details>`;
}

/** Differences in the conditions of measurement, which make files incomparable. */
function termNotes(all: readonly Results[]): Html[] {
  return all.slice(1).flatMap((results) => {
    const differ = differingTerms(all[0]!, results).map((d) => `${d.term} (${d.before}; ${d.after})`);
    if (differ.length === 0) return [];
    return [
      html`<p class="note warn">
        <b>Other conditions</b> ${results.path} differs from ${all[0]!.path} in ${differ.join(', ')}.
      </p>`,
    ];
  });
}

/** The section on the history. @param all at least two files of one benchmark, the newest last */
export function historySection(all: readonly Results[]): StudySection {
  const chart = historyChart(all);
  const legend = (chart.series as { name: string; color: string }[]).map(
    ({ name, color }) => html`<span><i class="swatch c${color}"></i>${name}</span>`,
  );
  const body = html`${termNotes(all)}${plot(chart, legend)}${historyTable(all)}
    <p class="muted note">
      The files were measured at different times: a change that all rows share may be one of the machine. A verdict
      needs the times, those relative to the limit and the processor’s time to agree.
    </p>`;
  return { id: 'history-files', name: 'History', body, charts: [chart] };
}
