/** What `morphmlp predict` writes: text, JSON lines, a csv, a contact sheet. */
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import pc from 'picocolors';
import type { Clip, SeenFrame } from '../../data/types';
import { writeFileAtomic } from '../../formats/atomic';
import { csvLine } from '../../formats/csv';
import { contactSheet, type SheetRow } from '../../report/contact_sheet';
import { bestScores, listedScores, scoreFields, scoreHeadings, type Score } from '../../train/scores';
import { clockTime, percent, table } from '../../terminal/format';
import { displayWidth, padWidth, printable } from '../../terminal/text_width';

/** A prediction for an input, or for a window of it. */
export interface Prediction {
  name: string;
  /** Views whose logits were averaged. */
  views: readonly Clip[];
  probabilities: Float32Array;
  /** Start and end in seconds. */
  window?: { start: number; end: number };
}

/** Destinations. */
export interface OutputOptions {
  top: number;
  json: boolean;
  csv: string | undefined;
  sheet: string | undefined;
  /** Whether predictions are of windows. */
  windows: boolean;
}

const bar = (share: number): string => pc.cyan('█'.repeat(Math.round(share * 30)));

const widest = (labels: readonly string[]): number =>
  labels.reduce((most, label) => Math.max(most, displayWidth(printable(label))), 0);

const scoreText = ({ label, probability }: Score, width: number): string =>
  `  ${padWidth(printable(label), width)}  ${percent(probability).padStart(6)}  ${bar(probability)}`;

/** Text with one line per class. */
export function guessLines(guesses: readonly Score[]): string[] {
  const width = widest(guesses.map(({ label }) => label));
  return guesses.map((guess) => scoreText(guess, width));
}

/** Predictions for one input. */
interface Seen {
  name: string;
  guesses: Score[];
}

function inputTable(seen: readonly Seen[]): string {
  const rows = seen.flatMap(({ name, guesses }) =>
    guesses.map((g, i) => [i === 0 ? printable(name) : '', printable(g.label), percent(g.probability)]),
  );
  return table(rows, { head: ['input', 'class', 'probability'], align: ['left', 'left', 'right'] });
}

/** Most clips on a contact sheet: viewers cannot open taller pictures. */
const SHEET_ROWS = 64;

const captionOf = ({ name, guesses }: Seen): string =>
  `${path.basename(name)}: ${guesses
    .slice(0, 3)
    .map((g) => `${g.label} ${percent(g.probability)}`)
    .join(' · ')}`;

/** Writes predictions as they come, and files at the end. Predictions of windows are not kept. */
export class PredictOutput {
  /** Number of predictions. */
  count = 0;
  private readonly seen: Seen[] = [];
  private readonly sheetRows: SheetRow[] = [];
  private readonly csvLines: string[] = [];
  private readonly width: number;
  private last: string | null = null;

  constructor(
    private readonly classNames: readonly string[],
    private readonly options: OutputOptions,
  ) {
    this.width = widest(classNames);
    const times = options.windows ? ['start', 'end'] : [];
    this.csvLines.push(csvLine(['input', ...times, 'predicted', ...scoreHeadings(classNames)]));
  }

  add(prediction: Prediction): void {
    const { name, views, probabilities, window } = prediction;
    const { top, json, csv, sheet } = this.options;
    const guesses = bestScores(probabilities, this.classNames, top);
    this.count += 1;
    if (json) this.printJson(prediction, guesses);
    else if (window) this.printWindow(name, window, guesses[0]!);
    if (!window) this.seen.push({ name, guesses });
    if (csv !== undefined) this.csvLines.push(this.csvOf(prediction));
    if (sheet !== undefined && this.sheetRows.length < SHEET_ROWS)
      this.sheetRows.push({ clip: views[0]!, caption: captionOf({ name, guesses }) });
  }

  /** Prints the table of whole inputs, and writes csv and sheet. */
  async finish(): Promise<void> {
    const { json, csv, sheet } = this.options;
    const [first] = this.seen;
    if (!json && first)
      console.log(
        this.seen.length === 1
          ? [pc.bold(printable(first.name)), ...guessLines(first.guesses)].join('\n')
          : inputTable(this.seen),
      );
    if (csv !== undefined) writeFileAtomic(csv, (write) => this.csvLines.forEach((line) => write(Buffer.from(line))));
    if (sheet === undefined || this.sheetRows.length === 0) return;
    writeFileSync(sheet, await contactSheet(this.sheetRows));
    const shown = this.sheetRows.length;
    if (this.count > shown) console.error(`note: ${sheet} shows the first ${shown} of ${this.count}`);
  }

  private printJson({ name, views, window }: Prediction, guesses: readonly Score[]): void {
    const frames = views.map(({ seen }): readonly SeenFrame[] | undefined => seen);
    console.log(JSON.stringify({ input: name, ...window, views: views.length, guesses, frames }));
  }

  private printWindow(name: string, { start, end }: { start: number; end: number }, best: Score): void {
    if (name !== this.last) console.log(pc.bold(printable(name)));
    this.last = name;
    console.log(`  ${clockTime(start)} – ${clockTime(end)}${scoreText(best, this.width)}`);
  }

  private csvOf({ name, probabilities, window }: Prediction): string {
    const scores = listedScores(probabilities, this.classNames);
    const times = window ? [window.start.toFixed(3), window.end.toFixed(3)] : [];
    const fields = scoreFields(scores, this.classNames);
    return csvLine([name, ...times, scores[0]!.label, ...fields]);
  }
}
