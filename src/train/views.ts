import { noGrad } from '../core/autograd';
import { NORMALISATION, stackClips, type Clip, type Normalisation } from '../data/types';
import type { MorphMLP } from '../models/morphmlp';
import { scope } from '../core/scope';
import { inputOf } from './input';

/** The logits of clips [clips, classes], without graph; the model should be in evaluation mode. */
export function logitsOf(
  model: MorphMLP,
  clips: readonly Clip[],
  normalisation: Normalisation = NORMALISATION,
): Float32Array {
  const batch = { ...stackClips(clips), normalisation };
  return scope(() => noGrad(() => model.forward(inputOf(batch, model.precision)).floats()));
}

/** Probabilities out of logits, in float64. */
export function probabilities(logits: Float32Array): Float32Array {
  const top = logits.reduce((a, b) => Math.max(a, b), -Infinity);
  const powers = Float64Array.from(logits, (x) => Math.exp(x - top));
  const sum = powers.reduce((a, b) => a + b, 0);
  return Float32Array.from(powers, (p) => p / sum);
}

/** The mean of rows of one length. */
export function meanOfRows(rows: readonly Float32Array[]): Float32Array {
  return Float32Array.from(rows[0]!, (_, c) => rows.reduce((sum, row) => sum + row[c]!, 0) / rows.length);
}

/**
 * The logits [classes] of each view of a video, `batch` views at a time. A video's score is the mean of them, as the authors'
 * test code adds them up: their network ends in logits, so it is these that are averaged and not probabilities.
 */
export function viewLogits(
  model: MorphMLP,
  views: readonly Clip[],
  { batch = 1, normalisation = NORMALISATION }: { batch?: number; normalisation?: Normalisation | undefined } = {},
): Float32Array[] {
  const rows: Float32Array[] = [];
  for (let first = 0; first < views.length; first += batch) {
    const some = views.slice(first, first + batch);
    const logits = logitsOf(model, some, normalisation);
    const classes = logits.length / some.length;
    some.forEach((_, row) => rows.push(logits.slice(row * classes, (row + 1) * classes)));
  }
  return rows;
}
