import { writeFileAtomic } from '../formats/atomic';
import { amount, duration } from '../terminal/format';
import { curveCharts } from './charts';
import { html, type Html } from './html';
import { identityList } from './parts';
import { mistakes } from './mistakes';
import { checkEvaluation, classes } from './class_section';
import { segmentPictures } from './segment_pictures';
import { segmentClasses } from './segment_section';
import { checkpointText, data, renderSections, setup, summary, training } from './sections';
import type { RunReport } from './types';

/** A time in UTC: `2026-01-31 12:00 UTC`; other text as it is. */
export function when(iso: string): string {
  const date = new Date(iso);
  return Number.isNaN(date.getTime()) ? iso : `${date.toISOString().slice(0, 16).replace('T', ' ')} UTC`;
}

const joined = (texts: readonly (string | number | false | undefined)[]): string => texts.filter(Boolean).join(' · ');

function dataText({ data: { train, val }, classNames }: RunReport): string {
  const clips = [train, val].flatMap((facts) =>
    typeof facts?.['clips'] === 'number' ? [facts['clips'].toLocaleString('en')] : [],
  );
  return joined([train['source'], clips.length > 0 && `${clips.join(' + ')} clips`, `${classNames.length} classes`]);
}

function identity(report: RunReport): Html {
  const { model, device, versions } = report;
  const threads = device.threads && amount(device.threads, 'thread');
  const facts = {
    Model: joined([model.name, `input ${model.input}`]),
    Data: dataText(report),
    Device: joined([device.name, device.kernels, threads || undefined]),
    Versions: joined(Object.entries(versions).map(([name, version]) => `${name} ${version}`)),
  };
  return identityList(facts);
}

function header(report: RunReport): Html {
  const { title, status, startedAt, seconds } = report;
  return html`<p class="over">MorphMLP · training run</p>
    <h1>${title}</h1>
    <p class="sub">
      <span class="status ${status}">${status}</span><span>started ${when(startedAt)}</span
      ><span>took ${duration(seconds)}</span>
    </p>
    ${identity(report)}`;
}

/** Seconds between two looks of an open page at a run that goes on, whose page is rewritten each epoch. */
const RELOAD_AFTER = 30;

/**
 * Renders the report of a training run as a self-contained HTML document.
 * @throws if the confusion matrix or a mistake does not match the class names
 */
export async function renderRunReport(report: RunReport): Promise<string> {
  const { evaluation, classNames } = report;
  if (evaluation) checkEvaluation(evaluation, classNames);
  const of = checkpointText(report);
  const sections = [
    summary(report),
    training(report, curveCharts(report)),
    ...(evaluation && report.model.task === 'segment'
      ? [segmentClasses(evaluation, classNames, of), ...(await segmentPictures(evaluation, classNames, of))]
      : []),
    ...(evaluation && report.model.task !== 'segment'
      ? [classes(evaluation, classNames, of), await mistakes(evaluation, classNames, of)]
      : []),
    data(report),
    setup(report),
  ];
  return renderSections(report.title, header(report), sections, report.status === 'running' ? RELOAD_AFTER : undefined);
}

/** Writes the report of a training run atomically. */
export async function writeRunReport(path: string, report: RunReport): Promise<void> {
  const text = await renderRunReport(report);
  writeFileAtomic(path, (write) => write(Buffer.from(text, 'utf8')));
}
