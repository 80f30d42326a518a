import type { StoredTensor } from '../nn/module';
import type { Shape } from '../core/tensor';
import type { MorphMLP } from './morphmlp';
import { describeModel, expectSizes, recognise, type Hints } from './recognise';

/** How a model starts from the weights of another. */
export interface InitialiseOptions extends Hints {
  /** Keep the head's initial values where the file has another number of classes. Without it that is an error. */
  resetHead?: boolean;
  /**
   * How a 2-D kernel becomes one over three frames: `centre`, all of it on the middle frame, so that a still clip gives the
   * image's features at every step; `mean`, a third on each, which at the first step, where the frame before is padding, gives
   * two thirds.
   */
  inflate?: 'centre' | 'mean';
}

/** What was taken over, and what kept its initial values and why. */
export interface Initialised {
  from: string;
  copied: number;
  /** Lines such as `the temporal FCs: the file is an image model`. */
  fresh: string[];
}

type State = Map<string, StoredTensor>;

const isTemporal = (name: string) => /\.(t_fc|t_norm1)\./.test(name);
const isHead = (name: string) => name.startsWith('head.');

/** [out, in, 1, h, w] as [out, in, times, h, w]. */
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

function checkHead(state: State, model: MorphMLP, resetHead: boolean): string[] {
  const classes = state.get('head.weight')?.shape[0];
  const wanted = model.config.numClasses;
  if (classes === wanted) return [];
  if (!resetHead)
    throw new Error(`the head has ${classes} classes, this model ${wanted}: --reset-head starts the head anew`);
  for (const name of state.keys()) if (isHead(name)) state.delete(name);
  return [`the head: ${classes} classes there, ${wanted} here`];
}

/**
 * Starts a model from the weights of a pretrained one: the same model, an image model of the same depths and widths for a video
 * model, or a video model of another number of frames. Everything but time is copied. The temporal parts keep their initial
 * values, with which they add nothing, where the file has none or was trained on other frames: their groups of channels depend
 * on the number of steps, so that even where shapes agree the weights of 16 frames mean something else on 32.
 * @throws where depths or widths differ, or the head does and `resetHead` is not set; the model is then unchanged
 */
export function initialise(
  model: MorphMLP,
  stored: ReadonlyMap<string, StoredTensor>,
  options: InitialiseOptions = {},
): Initialised {
  const state: State = new Map(stored);
  const ours = model.config;
  const found = recognise(state, { segmentDim: ours.segmentDim, frames: options.frames });
  const from = describeModel(found);
  expectSizes(found.config, ours);
  const fresh = checkHead(state, model, options.resetHead ?? false);
  if (ours.kind === 'video' && found.config.frames !== ours.frames) {
    for (const name of [...state.keys()]) if (isTemporal(name)) state.delete(name);
    fresh.push(
      `the temporal parts: ${found.config.kind === 'image' ? 'an image model has none' : `trained on ${found.config.frames} frames`}`,
    );
  }
  const own = model.stateDict();
  startStem(state, own, options.inflate ?? 'centre');
  const kept = [...own.keys()].filter(
    (name) => !state.has(name) && !isTemporal(name) && !(isHead(name) && options.resetHead),
  );
  if (kept.length > 0) throw new Error(`tensors are missing from it: ${kept.join(', ')}`);
  model.loadStateDict(state, { strict: false });
  return { from, copied: [...own.keys()].filter((name) => state.has(name)).length, fresh };
}
