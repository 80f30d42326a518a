/** The page of an evaluation: one checkpoint on one set of labelled clips. */
import { writeFileAtomic } from '../formats/atomic';
import { classMetrics, macroMetrics } from '../train/class_metrics';
import { amount, count, percent, significant } from '../terminal/format';
import { checkEvaluation, classes } from './class_section';
import { html, type Html } from './html';
import { mistakes } from './mistakes';
import { card, identityList } from './parts';
import { when } from './run_report';
import { commandPanel, counted, factsTable, filesTable, renderSections, type Section } from './sections';
import type { Facts, ReportEvaluation, SkippedFile } from './types';

/** All data of an evaluation's page. */
export interface EvaluationReport {
  /** The checkpoint, usually its path. */
  title: string;
  /** ISO 8601 */
  at: string;
  command: string;
  model: { name: string; parameters: number; macs: number; input: string };
  device: string;
  /** Program versions. */
  versions: Facts;
  /** The manifest of the data. */
  data: Facts;
  classNames: readonly string[];
  evaluation: ReportEvaluation & { views: { clips: number; crops: number } };
  skipped: readonly SkippedFile[];
  /** Files that were read and written: name and path. */
  files: Readonly<Record<string, string>>;
}

const share = (value: number | null): string => (value === null ? '–' : percent(value));

function summary({ evaluation, classNames, model }: EvaluationReport): Section {
  const { clips, top1, top5, loss, confusion, views } = evaluation;
  const macro = macroMetrics(classMetrics(confusion));
  const without = classNames.length - macro.classes;
  const seen = views.clips * views.crops;
  const over = `mean over ${amount(macro.classes, 'class', 'classes')}`;
  const body = html`<dl class="cards">
      ${card('Accuracy', percent(top1), `of ${amount(clips, 'clip')}`, true)}
      ${classNames.length > 10 && card('Top 5', percent(top5), `of ${amount(clips, 'clip')}`)}
      ${card('F1', share(macro.f1), over)} ${card('Precision', share(macro.precision), over)}
      ${card('Recall', share(macro.recall), over)} ${card('Loss', significant(loss, 3), 'cross entropy')}
      ${card('Multiply-adds', count(model.macs), seen > 1 ? `a view; ${seen} views a clip` : 'a forward pass')}
    </dl>
    ${
      without > 0 &&
      html`<p class="muted">
        ${amount(without, 'class has', 'classes have')} no clips in this data and is in no mean.
      </p>`
    }`;
  return { id: 'summary', name: 'Summary', body };
}

function dataSection({ data, skipped }: EvaluationReport): Section {
  const lost = counted(skipped, 'was skipped', 'were skipped');
  const body = html`<div class="grid two"><div class="panel">${factsTable(data)}</div></div>
    ${
      skipped.length > 0
        ? filesTable(lost, 'Skipped files', skipped)
        : html`<p class="muted">Every file could be read.</p>`
    }`;
  return { id: 'data', name: 'Data', body };
}

function setup({ command, versions, files }: EvaluationReport): Section {
  const panel = (name: string, facts: Facts): Html =>
    html`<div class="panel">
      <h3>${name}</h3>
      ${factsTable(facts)}
    </div>`;
  const body = html`${commandPanel(command)}
    <div class="grid two">${panel('Files', files)}${panel('Versions', versions)}</div>`;
  return { id: 'setup', name: 'Set-up', body };
}

function header({ title, at, model, data, device }: EvaluationReport): Html {
  const facts = {
    Model: `${model.name} · ${count(model.parameters)} parameters · input ${model.input}`,
    Data: String(data['source']),
    Device: device,
  };
  return html`<p class="over">MorphMLP · evaluation</p>
    <h1>${title}</h1>
    <p class="sub"><span>${when(at)}</span></p>
    ${identityList(facts)}`;
}

/**
 * Renders an evaluation as a self-contained HTML document.
 * @throws if the confusion matrix or a mistake does not match the class names
 */
export async function renderEvaluation(report: EvaluationReport): Promise<string> {
  const { evaluation, classNames } = report;
  checkEvaluation(evaluation, classNames);
  const sections = [
    summary(report),
    classes(evaluation, classNames, ''),
    await mistakes(evaluation, classNames, ''),
    dataSection(report),
    setup(report),
  ];
  return renderSections(report.title, header(report), sections);
}

/** Writes the page of an evaluation atomically. */
export async function writeEvaluation(path: string, report: EvaluationReport): Promise<void> {
  const text = await renderEvaluation(report);
  writeFileAtomic(path, (write) => write(Buffer.from(text, 'utf8')));
}
