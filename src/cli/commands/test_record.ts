/** The result of a test on labelled clips, as JSON, as text and as a csv. */
import pc from 'picocolors';
import type { Skipped } from '../../data/loader';
import { viewCount } from '../../data/sampling';
import type { Dataset } from '../../data/types';
import { csvLine } from '../../formats/csv';
import { countOps } from '../../models/flops';
import type { ModelInfo } from '../../models/load';
import {
  classMetrics,
  confusedPairs,
  macroMetrics,
  type ClassMetrics,
  type MacroMetrics,
} from '../../train/class_metrics';
import type { TestResult } from '../../train/multi_view';
import { scoreFields, scoreHeadings, type Score } from '../../train/scores';
import { macs, percent, table } from '../../terminal/format';
import { printable } from '../../terminal/text_width';

/** Prediction for one file. */
export interface TestPrediction {
  file: string;
  label: string;
  predicted: string;
  /** Scores of the classes, best first: all, or the best five of more than twenty. */
  scores: Score[];
}

/** Results of a test as written to JSON: measures in [0, 1], `confusion[true][predicted]` counts videos. */
export interface TestRecord {
  checkpoint: string;
  data: Record<string, string | number>;
  views: { clips: number; crops: number };
  /** Multiply-adds of one view and of all views of a video. */
  macsPerView: number;
  macsPerVideo: number;
  videos: number;
  loss: number;
  top1: number;
  top5: number;
  /** Results of the single view: middle clip, centre crop. */
  single: { loss: number; top1: number; top5: number };
  /** `top1` is the recall; measures without a denominator are null. */
  classes: ({ name: string; videos: number; top1: number | null } & Omit<ClassMetrics, 'clips'>)[];
  /** Means over the classes with clips. */
  macro: MacroMetrics;
  confusion: number[][];
  classNames: string[];
  predictions: TestPrediction[];
  skipped: Skipped[];
}

/** What a record is made of. */
export interface TestOutcome {
  checkpoint: string;
  dataset: Dataset;
  info: ModelInfo;
  result: TestResult;
  predictions: TestPrediction[];
}

/** The record of a test. */
export function recordOf({ checkpoint, dataset, info, result, predictions }: TestOutcome): TestRecord {
  const { views, evaluation, single, skipped } = result;
  const { crop } = info.input;
  const macsPerView = countOps(info.model, { height: crop, width: crop }).macs;
  const { clips, loss, top1, top5, confusion } = evaluation;
  const measures = classMetrics(confusion);
  const classes = measures.map(({ clips: videos, ...of }, i) => {
    return { name: info.classNames[i]!, videos, top1: of.recall, ...of };
  });
  return {
    ...{ checkpoint, data: dataset.describe(), views, macsPerView, macsPerVideo: macsPerView * viewCount(views) },
    ...{ videos: clips, loss, top1, top5, single: { loss: single.loss, top1: single.top1, top5: single.top5 } },
    ...{ classes, macro: macroMetrics(measures), confusion, classNames: info.classNames, predictions, skipped },
  };
}

/** The predictions as a csv: file, label, predicted class, scores. */
export function predictionsCsv({ predictions, classNames }: TestRecord): string {
  const lines = predictions.map(({ file, label, predicted, scores }) =>
    csvLine([file, label, predicted, ...scoreFields(scores, classNames)]),
  );
  return csvLine(['file', 'label', 'predicted', ...scoreHeadings(classNames)]) + lines.join('');
}

/** Classes to print: all if there are few, else the worst. */
const FEW = 20;

/** Classes up to which the confusion matrix is printed; of more, the pairs most often confused. */
const MATRIX = 12;
const PAIRS = 10;

const share = (value: number | null): string => (value === null ? '–' : percent(value));

/** Precision, recall and F1 of each class, and their means. */
function classText({ classes, macro }: TestRecord): string[] {
  const worst = [...classes].sort((a, b) => (a.f1 ?? 2) - (b.f1 ?? 2));
  const shown = classes.length <= FEW ? classes : worst.slice(0, FEW);
  const rows = shown.map(({ name, videos, predicted, precision, recall, f1 }) => {
    const clips = videos === 0 ? 'no clips' : String(videos);
    return [printable(name), clips, String(predicted), share(precision), share(recall), share(f1)];
  });
  const mean = ['mean', '', '', share(macro.precision), share(macro.recall), share(macro.f1)];
  const left = classes.length - shown.length;
  return [
    table([...rows, mean], { head: ['class', 'clips', 'predicted', 'precision', 'recall', 'F1'] }),
    ...(left > 0
      ? [`the worst ${FEW} of ${classes.length} classes by F1; the mean is over all classes with clips`]
      : []),
  ];
}

/** The confusion matrix, or the pairs most often confused. */
function confusionText({ confusion, classNames }: TestRecord): string[] {
  if (classNames.length <= MATRIX) {
    const rows = confusion.map((row, i) => [`${i} ${printable(classNames[i]!)}`, ...row.map(String)]);
    return [
      '',
      'true class (rows), predicted (columns)',
      table(rows, { head: ['', ...rows.map((_, i) => String(i))] }),
    ];
  }
  const pairs = confusedPairs(confusion, PAIRS);
  if (pairs.length === 0) return [];
  const rows = pairs.map(({ truth, predicted, clips, share: part }) => [
    ...[printable(classNames[truth]!), printable(classNames[predicted]!), String(clips), percent(part)],
  ]);
  const align = ['left', 'left', 'right', 'right'] as const;
  return ['', table(rows, { head: ['most often confused', 'taken for', 'clips', 'of its class'], align })];
}

/** Text about a test: result, cost, the single view, measures by class and the confusion matrix. */
export function testText(record: TestRecord): string {
  const { views, single, videos, macsPerView, macsPerVideo, top1, top5, loss } = record;
  const several = views.clips * views.crops > 1;
  const cost = several
    ? `${views.clips} clips x ${views.crops} crops of each, ${macs(macsPerView)} a view, ${macs(macsPerVideo)} a video`
    : `1 view each, ${macs(macsPerView)}`;
  return [
    `top-1 ${pc.bold(percent(top1))}  top-5 ${percent(top5)}  loss ${loss.toFixed(4)}  on ${videos} clips, ${cost}`,
    ...(several
      ? [
          `top-1 ${percent(single.top1)}  top-5 ${percent(single.top5)}  loss ${single.loss.toFixed(4)}  with 1 view each`,
        ]
      : []),
    ...classText(record),
    ...confusionText(record),
  ].join('\n');
}

/** Prints the unreadable files to standard error. */
export function showSkippedVideos({ skipped }: TestRecord): void {
  if (skipped.length === 0) return;
  console.error(`${skipped.length} files skipped:\n${skipped.map((s) => `  ${printable(s.reason)}`).join('\n')}`);
}
