/** Compares runs: their results, the settings that differ, and their curves on one page. */
import path from 'node:path';
import { writeFileAtomic } from '../formats/atomic';
import { amount, count, duration, percent } from '../terminal/format';
import type { Curve, CurveChart, Point, ValueKind } from './charts';
import { html, renderPage, type Html } from './html';
import { scrollTable, wrapSection } from './parts';
import type { RunFolder } from './run_folder';
import { figure, type Section } from './sections';
import type { EpochPoint } from './types';

/** Colours of palette.css. */
const COLORS = 8;

/** Results of a run. Accuracies are in [0, 1]; unknown figures are null. */
export interface RunResult {
  name: string;
  folder: string;
  status: RunFolder['status'];
  model: string | null;
  parameters: number | null;
  /** Multiply-adds of a view. */
  macs: number | null;
  epochs: number;
  bestAccuracy: number | null;
  bestEpoch: number | null;
  lastAccuracy: number | null;
  /** In validation: the least, and that of the last validated epoch. */
  bestLoss: number | null;
  lastLoss: number | null;
  /** Of the last epoch. */
  trainAccuracy: number | null;
  trainLoss: number | null;
  /** Of the whole run, and of the training part of an epoch in the mean. */
  seconds: number;
  secondsPerEpoch: number | null;
}

/** A comparison of runs. */
export interface Comparison {
  runs: RunResult[];
  /** Keys whose values differ, with the value of each run; null where config.yaml lacks the key. */
  settings: { key: string; values: unknown[] }[];
}

const finite = (value: number | null | undefined): number | null =>
  typeof value === 'number' && Number.isFinite(value) ? value : null;

type Validated = Pick<RunResult, 'bestAccuracy' | 'bestEpoch' | 'lastAccuracy' | 'bestLoss' | 'lastLoss'>;

function validationOf({ log, best }: RunFolder): Validated {
  const validated = log.epochs.filter(({ valLoss }) => finite(valLoss) !== null);
  const losses = validated.map(({ valLoss }) => valLoss!);
  return {
    ...{ bestAccuracy: finite(best?.valTop1), bestEpoch: best?.epoch ?? null },
    ...{ lastAccuracy: finite(validated.at(-1)?.valTop1), lastLoss: losses.at(-1) ?? null },
    bestLoss: losses.length > 0 ? losses.reduce((a, b) => Math.min(a, b)) : null,
  };
}

/** Results of a run. */
export function resultOf(run: RunFolder, name = run.folder): RunResult {
  const { folder, status, log, model } = run;
  const { epochs, seconds } = log;
  const last = epochs.at(-1);
  const spent = epochs.reduce((sum, epoch) => sum + epoch.seconds, 0);
  const { name: of = null, parameters = null, macs = null } = model ?? {};
  return {
    ...{ name, folder, status, model: of, parameters, macs, epochs: last?.epoch ?? 0 },
    ...validationOf(run),
    ...{ trainAccuracy: finite(last?.trainTop1), trainLoss: finite(last?.trainLoss) },
    ...{ seconds, secondsPerEpoch: epochs.length > 0 ? spent / epochs.length : null },
  };
}

/** Short names of runs: those of their folders, or the paths if these are not unique. */
function namesOf(folders: readonly string[]): string[] {
  const short = folders.map((folder) => path.basename(path.resolve(folder)));
  return new Set(short).size === short.length ? short : [...folders];
}

/** The folder of a run differs by its nature. */
const OWN = 'OUTPUT_DIR';

/** Compares runs. */
export function compareRuns(runs: readonly RunFolder[]): Comparison {
  const names = namesOf(runs.map(({ folder }) => folder));
  const keys = [...new Set(runs.flatMap(({ config }) => [...config.keys()]))].filter((key) => key !== OWN);
  const settings = keys.map((key) => ({ key, values: runs.map(({ config }) => config.get(key) ?? null) }));
  return {
    runs: runs.map((run, i) => resultOf(run, names[i])),
    settings: settings.filter(({ values }) => new Set(values.map((value) => JSON.stringify(value))).size > 1),
  };
}

/** A setting as text. */
export const settingText = (value: unknown): string =>
  typeof value === 'string' ? value || "''" : value === null ? '–' : JSON.stringify(value);

const known = (value: number | null, text: (value: number) => string): string => (value === null ? '–' : text(value));
const fixed = (value: number): string => value.toFixed(4);

/** Columns of the table of results: heading, and text of a run. */
export const RESULT_COLUMNS: readonly (readonly [heading: string, text: (run: RunResult) => string])[] = [
  ['status', ({ status }) => status],
  ['epochs', ({ epochs }) => String(epochs)],
  ['best accuracy', ({ bestAccuracy }) => known(bestAccuracy, percent)],
  ['in epoch', ({ bestEpoch }) => known(bestEpoch, String)],
  ['last accuracy', ({ lastAccuracy }) => known(lastAccuracy, percent)],
  ['best loss', ({ bestLoss }) => known(bestLoss, fixed)],
  ['last loss', ({ lastLoss }) => known(lastLoss, fixed)],
  ['training accuracy', ({ trainAccuracy }) => known(trainAccuracy, percent)],
  ['time', ({ seconds }) => duration(seconds)],
  ['an epoch', ({ secondsPerEpoch }) => known(secondsPerEpoch, duration)],
  ['parameters', ({ parameters }) => known(parameters, count)],
];

