import { expectOptions } from '../core/options';
import type { StoredTensor } from '../nn/module';
import type { Shape } from '../core/tensor';
import type { Backbone } from './morphmlp';
import { describeModel, expectSizes, HINTS, recognise, type Hints } from './recognise';

/** Options of `initialise`. */
export interface InitialiseOptions extends Hints {
  /** Keep the head's initial values if the file has another number of classes, which is otherwise an error. */
  resetHead?: boolean;
  /**
   * Inflation of a 2-D kernel to three frames: `centre` puts it on the middle frame, so that a still clip has the image's
   * features at every step; `mean` puts a third on each frame, so that the first step, whose previous frame is padding, has two
   * thirds of them.
   */
  inflate?: 'centre' | 'mean';
}

/** Report of `initialise`: copied tensors, and those that kept their initial values with the reason. */
export interface Initialised {
  from: string;
  copied: number;
  /** Lines such as `the temporal FCs: the file is an image model`. */
  fresh: string[];
}

type State = Map<string, StoredTensor>;

const isTemporal = (name: string) => /\.(t_fc|t_norm1)\./.test(name);
const isHead = (name: string) => /^(head|neck)\./.test(name);

/** Inflates [out, in, 1, h, w] to [out, in, times, h, w]. */
function inflated({ shape, data }: StoredTensor, times: number, how: 'centre' | 'mean'): StoredTensor {
  const [out, ins, , h, w] = shape as [number, number, number, number, number];
  const area = h * w;
  const values = new Float32Array(out * ins * times * area);
  const middle = (times - 1) / 2;
  for (let filter = 0; filter < out * ins; filter++)
    for (let t = 0; t < times; t++) {
      const factor = how === 'mean' ? 1 / times : Number(t === middle);
      for (let i = 0; i < area; i++) values[(filter * times + t) * area + i] = Number(data[filter * area + i]) * factor;
    }
  return { shape: [out, ins, times, h, w], data: values };
}

function startStem(state: State, own: ReadonlyMap<string, { shape: Shape }>, how: 'centre' | 'mean'): void {
  const name = 'patch_embed1.proj1.weight';
  const [stored, wanted] = [state.get(name), own.get(name)];
  if (stored && wanted && stored.shape[2] === 1 && wanted.shape[2] === 3) state.set(name, inflated(stored, 3, how));
}

function checkHead(state: State, model: Backbone, resetHead: boolean): string[] {
  const { task, numClasses: wanted } = model.config;
  if (task === 'segment' && state.has('head.weight')) {
    for (const name of state.keys()) if (isHead(name) || name.startsWith('norm.')) state.delete(name);
    return ['pyramid and head: a classifier has none'];
  }
  const last = task === 'segment' ? 'head.predict.weight' : 'head.weight';
  const classes = state.get(last)?.shape[0];
  if (classes === wanted) return [];
  if (!resetHead)
    throw new Error(`the head has ${classes} classes, this model ${wanted}: --reset-head initialises the head`);
  for (const name of state.keys()) if (isHead(name)) state.delete(name);
  return [`the head: ${classes} classes there, ${wanted} here`];
}

/**
 * Initialises a model from pretrained weights: of the same model, of an image model with the same depths and widths for a video
 * model, or of a video model with another number of frames. Copies everything except the temporal parts of a file that has none
 * or was trained on another number of frames; they keep their initial values, with which they add nothing. Their channel groups
 * depend on the number of steps, so weights for 16 frames are wrong for 32 even if the shapes agree.
 * @throws if depths or widths differ, or the head differs and `resetHead` is not set; the model is then unchanged
 */
export function initialise(
  model: Backbone,
  stored: ReadonlyMap<string, StoredTensor>,
  options: InitialiseOptions = {},
): Initialised {
  expectOptions('initialise', options, { ...HINTS, resetHead: true, inflate: true });
  const state: State = new Map(stored);
  const ours = model.config;
  const found = recognise(state, { segmentDim: ours.segmentDim, frames: options.frames });
  const from = describeModel(found);
  expectSizes(found.config, ours);
  const fresh = checkHead(state, model, options.resetHead ?? false);
  const anew = fresh.length > 0;
  if (ours.kind === 'video' && found.config.frames !== ours.frames) {
    for (const name of [...state.keys()]) if (isTemporal(name)) state.delete(name);
    fresh.push(
      `the temporal parts: ${found.config.kind === 'image' ? 'an image model has none' : `trained on ${found.config.frames} frames`}`,
    );
  }
  const own = model.stateDict();
  startStem(state, own, options.inflate ?? 'centre');
  const kept = [...own.keys()].filter((name) => !state.has(name) && !isTemporal(name) && !(isHead(name) && anew));
  if (kept.length > 0) throw new Error(`tensors are missing from it: ${kept.join(', ')}`);
  model.loadStateDict(state, { strict: false });
  return { from, copied: [...own.keys()].filter((name) => state.has(name)).length, fresh };
}
