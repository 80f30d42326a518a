import { amount, bytes, count, duration, percent, significant } from '../terminal/format';
import { checkpointEpoch, type ChartSpec, type CurveChart } from './charts';
import { html, renderPage, type Html } from './html';
import { card, foldedTable, scrollTable, wrapSection } from './parts';
import type { ConfigValue, Facts, ReportEvaluation, RunReport } from './types';

/** A section of the page with its charts. */
export interface Section {
  id: string;
  name: string;
  body: Html;
  charts?: ChartSpec[];
}

/** Renders a page of sections. @param reloadAfter see `Page` */
export function renderSections(
  title: string,
  header: Html,
  sections: readonly Section[],
  reloadAfter?: number,
): string {
  return renderPage({
    title: `${title} · MorphMLP`,
    sections,
    header,
    body: html`${sections.map(wrapSection)}`,
    charts: sections.flatMap((s) => s.charts ?? []),
    ...(reloadAfter === undefined ? {} : { reloadAfter }),
  });
}

/** Names the checkpoint that figures are of. */
export function checkpointText(report: RunReport): string {
  const best = checkpointEpoch(report);
  const file = report.checkpoint?.file.split(/[\\/]/).at(-1);
  return [file, best && `epoch ${best.epoch} of ${report.epochs.length}`].filter(Boolean).join(', ');
}

const missedText = (missed: number | undefined): string =>
  missed ? `${amount(missed, 'clip')} could not be read` : '';

const joined = (...texts: string[]): string => texts.filter((text) => text !== '').join(', ');

/** What the measures of a run are called. */
function measureNames({ model }: RunReport) {
  return model.task === 'segment'
    ? { first: 'Mean IoU', trained: 'Training pixel accuracy', second: 'Pixel accuracy', of: 'pictures' }
    : { first: 'Accuracy', trained: 'Training accuracy', second: 'Top 5', of: 'clips' };
}

/** Whether the second measure is shown: top 5 of few classes says nothing. */
const hasSecond = ({ model, classNames }: RunReport): boolean => model.task === 'segment' || classNames.length > 10;

function accuracyCard(report: RunReport): Html {
  const { evaluation } = report;
  const { first, of } = measureNames(report);
  const best = checkpointEpoch(report);
  if (best && best.valTop1 !== null) {
    const what = joined('validation', checkpointText(report), missedText(best.valMissed));
    return card(`Best ${first === 'Accuracy' ? 'accuracy' : first}`, percent(best.valTop1), what, true);
  }
  if (evaluation) return card(first, percent(evaluation.top1), `of ${evaluation.clips} ${of}`, true);
  return card(first, '–', 'not validated', true);
}

function lossCard(report: RunReport): Html {
  const best = checkpointEpoch(report) ?? report.epochs.at(-1);
  const val = best ? best.valLoss : (report.evaluation?.loss ?? null);
  const train = best ? `${significant(best.trainLoss, 3)} in training, epoch ${best.epoch}` : 'no epoch done';
  return card('Validation loss', val === null ? '–' : significant(val, 3), train);
}

function timeCard({ seconds, epochs }: RunReport): Html {
  const each = epochs.length > 0 ? epochs.reduce((sum, e) => sum + e.seconds, 0) / epochs.length : NaN;
  return card('Time', duration(seconds), epochs.length > 0 ? `${duration(each)} an epoch of training` : '');
}

function viewsText(evaluation: ReportEvaluation | null): string {
  const views = evaluation?.views ? evaluation.views.clips * evaluation.views.crops : 1;
  return views > 1 ? `a view; ${views} views a clip` : 'a forward pass';
}

/** The cards at the top and the run's warnings. */
export function summary(report: RunReport): Section {
  const { model, evaluation } = report;
  const { second, of } = measureNames(report);
  const top5 =
    evaluation &&
    hasSecond(report) &&
    card(second, percent(evaluation.top5), `of ${evaluation.clips.toLocaleString('en')} ${of}`);
  const warnings = (report.warnings ?? []).map((text) => html`<p class="note warn"><b>Warning</b> ${text}</p>`);
  const late =
    !evaluation && report.checkpoint && checkpointEpoch(report)?.valTop1 !== null
      ? html`<p class="muted">
          The tables of ${checkpointText(report)} follow when the run is finished: it was validated before the run was
          resumed.
        </p>`
      : null;
  const cards = html`${accuracyCard(report)}${top5}${lossCard(report)}${card('Parameters', count(model.parameters), 'weights and biases')}
  ${card('Multiply-adds', count(model.macs), viewsText(evaluation))}${timeCard(report)}`;
  return {
    id: 'summary',
    name: 'Summary',
    body: html`<dl class="cards">${cards}</dl>
      ${warnings}${late}`,
  };
}