interface ChartOf {
  id: string;
  title: string;
  kind: ValueKind;
  of: (epoch: EpochPoint) => number | null;
  range?: [number, number];
  logScale?: boolean;
}

const CHARTS: readonly ChartOf[] = [
  { id: 'accuracy', title: 'Validation accuracy', kind: 'share', of: (e) => e.valTop1, range: [0, 1] },
  { id: 'loss', title: 'Validation loss', kind: 'loss', of: (e) => e.valLoss, logScale: true },
  { id: 'train-accuracy', title: 'Training accuracy', kind: 'share', of: (e) => e.trainTop1, range: [0, 1] },
  { id: 'train-loss', title: 'Training loss', kind: 'loss', of: (e) => e.trainLoss, logScale: true },
];

/** A chart with a curve for each run that has figures; null if none has. */
function chartOf({ of, ...chart }: ChartOf, runs: readonly RunFolder[], names: readonly string[]): CurveChart | null {
  const curves = runs.flatMap(({ log }, i): Curve[] => {
    const points = log.epochs.flatMap((e): Point[] => (finite(of(e)) === null ? [] : [[e.epoch, of(e)]]));
    return points.length > 0 ? [{ name: names[i]!, color: `--series${i + 1}`, points, dots: true }] : [];
  });
  if (curves.length === 0) return null;
  const ends = curves.map(({ name, points }) => `${name} ends at ${points.at(-1)![1]!.toPrecision(3)}`);
  const description = `${chart.title} by epoch: ${ends.join('; ')}.`;
  return { type: 'curves', xName: 'epoch', perEpoch: null, ...chart, description, curves };
}

function resultTable({ runs }: Comparison): Html {
  const best = runs.reduce((most, { bestAccuracy }) => Math.max(most, bestAccuracy ?? -1), -1);
  const rows = runs.map(
    (run, i) =>
      html`<tr class="${best >= 0 && run.bestAccuracy === best && 'best'}">
        <th scope="row" class="long" title="${run.folder}">
          <span class="named"><i class="swatch c--series${i + 1}"></i>${run.name}</span>
        </th>
        ${RESULT_COLUMNS.map(([, text]) => html`<td>${text(run)}</td>`)}
      </tr>`,
  );
  const head = ['Run', ...RESULT_COLUMNS.map(([heading]) => heading)].map((name) => html`<th scope="col">${name}</th>`);
  return html`<div class="panel">${scrollTable({ label: 'Results', head, rows })}</div>`;
}

function settingTable({ runs, settings }: Comparison): Html {
  if (settings.length === 0) return html`<p class="muted">All settings are the same.</p>`;
  const rows = settings.map(
    ({ key, values }) =>
      html`<tr>
        <th scope="row">${key}</th>
        ${values.map((value) => html`<td class="text long">${settingText(value)}</td>`)}
      </tr>`,
  );
  const head = html`<th scope="col">Key</th>
    ${runs.map(({ name }) => html`<th scope="col" class="text">${name}</th>`)}`;
  return html`<div class="panel">${scrollTable({ label: 'Settings that differ', head, rows })}</div>`;
}

/** Renders a comparison as a self-contained page. @param runs at most eight, in the order of `comparison` */
export function comparisonPage(runs: readonly RunFolder[], comparison: Comparison): string {
  const names = comparison.runs.map(({ name }) => name);
  const charts = CHARTS.flatMap((chart) => chartOf(chart, runs, names) ?? []);
  const figures = charts.map((chart) => figure(chart));
  const sections: Section[] = [
    { id: 'results', name: 'Results', body: resultTable(comparison) },
    { id: 'curves', name: 'Curves', body: html`<div class="grid two">${figures}</div>`, charts },
    { id: 'settings', name: 'Settings that differ', body: settingTable(comparison) },
  ];
  return renderPage({
    title: `${names.join(', ')} · MorphMLP`,
    sections,
    header: html`<p class="over">MorphMLP · comparison</p>
      <h1>${amount(runs.length, 'run')}</h1>
      <p class="sub">${names.join(' · ')}</p>`,
    body: html`${sections.map(wrapSection)}`,
    charts,
    styles: ['palette.css'],
  });
}

/** Most runs on a page. */
export const MOST_RUNS = COLORS;

/** Writes the page of a comparison atomically. */
export function writeComparison(file: string, runs: readonly RunFolder[], comparison: Comparison): void {
  const text = comparisonPage(runs, comparison);
  writeFileAtomic(file, (write) => write(Buffer.from(text, 'utf8')));
}
