import { toFloat32, type TensorData } from '../formats/dtypes';
import { weightSet } from '../formats/weight_sets';
import { readWeightsFile } from '../formats/weights_file';
import type { StoredTensor } from '../nn/module';
import type { MorphMlpConfig } from './config';
import { MorphMLP } from './morphmlp';
import { describeModel, expectVariant, recognise, type Hints } from './recognise';

/** How clips are taken for a model: what prediction must repeat. */
export interface InputSpec {
  frames: number;
  rate: number;
  crop: number;
  /** One frame of each part of a video (`segment`) or frames `rate` apart (`dense`, the default). */
  sampling?: 'dense' | 'segment';
  /** Frame rate that `rate` refers to. Default 30. */
  targetFps?: number;
  /** Test clips start at multiples of a whole step. Default true. */
  offset?: boolean;
  /** Short side of frames before the crop. Default the crop. */
  testScale?: number;
  /** Of pixels in [0, 1], a channel. Default that of the recipes, 0.45 and 0.225. */
  normalisation?: { mean: readonly number[]; std: readonly number[] };
}

/** What every checkpoint says of its model. */
export interface ModelInfo {
  model: MorphMlpConfig;
  classNames: string[];
  input: InputSpec;
}

/** The weights of a file, and what is known of their model. */
export interface Weights {
  tensors: Map<string, StoredTensor>;
  info: ModelInfo;
  /** The model in a few words. */
  what: string;
  /** Where in the file the weights stood, such as `state_dict.model`; `.` for the top. */
  key: string;
}

/** What a caller knows of a file that comes from elsewhere. */
export interface LoadOptions extends Hints {
  /** The variant that it must hold. */
  model?: string | undefined;
  /** Names of the classes; default `class 0`, `class 1`, … */
  classNames?: readonly string[] | undefined;
  /** The set of weights that is meant where the file holds several, such as `model_ema`. */
  weightsKey?: string | undefined;
}

/** A tensor that every MorphMLP has: what stands before its name shows where the weights are. */
const ANCHOR = 'blocks1.0.norm1.weight';

/** The tensors of a file as `loadStateDict` takes them, all f32. */
export function storedTensors(tensors: Map<string, TensorData>): Map<string, StoredTensor> {
  return new Map([...tensors].map(([name, t]) => [name, { shape: t.shape, data: toFloat32(t) }]));
}

/** A tensor that could not be read: an error only where its shape or data are asked for. */
function notReadTensor(reason: string): StoredTensor {
  const refuse = (): never => {
    throw new Error(reason);
  };
  return Object.defineProperties({ notRead: reason } as unknown as StoredTensor, {
    shape: { get: refuse },
    data: { get: refuse },
  });
}

interface FileContents {
  tensors: Map<string, StoredTensor>;
  key: string;
  meta: object;
  frames: number | undefined;
}

/** The frames of a clip that SlowFast's configuration names. */
function framesIn(yaml: string): number | undefined {
  const found = /^\s*NUM_FRAMES:\s*(\d+)\s*$/m.exec(yaml);
  return found ? Number(found[1]) : undefined;
}

function readFile(path: string, weightsKey: string | undefined): FileContents {
  const { tensors, notRead, key, meta, extra } = readWeightsFile(path, weightSet(ANCHOR, weightsKey));
  const stored = storedTensors(tensors);
  for (const [name, reason] of notRead) stored.set(name, notReadTensor(`${name}: ${reason}`));
  return { tensors: stored, key, meta, frames: framesIn(String(extra.get('cfg') ?? '')) };
}

function namesFor(classes: number, given: readonly string[] | undefined): string[] {
  if (given && given.length !== classes) throw new Error(`it has ${classes} classes, ${given.length} names were given`);
  return given ? [...given] : Array.from({ length: classes }, (_, i) => `class ${i}`);
}

/** A file of our own says what it holds; that of another is recognised by its tensors. */
function infoOf(tensors: Map<string, StoredTensor>, meta: Partial<ModelInfo>, options: LoadOptions): ModelInfo {
  const { model, classNames, input } = meta;
  if (model && classNames && input)
    return {
      model,
      classNames: options.classNames ? namesFor(model.numClasses, options.classNames) : classNames,
      input,
    };
  const { config } = recognise(tensors, options);
  const names = namesFor(config.numClasses, options.classNames);
  return { model: config, classNames: names, input: { frames: config.frames, rate: 4, crop: 224 } };
}

/**
 * The weights of a checkpoint of this program, a safetensors file of another, or a PyTorch file, with their model recognised.
 * @throws in one sentence that names the file
 */
export function readWeights(path: string, options: LoadOptions = {}): Weights {
  const { tensors, key, meta, frames } = readFile(path, options.weightsKey);
  try {
    const info = infoOf(tensors, meta, { ...options, frames: options.frames ?? frames });
    const found = recognise(tensors, { frames: info.model.frames, segmentDim: info.model.segmentDim });
    if (options.model) expectVariant(found, options.model);
    return { tensors, info, what: describeModel(found), key };
  } catch (error) {
    throw new Error(`${path}: ${(error as Error).message}`, { cause: error });
  }
}

/**
 * A model with the weights of a file: a checkpoint of this program, safetensors from elsewhere, or PyTorch's `.pth`.
 * @throws where the file is not a MorphMLP, or not the variant asked for (`options.model`)
 */
export function load(path: string, options: LoadOptions = {}): ModelInfo & { network: MorphMLP; key: string } {
  const { tensors, info, key } = readWeights(path, options);
  const network = new MorphMLP(info.model);
  try {
    network.loadStateDict(tensors);
  } catch (error) {
    network.dispose();
    throw new Error(`${path}: ${(error as Error).message}`, { cause: error });
  }
  return { ...info, network, key };
}