/** The element of a chart with its legend and description. */
export function figure(chart: ChartSpec, className = ''): Html {
  const legend =
    chart.type === 'curves' && chart.curves.length > 1
      ? chart.curves.map(
          ({ name, color }) =>
            html`<button type="button" class="key" data-chart="${chart.id}" data-curve="${name}" aria-pressed="true">
              <i class="swatch c${color}"></i>${name}
            </button>`,
        )
      : [];
  const log =
    chart.type === 'curves' && chart.logScale
      ? html`<button type="button" class="switch" data-log="${chart.id}" aria-pressed="false">log scale</button>`
      : null;
  const note = html`<span class="muted">blue: right · red: wrong · stronger: more of the class</span>`;
  const keys = chart.type === 'curves' ? ' Use the left and right arrow keys to read values.' : '';
  return html`<figure class="panel ${className}">
    <figcaption>
      <h3 id="${chart.id}-title">${chart.title}</h3>
      ${chart.type === 'heat' ? note : html`<span class="keys">${legend}${log}</span>`}
    </figcaption>
    <div
      class="plot ${chart.type}"
      id="chart-${chart.id}"
      role="img"
      tabindex="0"
      aria-labelledby="${chart.id}-title"
      aria-describedby="${chart.id}-text"
    ></div>
    <p class="hidden" id="${chart.id}-text">${chart.description}${keys}</p>
  </figure>`;
}

const cell = (value: number | null | undefined, format: (v: number) => string) =>
  html`<td>${value === null || value === undefined || Number.isNaN(value) ? '–' : format(value)}</td>`;

function epochTable(report: RunReport): Html {
  const best = checkpointEpoch(report);
  const top5 = hasSecond(report);
  const { first, trained, second } = measureNames(report);
  const rows = report.epochs.map(
    (e) =>
      html`<tr class="${e === best ? 'best' : ''}">
        <th scope="row">${e.epoch}${e === best && ' · best'}</th>
        ${cell(e.trainLoss, (v) => v.toFixed(4))}${cell(e.valLoss, (v) => v.toFixed(4))}${cell(e.trainTop1, percent)}
        ${cell(e.valTop1, (v) => joined(percent(v), missedText(e.valMissed)))}${top5 && cell(e.valTop5, percent)}${cell(e.learningRate, (v) => v.toExponential(2))}
        ${cell(e.seconds, duration)}
      </tr>`,
  );
  const head = [
    'Epoch',
    'Training loss',
    'Validation loss',
    trained,
    first === 'Accuracy' ? 'Validation accuracy' : `Validation ${first}`,
    ...(top5 ? [second] : []),
    'Learning rate',
    'Time',
  ];
  const headings = head.map((name) => html`<th scope="col">${name}</th>`);
  return foldedTable('All epochs as a table', 'All epochs', headings, rows);
}

const PARTS = [
  ['data', 'Waiting for data'],
  ['forward', 'Forward'],
  ['backward', 'Backward'],
  ['optimizer', 'Optimiser'],
  ['ranks', 'Waiting for other ranks'],
] as const;

function advice(share: number): string {
  if (share < 0.05) return 'Data is not what limits this run.';
  if (share < 0.25) return 'Some time is lost waiting for data; more workers may help.';
  return 'Much of the time is spent waiting for data: more workers, packed clips or a smaller source size will speed the run up.';
}

function timePanel({ shares, steps }: RunReport): Html | null {
  const ms = (key: (typeof PARTS)[number][0]) => shares[key] ?? 0;
  const total = PARTS.reduce((sum, [key]) => sum + ms(key), 0);
  if (!(total > 0)) return null;
  const of = (key: (typeof PARTS)[number][0]) => ms(key) / total;
  const bar = PARTS.map(([key]) => html`<i class="part ${key}" style="width:${(of(key) * 100).toFixed(2)}%"></i>`);
  const each = steps.at(-1)?.step;
  const perStep = (ms: number) => (each ? html`<td>${duration(ms / 1000 / each)}</td>` : null);
  const asOne = shares.backward === 0; // a replayed graph contains forward and backward
  const shown = PARTS.filter(([key]) => (key === 'backward' ? !asOne : key !== 'ranks' || ms(key) > 0));
  const rows = shown.map(
    ([key, name]) =>
      html`<tr>
        <th scope="row">
          <i class="swatch part ${key}"></i>${asOne && key === 'forward' ? 'Forward and backward' : name}
        </th>
        <td>${percent(of(key))}</td>
        <td>${duration(ms(key) / 1000)}</td>
        ${perStep(ms(key))}
      </tr>`,
  );
  const head = html`<th scope="col">Part of a step</th>
    <th scope="col">Share</th>
    <th scope="col">In all</th>
    ${each && html`<th scope="col">A step</th>`}`;
  return html`<figure class="panel">
    <figcaption><h3>Where the time goes</h3></figcaption>
    <div class="parts" aria-hidden="true">${bar}</div>
    ${scrollTable({ label: 'Where the time goes', head, rows })}
    <p class="muted">${advice(of('data'))}</p>
  </figure>`;
}

