import type { Signal } from '../core/abort_signal';
import { expectOptions } from '../core/options';
import type { LoadedModel } from '../models/load';
import { meanOfRows, probabilities, viewLogitsAsync } from './views';

/** A class and its probability. */
export interface Prediction {
  className: string;
  /** Index of the class: the row of the head. */
  index: number;
  /** From 0 to 1. */
  probability: number;
}

/** Options of `predict`. */
export interface PredictOptions {
  /** Number of classes to return. Default 5. */
  top?: number;
  /** Clips, spread over the video. Default 1, its middle. */
  clips?: number;
  /** Crops of each clip: 1, the centre, or 3, from side to side. Default 1. */
  crops?: 1 | 3;
  /** Ends the prediction: the promise then rejects with the signal's reason. */
  signal?: Signal | undefined;
}

/**
 * Classifies a video or a picture: reads its views as the model's input specification says, and averages their logits. Puts the network into
 * evaluation mode. Holds the event loop neither while it decodes nor while it computes (`forwardAsync`).
 * @param file path of a video or a picture
 * @param model what `models.load` returned
 * @returns the most probable classes, best first
 * @throws in one sentence that names the file if it cannot be read
 */
export async function predict(
  file: string,
  model: Pick<LoadedModel, 'network' | 'classNames' | 'input'>,
  options: PredictOptions = {},
): Promise<Prediction[]> {
  expectOptions('predict', options, { top: true, clips: true, crops: true, signal: true });
  const { top = 5, clips = 1, crops = 1, signal } = options;
  // Loaded at the first call: programs that only use tensors need neither the picture library nor a decoder.
  const { readViews } = await import('../data/video/video_clips.js');
  model.network.eval();
  const views = await readViews(file, model.input, { clips, crops }, signal);
  const scores = probabilities(meanOfRows(await viewLogitsAsync(model, views, signal)));
  const all = model.classNames.map((className, index) => ({ className, index, probability: scores[index]! }));
  return all.sort((a, b) => b.probability - a.probability).slice(0, top);
}
