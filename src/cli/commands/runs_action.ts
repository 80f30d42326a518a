import {
  compareRuns,
  MOST_RUNS,
  RESULT_COLUMNS,
  resultOf,
  settingText,
  writeComparison,
  type Comparison,
  type RunResult,
} from '../../report/compare_runs';
import { findRuns, readRun } from '../../report/run_folder';
import { table } from '../../terminal/format';
import { printable } from '../../terminal/text_width';
import { checkOutputs } from './outputs';

function resultTable(runs: readonly RunResult[]): string {
  const rows = runs.map((run) => [printable(run.name), ...RESULT_COLUMNS.map(([, text]) => text(run))]);
  return table(rows, { head: ['run', ...RESULT_COLUMNS.map(([heading]) => heading)] });
}

function settingTable({ runs, settings }: Comparison): string {
  if (settings.length === 0) return 'all settings are the same';
  const rows = settings.map(({ key, values }) => [key, ...values.map((value) => printable(settingText(value)))]);
  const head = ['setting', ...runs.map(({ name }) => printable(name))];
  return table(rows, { head, align: head.map(() => 'left') });
}

/** Runs `morphmlp runs list`: newest first. */
export function listRuns(folder: string, { json }: { json?: boolean }): void {
  const found = findRuns(folder).map((one) => readRun(one));
  if (found.length === 0) throw new Error(`${folder}: no run in this folder (none has metrics.jsonl)`);
  found.sort((a, b) => (a.log.startedAt ?? '9').localeCompare(b.log.startedAt ?? '9')).reverse();
  const runs = found.map((run) => ({ ...resultOf(run), startedAt: run.log.startedAt }));
  console.log(json ? JSON.stringify(runs) : resultTable(runs));
}

/** Runs `morphmlp runs compare`. */
export function compare(folders: string[], { html, json }: { html?: string; json?: boolean }): void {
  if (folders.length < 2 || folders.length > MOST_RUNS)
    throw new Error(`runs compare: expected 2 to ${MOST_RUNS} folders of runs, got ${folders.length}`);
  checkOutputs({ html });
  const runs = folders.map((folder) => readRun(folder));
  const comparison = compareRuns(runs);
  if (html !== undefined) writeComparison(html, runs, comparison);
  if (json) return console.log(JSON.stringify(comparison));
  console.log(`${resultTable(comparison.runs)}\n\n${settingTable(comparison)}`);
  if (html !== undefined) console.log(`report      ${html}`);
}