/** Curves, the table of epochs and the breakdown of time. */
export function training(report: RunReport, charts: CurveChart[]): Section {
  const figures = charts.map((chart) => figure(chart));
  const none = html`<p class="panel muted">The run ended before its first step.</p>`;
  const body = html`<div class="grid two">${figures.length > 0 ? figures : none}${timePanel(report)}</div>
    ${report.epochs.length > 0 && epochTable(report)}`;
  return { id: 'training', name: 'Training', body, charts };
}

/** A table of names and values. */
export function factsTable(facts: Facts): Html {
  const text = (name: string, value: string | number) =>
    typeof value === 'string' ? value : name === 'bytes' ? bytes(value) : value.toLocaleString('en');
  const rows = Object.entries(facts).map(
    ([name, value]) =>
      html`<tr>
        <th scope="row">${name}</th>
        <td class="text">${text(name, value)}</td>
      </tr>`,
  );
  return html`<table class="facts">
    <tbody>
      ${rows}
    </tbody>
  </table>`;
}

/** A table of files, folded if there are many. */
export function filesTable(title: string, label: string, files: RunReport['skipped']): Html {
  const rows = files.map(
    ({ name, reason }) =>
      html`<tr>
        <th scope="row" class="path">${name}</th>
        <td class="text">${reason}</td>
      </tr>`,
  );
  const head = html`<th scope="col">File</th>
    <th scope="col">Reason</th>`;
  return html`<details class="panel" ${{ markup: files.length <= 20 ? 'open' : '' }}>
    <summary>${title}</summary>
    ${scrollTable({ label, head, rows, style: 'facts', tall: true })}
  </details>`;
}

/** `1 file was skipped`, `3 files were skipped`. */
export const counted = (files: RunReport['skipped'], one: string, several: string): string =>
  files.length === 1 ? `1 file ${one}` : `${files.length} files ${several}`;

function filesText({ skipped, damaged = [], status, epochs }: RunReport): Html {
  const lost = counted(skipped, 'was skipped', 'were skipped');
  const cut = counted(damaged, 'was read in part', 'were read in part');
  const whole = status === 'finished' || epochs.length > 0;
  const none = whole ? 'Every file could be read.' : 'No file that cannot be read was found so far.';
  return html`${skipped.length > 0 ? filesTable(lost, 'Skipped files', skipped) : html`<p class="muted">${none}</p>`}
  ${damaged.length > 0 && filesTable(cut, 'Files read in part', damaged)}`;
}

/** The manifests of the data, and the files that could not be read, or only in part. */
export function data(report: RunReport): Section {
  const { train, val } = report.data;
  const panel = (name: string, facts: Facts) =>
    html`<div class="panel">
      <h3>${name}</h3>
      ${factsTable(facts)}
    </div>`;
  const body = html`<div class="grid two">${panel('Training', train)}${val && panel('Validation', val)}</div>
    ${filesText(report)}`;
  return { id: 'data', name: 'Data', body };
}

/** Lists the leaves of a configuration as `a.b.c` with their values. */
function flatten(value: ConfigValue, name = ''): [string, string][] {
  if (value === null || typeof value !== 'object') return [[name, String(value)]];
  if (Array.isArray(value)) return [[name, JSON.stringify(value)]];
  const entries = Object.entries(value);
  if (entries.length === 0) return name ? [[name, '{}']] : [];
  return entries.flatMap(([key, inner]) => flatten(inner as ConfigValue, name ? `${name}.${key}` : key));
}

/** The command that repeats what the page shows, with a button that copies it. */
export function commandPanel(command: string): Html {
  return html`<div class="panel">
    <h3 id="command-title">Command</h3>
    <div class="command">
      <code id="command" tabindex="0" aria-labelledby="command-title">${command}</code
      ><button type="button" data-copy="command">Copy</button>
    </div>
  </div>`;
}

/** How to reproduce the run: command, configuration, versions and files. */
export function setup({ command, config, versions, files }: RunReport): Section {
  const body = html`${command !== undefined && commandPanel(command)}
    <div class="grid two">
      <div class="panel">
        <h3>Configuration</h3>
        ${factsTable(Object.fromEntries(flatten(config)))}
      </div>
      <div class="stack">
        <div class="panel">
          <h3>Versions</h3>
          ${factsTable(versions)}
        </div>
        ${
          files &&
          html`<div class="panel">
            <h3>Files</h3>
            ${factsTable(files)}
          </div>`
        }
      </div>
    </div>`;
  return { id: 'setup', name: 'Set-up', body };
}
