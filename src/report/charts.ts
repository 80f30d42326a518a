import { percent, significant } from '../terminal/format';
import type { EpochPoint, RunReport, StepPoint } from './types';

/** A point of a curve; y is null if unknown. */
export type Point = [x: number, y: number | null];

/** A curve. Colours are names of CSS variables, so that one page works in light and dark mode. */
export interface Curve {
  name: string;
  color: string;
  points: Point[];
  /** Draw a thin background line, such as the unsmoothed data. */
  raw?: Point[];
  /** Draw markers. */
  dots?: boolean;
  dashed?: boolean;
}

/** Format of values: `loss` with four digits, `share` as a percentage, `rate` in scientific form, `number` plainly. */
export type ValueKind = 'loss' | 'share' | 'rate' | 'number';

/** A chart of curves over steps or epochs, drawn by assets/report.js. */
export interface CurveChart {
  type: 'curves';
  id: string;
  title: string;
  /** A one-sentence description for screen readers. */
  description: string;
  kind: ValueKind;
  /** A learning rate has a logarithmic axis. */
  xName: 'step' | 'epoch' | 'learning rate';
  /** Steps per epoch, if x counts steps. */
  perEpoch: number | null;
  curves: Curve[];
  /** A highlighted point. */
  mark?: { x: number; y: number; text: string; color: string };
  /** A highlighted level, such as chance. */
  level?: { y: number; text: string };
  /** Offer a logarithmic axis. */
  logScale?: boolean;
  /** Limits of the y axis. */
  range?: [number, number];
}

/** A heat map of a matrix, for more classes than fit in a table. */
export interface HeatChart {
  type: 'heat';
  id: string;
  title: string;
  description: string;
  names: readonly string[];
  /** [predicted, true, fraction of the true class, clips], for cells with clips */
  cells: [number, number, number, number][];
}

/** The charts that the page's script can draw. */
export type ChartSpec = CurveChart | HeatChart;

const MOST_POINTS = 1000;

/** Reduces a curve to at most `most` points by averaging equal runs, which keeps files small and does not amplify noise. */
export function thin(points: readonly Point[], most = MOST_POINTS): Point[] {
  if (points.length <= most) return [...points];
  return Array.from({ length: most }, (_, i) => {
    const run = points.slice(Math.floor((i * points.length) / most), Math.floor(((i + 1) * points.length) / most));
    const known = run.flatMap(([, y]) => (y === null ? [] : [y]));
    const x = (run.at(-1) as Point)[0];
    return [x, known.length > 0 ? known.reduce((a, b) => a + b, 0) / known.length : null];
  });
}

/** Exponential moving average over about `span` points, with bias correction. */
export function smooth(points: readonly Point[], span: number): Point[] {
  const keep = 1 - 1 / Math.max(1, span);
  let [sum, weight] = [0, 0];
  return points.map(([x, y]) => {
    if (y === null || !Number.isFinite(y)) return [x, null];
    sum = keep * sum + y;
    weight = keep * weight + 1;
    return [x, sum / weight];
  });
}

const finite = (y: number | null | undefined): number | null =>
  typeof y === 'number' && Number.isFinite(y) ? y : null;

/** Steps per epoch, derived from the last step; null without steps. */
function stepsPerEpoch(steps: readonly StepPoint[]): number | null {
  const last = steps.at(-1);
  return last && last.epoch > 0 ? last.step / last.epoch : null;
}

interface Axis {
  /** A learning rate has a logarithmic axis. */
  xName: 'step' | 'epoch' | 'learning rate';
  perEpoch: number | null;
  /** The x coordinate of an epoch's end. */
  at(epoch: number): number;
}

function axisOf({ steps }: RunReport): Axis {
  const perEpoch = stepsPerEpoch(steps);
  if (perEpoch === null) return { xName: 'epoch', perEpoch, at: (epoch) => epoch };
  return { xName: 'step', perEpoch, at: (epoch) => Math.round(epoch * perEpoch) };
}

const xOf = ({ xName, perEpoch }: Axis) => ({ xName, perEpoch });

/** A training curve: smoothed by step if steps are known, otherwise by epoch. */
function trainCurve(
  report: RunReport,
  axis: Axis,
  ofStep: (s: StepPoint) => number | null,
  ofEpoch: (e: EpochPoint) => number,
): Curve {
  const byStep = report.steps.map((s): Point => [s.step, ofStep(s)]);
  const base = { name: 'training', color: '--train' };
  if (!byStep.some(([, y]) => y !== null)) {
    return { ...base, points: report.epochs.map((e): Point => [axis.at(e.epoch), finite(ofEpoch(e))]), dots: true };
  }
  return { ...base, points: thin(smooth(byStep, byStep.length / 50)), raw: thin(byStep) };
}

function valCurve(
  name: string,
  color: string,
  report: RunReport,
  axis: Axis,
  of: (e: EpochPoint) => number | null,
): Curve[] {
  const points = report.epochs.flatMap((e): Point[] => (finite(of(e)) === null ? [] : [[axis.at(e.epoch), of(e)]]));
  return points.length > 0 ? [{ name, color, points, dots: true }] : [];
}

