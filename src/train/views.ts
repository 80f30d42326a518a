import { noGrad } from '../autograd';
import { toBatch, type Clip } from '../data/types';
import type { MorphMLP } from '../models/morphmlp';
import { scope } from '../scope';
import { tensor } from '../tensor';

/** The logits of clips [clips, classes], without graph; the model should be in evaluation mode. */
export function logitsOf(model: MorphMLP, clips: readonly Clip[]): Float32Array {
  const { x, shape } = toBatch(clips);
  return scope(() => noGrad(() => model.forward(tensor(x, shape)).floats()));
}

/** Mean of rows [rows, columns]. */
export function meanOfRows(rows: Float32Array, columns: number): Float32Array {
  const mean = new Float32Array(columns);
  const count = rows.length / columns;
  for (let c = 0; c < columns; c++) {
    let sum = 0;
    for (let r = 0; r < count; r++) sum += rows[r * columns + c]!;
    mean[c] = sum / count;
  }
  return mean;
}

/** Probabilities out of logits, in float64. */
export function probabilities(logits: Float32Array): Float32Array {
  const top = logits.reduce((a, b) => Math.max(a, b), -Infinity);
  const powers = Float64Array.from(logits, (x) => Math.exp(x - top));
  const sum = powers.reduce((a, b) => a + b, 0);
  return Float32Array.from(powers, (p) => p / sum);
}

/**
 * The logits of a video [classes]: the mean over its views, as the authors' test code adds them up (their network ends in
 * logits, so it is these that are averaged and not probabilities). One view is given at a time to bound the memory.
 */
export function viewLogits(model: MorphMLP, views: readonly Clip[]): Float32Array {
  const rows = views.map((view) => logitsOf(model, [view]));
  const classes = rows[0]!.length;
  const all = new Float32Array(rows.length * classes);
  rows.forEach((row, i) => all.set(row, i * classes));
  return meanOfRows(all, classes);
}
