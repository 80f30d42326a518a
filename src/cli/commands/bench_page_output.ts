/** The page of a benchmark that `--html` asks for. */
import path from 'node:path';
import { requireSameKind } from '../../bench/compare';
import { parseResults, readResults, type Results } from '../../bench/results';
import type { Failure } from '../../bench/kernels/protocol';
import { writeBenchPage } from '../../report/bench_page';
import { checkOutputs } from './outputs';

/** Options of a benchmark that writes a page. */
export interface PageArguments {
  out?: string;
  html?: string;
  /** Earlier results files, the oldest first. */
  history?: string[];
}

/** The earlier results of `--history`. @throws if an output cannot be written or a file cannot be read */
export function openHistory({ out, html, history = [] }: PageArguments): Results[] {
  checkOutputs({ out, html });
  if (history.length > 0 && html === undefined) throw new Error('--history: expected --html, the page that shows it');
  return history.map(readResults);
}

/** Writes the page of these results, a JSON text, after the earlier ones. */
export function writePage(
  { out, html }: PageArguments,
  earlier: readonly Results[],
  { text, failures }: { text: string; failures: readonly Failure[] },
): void {
  if (html === undefined) return;
  const now = parseResults(out ?? 'this run', text);
  for (const before of earlier) requireSameKind(before, now);
  const failed = failures.map(({ plugin, at, problem }) => `${path.basename(plugin)}${at && ` (${at})`}: ${problem}`);
  writeBenchPage(html, [...earlier, now], failed);
}
