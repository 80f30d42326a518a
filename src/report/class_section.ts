import { percent } from '../terminal/format';
import { confusionChart } from './charts';
import { html, type Html } from './html';
import { scrollTable } from './parts';
import { checkpointText, figure, type Section } from './sections';
import type { ReportEvaluation, RunReport } from './types';

/** The largest number of classes shown as a table; more are drawn as a heat map. */
const TABLE_CLASSES = 24;
const PAIRS = 10;

const sum = (row: readonly number[]) => row.reduce((a, b) => a + b, 0);

function matrixCell(n: number, total: number, correct: boolean): Html {
  const share = total > 0 ? n / total : 0;
  const kind = n === 0 ? 'zero' : `${correct ? 'right' : 'wrong'}${share > 0.55 ? ' strong' : ''}`;
  return html`<td class="${kind}" style="--share:${share.toFixed(3)}">${n === 0 ? '·' : n}</td>`;
}

function matrixTable(confusion: ReportEvaluation['confusion'], names: readonly string[]): Html {
  const rows = confusion.map(
    (row, truth) =>
      html`<tr>
        <th scope="row" title="${names[truth]}"><span>${names[truth]}</span></th>
        ${row.map((n, predicted) => matrixCell(n, sum(row), predicted === truth))}
      </tr>`,
  );
  const head = names.map((name) => html`<th scope="col" title="${name}"><span>${name}</span></th>`);
  return html`<figure class="panel">
    <figcaption>
      <h3>Confusion matrix</h3>
      <span class="muted">rows: true class · columns: predicted</span>
    </figcaption>
    ${scrollTable({ label: 'Confusion matrix', head: [html`<td></td>`, ...head], rows, style: 'matrix' })}
  </figure>`;
}

interface ClassRow {
  name: string;
  clips: number;
  accuracy: number;
  /** The class with which it is most often confused, and how often. */
  other: { name: string; clips: number } | null;
}

function classRows(confusion: ReportEvaluation['confusion'], names: readonly string[]): ClassRow[] {
  return confusion.map((row, truth) => {
    const clips = sum(row);
    const others = row.map((n, i) => ({ name: names[i] ?? '', clips: i === truth ? 0 : n }));
    const other = others.reduce((best, o) => (o.clips > best.clips ? o : best), { name: '', clips: 0 });
    return {
      name: names[truth] ?? '',
      clips,
      accuracy: clips > 0 ? (row[truth] ?? 0) / clips : NaN,
      other: other.clips > 0 ? other : null,
    };
  });
}

const sortable = (name: string, kind: 'text' | 'number', order = 'none') =>
  html`<th scope="col" aria-sort="${order}"><button type="button" data-sort="${kind}">${name}</button></th>`;

function classTable(rows: readonly ClassRow[], className: string): Html {
  const worstFirst = [...rows].sort(
    (a, b) => (Number.isNaN(a.accuracy) ? 2 : a.accuracy) - (Number.isNaN(b.accuracy) ? 2 : b.accuracy),
  );
  const bar = (share: number) =>
    html`<span class="meter" aria-hidden="true"><i style="width:${(share * 100).toFixed(1)}%"></i></span>`;
  const lines = worstFirst.map(
    ({ name, clips, accuracy, other }) =>
      html`<tr>
        <th scope="row" class="long">${name}</th>
        <td data-value="${clips}">${clips}</td>
        <td data-value="${Number.isNaN(accuracy) ? 2 : accuracy}" class="metered">
          ${percent(accuracy)}${!Number.isNaN(accuracy) && bar(accuracy)}
        </td>
        <td class="text long">${other ? `${other.name} (${other.clips})` : '–'}</td>
      </tr>`,
  );
  const head = [
    ...[sortable('Class', 'text'), sortable('Clips', 'number'), sortable('Accuracy', 'number', 'ascending')],
    html`<th scope="col" class="text">Most often taken for</th>`,
  ];
  return html`<figure class="panel ${className}">
    <figcaption>
      <h3>Accuracy by class</h3>
      <span class="muted">click a heading to sort</span>
    </figcaption>
    ${scrollTable({ label: 'Accuracy by class', head, rows: lines, sortable: true })}
  </figure>`;
}

function pairTable(confusion: ReportEvaluation['confusion'], names: readonly string[]): Html {
  const pairs = confusion.flatMap((row, truth) =>
    row.flatMap((n, predicted) => (n > 0 && predicted !== truth ? [{ truth, predicted, n, share: n / sum(row) }] : [])),
  );
  const worst = pairs.sort((a, b) => b.n - a.n || b.share - a.share).slice(0, PAIRS);
  const rows = worst.map(
    ({ truth, predicted, n, share }) =>
      html`<tr>
        <th scope="row" class="long">${names[truth]}</th>
        <td class="text long">${names[predicted]}</td>
        <td>${n}</td>
        <td>${percent(share)}</td>
      </tr>`,
  );
  const head = html`<th scope="col">True class</th>
    <th scope="col" class="text">Taken for</th>
    <th scope="col">Clips</th>
    <th scope="col">Of its class</th>`;
  return html`<figure class="panel">
    <figcaption><h3>Pairs most often confused</h3></figcaption>
    ${scrollTable({ label: 'Pairs most often confused', head, rows })}
  </figure>`;
}

/** Confusion matrix and accuracy by class; null if nothing was evaluated. */
export function classes(report: RunReport): Section | null {
  const { evaluation, classNames } = report;
  if (!evaluation) return null;
  const { confusion } = evaluation;
  const small = classNames.length <= TABLE_CLASSES;
  const chart = small ? null : confusionChart(confusion, classNames);
  const matrix = chart ? html`${figure(chart)}${pairTable(confusion, classNames)}` : matrixTable(confusion, classNames);
  const body = html`<p class="muted">
      ${[checkpointText(report), `${evaluation.clips} clips`].filter(Boolean).join(', ')}
    </p>
    <div class="grid two">${matrix}${classTable(classRows(confusion, classNames), small ? '' : 'whole')}</div>`;
  return { id: 'classes', name: 'Classes', body, charts: chart ? [chart] : [] };
}
