import { noGrad } from '../core/autograd';
import { forwardAsync } from '../core/forward_async';
import type { InputSpec } from '../data/input_spec';
import type { Normalisation } from '../data/normalisation';
import { stackClips, type Clip } from '../data/types';
import type { Backbone, MorphMLP } from '../models/morphmlp';
import { watchBlocks } from '../models/watch';
import { scope } from '../core/scope';
import type { Tensor } from '../core/tensor';
import { inputOf } from './input';

/** A network and its input specification. */
export interface Classifier {
  network: MorphMLP;
  input: InputSpec;
}

/** Logits of clips [clips, classes] without graph, unchecked (may be NaN). The model should be in evaluation mode. */
export function forwardClips(model: Backbone, clips: readonly Clip[], normalisation: Normalisation): Float32Array {
  const batch = { ...stackClips(clips), normalisation };
  return scope(() => noGrad(() => model.forward(inputOf(batch, model.precision)).floats()));
}

const isFinite = (values: Float32Array): boolean => values.every((value) => Number.isFinite(value));

/** Names the weight that is NaN or infinite, or else the first such tokens. */
function firstNotFinite(model: MorphMLP, clips: readonly Clip[], normalisation: Normalisation): string {
  const weight = model.namedTensors().find(([, t]) => t.dtype !== 'i32' && !isFinite(t.floats()));
  if (weight) return `tensor ${weight[0]} holds NaN or infinity`;
  const found: string[] = [];
  const look = ({ name }: { name: string }) => ({
    tokens: (place: string, tokens: Tensor) => {
      if (found.length === 0 && !isFinite(tokens.floats())) found.push(`${name}, ${place}`);
    },
  });
  watchBlocks(model, look, () => forwardClips(model, clips, normalisation));
  return `the weights are finite; the first tokens that are not: ${found[0] ?? 'those of the head'}`;
}

type ClipsOfModel = readonly [model: MorphMLP, clips: readonly Clip[], normalisation: Normalisation];

function expectFinite(logits: Float32Array, ...of: ClipsOfModel): Float32Array {
  if (isFinite(logits)) return logits;
  throw new Error(`the scores are NaN or infinite: ${firstNotFinite(...of)}`);
}

/**
 * Logits of clips [clips, classes] without graph. The model should be in evaluation mode.
 * @throws if a logit is NaN or infinite, with the tensor that causes it
 */
export function logitsOf(...of: ClipsOfModel): Float32Array {
  return expectFinite(forwardClips(...of), ...of);
}

/** As `logitsOf`, computed beside the event loop. @throws also the reason of `signal` */
async function logitsBeside(signal: AbortSignal | undefined, ...of: ClipsOfModel): Promise<Float32Array> {
  const [model, clips, normalisation] = of;
  const forward = (batch: Parameters<typeof inputOf>[0]): Tensor => model.forward(inputOf(batch, model.precision));
  const logits = await forwardAsync({ forward }, { ...stackClips(clips), normalisation }, { signal });
  try {
    return expectFinite(logits.floats(), ...of);
  } finally {
    logits.dispose();
  }
}

/** Probabilities out of logits, in float64. */
export function probabilities(logits: Float32Array): Float32Array {
  const top = logits.reduce((a, b) => Math.max(a, b), -Infinity);
  const powers = Float64Array.from(logits, (x) => Math.exp(x - top));
  const sum = powers.reduce((a, b) => a + b, 0);
  return Float32Array.from(powers, (p) => p / sum);
}

/** Elementwise mean of rows. */
export function meanOfRows(rows: readonly Float32Array[]): Float32Array {
  return Float32Array.from(rows[0]!, (_, c) => rows.reduce((sum, row) => sum + row[c]!, 0) / rows.length);
}

/**
 * Logits [classes] of each view of a video, `batch` views at a time. A video's score is their mean, as in the authors'
 * test code, whose network returns logits: logits are averaged, not probabilities.
 */
export function viewLogits({ network, input }: Classifier, views: readonly Clip[], batch = 1): Float32Array[] {
  const rows: Float32Array[] = [];
  for (let first = 0; first < views.length; first += batch) {
    const some = views.slice(first, first + batch);
    const logits = logitsOf(network, some, input.normalisation);
    const classes = logits.length / some.length;
    some.forEach((_, row) => rows.push(logits.slice(row * classes, (row + 1) * classes)));
  }
  return rows;
}

/** As `viewLogits` of one view at a time, computed beside the event loop. @throws also the reason of `signal` */
export async function viewLogitsAsync(
  { network, input }: Classifier,
  views: readonly Clip[],
  signal?: AbortSignal,
): Promise<Float32Array[]> {
  const rows: Float32Array[] = [];
  for (const view of views) rows.push(await logitsBeside(signal, network, [view], input.normalisation));
  return rows;
}
