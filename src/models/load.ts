import { loadCheckpoint } from '../formats/checkpoint';
import { toFloat32, type TensorData } from '../formats/dtypes';
import { loadPyTorch } from '../formats/torch';
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
}

/** What a caller knows of a file that comes from elsewhere. */
export interface LoadOptions extends Hints {
  /** The variant that it must hold. */
  model?: string | undefined;
  /** Names of the classes; default `class 0`, `class 1`, … */
  classNames?: readonly string[] | undefined;
}

/** The tensors of a file as `loadStateDict` takes them, all f32. */
export function storedTensors(tensors: Map<string, TensorData>): Map<string, StoredTensor> {
  return new Map([...tensors].map(([name, t]) => [name, { shape: t.shape, data: toFloat32(t) }]));
}

const isPyTorch = (path: string) => /\.(pth|pt|pyth|bin|ckpt)$/i.test(path);

/** The frames of a clip that SlowFast's configuration names. */
function framesIn(yaml: string): number | undefined {
  const found = /^\s*NUM_FRAMES:\s*(\d+)\s*$/m.exec(yaml);
  return found ? Number(found[1]) : undefined;
}

function readFile(path: string): { tensors: Map<string, StoredTensor>; meta: object; frames?: number | undefined } {
  if (isPyTorch(path)) {
    const { tensors, info } = loadPyTorch(path);
    return { tensors: storedTensors(tensors), meta: {}, frames: framesIn(String(info.extra.get('cfg') ?? '')) };
  }
  const { tensors, meta } = loadCheckpoint(path);
  return { tensors: storedTensors(tensors), meta };
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
  const { tensors, meta, frames } = readFile(path);
  try {
    const info = infoOf(tensors, meta, { ...options, frames: options.frames ?? frames });
    const found = recognise(tensors, { frames: info.model.frames, segmentDim: info.model.segmentDim });
    if (options.model) expectVariant(found, options.model);
    return { tensors, info, what: describeModel(found) };
  } catch (error) {
    throw new Error(`${path}: ${(error as Error).message}`, { cause: error });
  }
}

/**
 * A model with the weights of a file: a checkpoint of this program, safetensors from elsewhere, or PyTorch's `.pth`.
 * @throws where the file is not a MorphMLP, or not the variant asked for (`options.model`)
 */
export function load(path: string, options: LoadOptions = {}): ModelInfo & { network: MorphMLP } {
  const { tensors, info } = readWeights(path, options);
  const network = new MorphMLP(info.model);
  try {
    network.loadStateDict(tensors);
  } catch (error) {
    network.dispose();
    throw new Error(`${path}: ${(error as Error).message}`, { cause: error });
  }
  return { ...info, network };
}
