import { percent } from '../terminal/format';
import { classMetrics, confusedPairs, type ClassMetrics } from '../train/class_metrics';
import { confusionChart } from './charts';
import { html, type Html } from './html';
import { scrollTable } from './parts';
import { figure, type Section } from './sections';
import type { ReportEvaluation } from './types';

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

interface ClassRow extends ClassMetrics {
  name: string;
  /** The class with which it is most often confused, and how often. */
  other: { name: string; clips: number } | null;
}

function classRows(confusion: ReportEvaluation['confusion'], names: readonly string[]): ClassRow[] {
  const measures = classMetrics(confusion);
  return confusion.map((row, truth) => {
    const others = row.map((n, i) => ({ name: names[i] ?? '', clips: i === truth ? 0 : n }));
    const other = others.reduce((best, o) => (o.clips > best.clips ? o : best), { name: '', clips: 0 });
    return { name: names[truth] ?? '', ...measures[truth]!, other: other.clips > 0 ? other : null };
  });
}

const sortable = (name: string, kind: 'text' | 'number', order = 'none') =>
  html`<th scope="col" aria-sort="${order}"><button type="button" data-sort="${kind}">${name}</button></th>`;

/** A measure; unknown ones sort behind all others. */
const measure = (value: number | null): Html =>
  html`<td data-value="${value ?? 2}">${value === null ? '–' : percent(value)}</td>`;

function classTable(rows: readonly ClassRow[], whole: boolean): Html {
  const worstFirst = [...rows].sort((a, b) => (a.recall ?? 2) - (b.recall ?? 2));
  const bar = (share: number) =>
    html`<span class="meter" aria-hidden="true"><i style="width:${(share * 100).toFixed(1)}%"></i></span>`;
  const lines = worstFirst.map(
    ({ name, clips, recall, precision, f1, other }) =>
      html`<tr>
        <th scope="row" class="long">${name}</th>
        <td data-value="${clips}">${clips === 0 ? 'no clips' : clips}</td>
        <td data-value="${recall ?? 2}" class="metered">
          ${recall === null ? '–' : html`${percent(recall)}${whole && bar(recall)}`}
        </td>
        ${measure(precision)}${measure(f1)}
        <td class="text long">${other ? `${other.name} (${other.clips})` : '–'}</td>
      </tr>`,
  );
  const head = [
    ...[sortable('Class', 'text'), sortable('Clips', 'number'), sortable('Accuracy', 'number', 'ascending')],
    ...[sortable('Precision', 'number'), sortable('F1', 'number')],
    html`<th scope="col" class="text">Often taken for</th>`,
  ];
  return html`<figure class="panel ${whole && 'whole'}">
    <figcaption>
      <h3>Accuracy by class</h3>
      <span class="muted">the accuracy of a class is its recall · click a heading to sort</span>
    </figcaption>
    ${scrollTable({ label: 'Accuracy by class', head, rows: lines, sortable: true })}
  </figure>`;
}

function pairTable(confusion: ReportEvaluation['confusion'], names: readonly string[]): Html {
  const rows = confusedPairs(confusion, PAIRS).map(
    ({ truth, predicted, clips, share }) =>
      html`<tr>
        <th scope="row" class="long">${names[truth]}</th>
        <td class="text long">${names[predicted]}</td>
        <td>${clips}</td>
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

/** Throws if class numbers or the confusion matrix do not match the class names: rows would have wrong names. */
export function checkEvaluation({ confusion, mistakes }: ReportEvaluation, classNames: readonly string[]): void {
  const k = classNames.length;
  const odd = confusion.find((row) => row.length !== k);
  if (confusion.length !== k || odd) {
    throw new Error(
      `report: expected a confusion matrix of ${k} × ${k} for ${k} class names, got ${confusion.length} × ${(odd ?? confusion[0] ?? []).length}`,
    );
  }
  for (const { clip, predicted } of mistakes) {
    const wrong = [clip.label, predicted].find((c) => !Number.isInteger(c) || c < 0 || c >= k);
    if (wrong !== undefined) throw new Error(`report: ${clip.path}: expected a class below ${k}, got ${wrong}`);
  }
}

/**
 * Confusion matrix and measures of each class.
 * @param of names the checkpoint
 */
export function classes(evaluation: ReportEvaluation, classNames: readonly string[], of: string): Section {
  const { confusion } = evaluation;
  const small = classNames.length <= TABLE_CLASSES;
  const chart = small ? null : confusionChart(confusion, classNames);
  const matrix = chart ? html`${figure(chart)}${pairTable(confusion, classNames)}` : matrixTable(confusion, classNames);
  const body = html`<p class="muted">${[of, `${evaluation.clips} clips`].filter(Boolean).join(', ')}</p>
    <div class="grid two">${matrix}${classTable(classRows(confusion, classNames), !small)}</div>`;
  return { id: 'classes', name: 'Classes', body, charts: chart ? [chart] : [] };
}