function change({ name, points }: Curve, format: (y: number) => string): string {
  const known = points.flatMap(([, y]) => (y === null ? [] : [y]));
  if (known.length === 0) return `${name}: no figures`;
  return `${name} from ${format(known[0] as number)} to ${format(known.at(-1) as number)}`;
}

function describe(what: string, curves: readonly Curve[], format: (y: number) => string): string {
  return `${what}: ${curves.map((curve) => change(curve, format)).join('; ')}.`;
}

function lossChart(report: RunReport, axis: Axis): CurveChart {
  const curves = [
    trainCurve(
      report,
      axis,
      (s) => finite(s.loss),
      (e) => e.trainLoss,
    ),
    ...valCurve('validation', '--val', report, axis, (e) => e.valLoss),
  ];
  const description = describe('Loss', curves, (y) => significant(y, 4));
  return { type: 'curves', id: 'loss', title: 'Loss', description, kind: 'loss', ...xOf(axis), curves, logScale: true };
}

/** The earliest epoch with the best validation accuracy; null without validation. */
export function bestEpoch(epochs: readonly EpochPoint[]): EpochPoint | null {
  const validated = epochs.filter((e) => finite(e.valTop1) !== null);
  return validated.reduce<EpochPoint | null>(
    (best, e) => (best === null || (e.valTop1 ?? 0) > (best.valTop1 ?? 0) ? e : best),
    null,
  );
}

/** The epoch of the report's checkpoint; null if it has no accuracy in validation. */
export function checkpointEpoch({ checkpoint, epochs }: RunReport): EpochPoint | null {
  if (checkpoint === undefined) return bestEpoch(epochs);
  return epochs.find((e) => e.epoch === checkpoint?.epoch) ?? null;
}

function accuracyChart(report: RunReport, axis: Axis): CurveChart {
  const segments = report.model.task === 'segment';
  const title = segments ? 'Pixel accuracy in training, mean IoU in validation' : 'Accuracy';
  const best = checkpointEpoch(report);
  const curves = [
    trainCurve(
      report,
      axis,
      (s) => finite(s.accuracy),
      (e) => e.trainTop1,
    ),
    ...valCurve('validation', '--val', report, axis, (e) => e.valTop1),
    ...(segments ? valCurve('validation, pixel accuracy', '--val2', report, axis, (e) => e.valTop5) : []),
    ...(!segments && report.classNames.length > 10
      ? valCurve('validation, top 5', '--val2', report, axis, (e) => e.valTop5)
      : []),
  ];
  const height = best && finite(best.valTop1);
  const mark = height !== null && {
    x: axis.at(best!.epoch),
    y: height,
    text: `best ${percent(height)}`,
    color: '--val',
  };
  const chance = segments ? 0 : 1 / report.classNames.length;
  return {
    ...{ type: 'curves', id: 'accuracy', title, kind: 'share', ...xOf(axis), curves, range: [0, 1] },
    description: describe(title, curves, (y) => percent(y)),
    ...(mark ? { mark } : {}),
    ...(chance >= 0.04 && chance < 1 ? { level: { y: chance, text: `chance ${percent(chance)}` } } : {}),
  };
}

function rateChart(report: RunReport, axis: Axis): CurveChart {
  const byStep = report.steps.map((s): Point => [s.step, finite(s.learningRate)]);
  const points = byStep.length > 0 ? thin(byStep) : report.epochs.map((e): Point => [e.epoch, finite(e.learningRate)]);
  const curves: Curve[] = [{ name: 'learning rate', color: '--rate', points }];
  const peak = Math.max(0, ...points.map(([, y]) => y ?? 0));
  const description = `${describe('Learning rate', curves, (y) => y.toExponential(2))} Its greatest value is ${peak.toExponential(2)}.`;
  return { type: 'curves', id: 'rate', title: 'Learning rate', description, kind: 'rate', ...xOf(axis), curves };
}

/** The curve charts of a run. */
export function curveCharts(report: RunReport): CurveChart[] {
  const axis = axisOf(report);
  if (report.steps.length === 0 && report.epochs.length === 0) return [];
  return [lossChart(report, axis), accuracyChart(report, axis), rateChart(report, axis)];
}

/** The heat map of the confusion matrix. */
export function confusionChart(confusion: readonly (readonly number[])[], names: readonly string[]): HeatChart {
  const cells = confusion.flatMap((row, truth): HeatChart['cells'] => {
    const total = row.reduce((a, b) => a + b, 0);
    return row.flatMap((n, predicted): HeatChart['cells'] => (n > 0 ? [[predicted, truth, n / total, n]] : []));
  });
  const description = `Confusion matrix of ${names.length} classes. The adjacent tables list accuracy by class and the pairs most often confused.`;
  return { type: 'heat', id: 'confusion', title: 'Confusion matrix', description, names, cells };
}
