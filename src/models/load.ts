import { expectOptions, type Known } from '../core/options';
import { UNCHECKED } from '../formats/checkpoint';
import { toFloat32, type TensorData } from '../formats/dtypes';
import { weightSet } from '../formats/weight_sets';
import { readWeightsFile } from '../formats/weights_file';
import type { StoredTensor } from '../nn/module';
import type { MorphMlpConfig } from './config';
import { foreignInput, readCfg, type Cfg, type InputGiven } from './foreign_input';
import { checkClassNames, expectSame, readInput, readModelInfo, type ModelInfo } from './model_info';
import type { Backbone, MorphMLP } from './morphmlp';
import { buildNetwork } from './network';
import type { SemanticFpn } from './semantic_fpn';
import { describeModel, expectVariant, HINTS, recognise, type Hints } from './recognise';

export type { InputSpec } from '../data/input_spec';
export type { ModelInfo } from './model_info';

/** The weights of a file, with a description of their model. */
export interface Weights {
  tensors: Map<string, StoredTensor>;
  info: ModelInfo;
  /** Short description of the model. */
  what: string;
  /**
   * Sentences on the origin of a foreign file's input settings, or that a checkpoint has no checksums, as those of earlier
   * versions. Empty for current checkpoints of this program.
   */
  notes: string[];
  /** Key of the weights in the file, such as `state_dict.model`; `.` for the top level. */
  key: string;
}

/** Options of `load` and `readWeights`, mostly for foreign files. */
export interface LoadOptions extends Hints {
  /** The required variant. */
  model?: string | undefined;
  /** Names of the classes; default `class 0`, `class 1`, … */
  classNames?: readonly string[] | undefined;
  /** Input settings that override those of the file. */
  input?: InputGiven | undefined;
  /** Channel order of the network's input. Default: that of the file's configuration, else rgb. */
  channelOrder?: 'rgb' | 'bgr' | undefined;
  /** Key of the weights to read if the file holds several sets, such as `model_ema`. */
  weightsKey?: string | undefined;
}

const LOAD_OPTIONS: Known<LoadOptions> = {
  ...HINTS,
  ...{ model: true, classNames: true, input: true, channelOrder: true, weightsKey: true },
};

/** A network with its class names and input specification. @typeParam N the network */
export interface LoadedModel<N extends Backbone = MorphMLP> extends ModelInfo {
  network: N;
  /** See `Weights`. */
  notes: string[];
  /** See `Weights`. */
  key: string;
}

/** A tensor of every MorphMLP: the prefix of its name locates the weights. */
const ANCHOR = 'blocks1.0.norm1.weight';

/** Converts the tensors of a file to f32 for `loadStateDict`. */
export function storedTensors(tensors: Map<string, TensorData>): Map<string, StoredTensor> {
  return new Map([...tensors].map(([name, t]) => [name, { shape: t.shape, data: toFloat32(t) }]));
}

/** A placeholder for a tensor that could not be read; throws when its shape or data are read. */
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
  /** The tensors that were read, in the element types of the file. */
  stored: ReadonlyMap<string, TensorData>;
  key: string;
  meta: object;
  /** See `WeightsFile`. */
  unchecked: boolean;
  /** SlowFast's configuration: text, or a dict. */
  cfg: unknown;
}

function readFile(path: string, weightsKey: string | undefined): FileContents {
  const { tensors, notRead, key, meta, unchecked, extra } = readWeightsFile(path, weightSet(ANCHOR, weightsKey));
  const stored = storedTensors(tensors);
  for (const [name, reason] of notRead) stored.set(name, notReadTensor(`${name}: ${reason}`));
  return { tensors: stored, stored: tensors, key, meta, unchecked, cfg: extra.get('cfg') };
}

/** Throws if a weight is NaN or infinite, because the scores would be too. */
function expectFinite(tensors: ReadonlyMap<string, TensorData>): void {
  for (const [name, tensor] of tensors) {
    const values = toFloat32(tensor);
    const element = values.findIndex((value) => !Number.isFinite(value));
    if (element < 0) continue;
    const value = values[element]!;
    throw new Error(
      `tensor ${name} [${tensor.shape.join(', ')}]: element ${element} is ${value}, expected a finite number`,
    );
  }
}

function namesFor(classes: number, given: readonly string[] | undefined): string[] {
  if (given && given.length !== classes) throw new Error(`it has ${classes} classes, ${given.length} names were given`);
  return given
    ? checkClassNames([...given], classes, 'the names given')
    : Array.from({ length: classes }, (_, i) => `class ${i}`);
}

const STEM = 'patch_embed1.proj1.weight';

/** Permutes the first convolution [out, 3, t, h, w] of a BGR network to take RGB. */
function swapChannels(tensors: Map<string, StoredTensor>): void {
  const stem = tensors.get(STEM)!;
  const [out, , ...kernel] = stem.shape as [number, number, ...number[]];
  const taps = kernel.reduce((a, b) => a * b, 1);
  const data = new Float32Array(stem.data.length);
  for (let filter = 0; filter < out; filter++)
    for (let channel = 0; channel < 3; channel++)
      for (let i = 0; i < taps; i++)
        data[(filter * 3 + channel) * taps + i] = Number(stem.data[(filter * 3 + 2 - channel) * taps + i]);
  tensors.set(STEM, { shape: stem.shape, data });
}

/** The caller's hints, completed by the frames and chunk lengths in `cfg`. */
function hintsOf(cfg: Cfg | null, { frames, segmentDim }: Hints): Hints {
  const said = cfg?.input.frames;
  const chunks = cfg?.segmentDim;
  const fits = Array.isArray(chunks) && chunks.length === 4 && chunks.every((n) => Number.isInteger(n) && n > 0);
  return {
    frames: frames ?? (Number.isInteger(said) && (said as number) > 0 ? (said as number) : undefined),
    segmentDim: segmentDim ?? (fits ? (chunks as unknown as MorphMlpConfig['segmentDim']) : undefined),
  };
}

/** The metadata of a checkpoint of this program, verified against its tensors. */
function ownInfo(tensors: Map<string, StoredTensor>, info: ModelInfo, { input }: LoadOptions): ModelInfo {
  const { frames, segmentDim } = info.model;
  expectSame(info.model, recognise(tensors, { frames, segmentDim }).config);
  if (!input) return info;
  const { mean = info.input.normalisation.mean, std = info.input.normalisation.std, ...others } = input;
  return { ...info, input: readInput({ ...info.input, ...others, normalisation: { mean, std } }, frames) };
}

/** The metadata of a foreign file, recognised from its tensors and SlowFast's configuration. */
function foreignInfo(
  tensors: Map<string, StoredTensor>,
  cfg: Cfg | null,
  options: LoadOptions,
): Pick<Weights, 'info' | 'notes'> {
  const { config: model } = recognise(tensors, hintsOf(cfg, options));
  const { input, notes } = foreignInput(model, cfg?.input, { ...options.input, frames: model.frames });
  const info = {
    model,
    classNames: namesFor(model.numClasses, options.classNames),
    input: readInput(input, model.frames),
  };
  return { info, notes };
}

function understand(
  { tensors, stored, meta, unchecked, cfg }: FileContents,
  options: LoadOptions,
): Pick<Weights, 'info' | 'notes'> {
  const own = readModelInfo(meta, options.classNames);
  const slowfast = cfg === undefined ? null : readCfg(cfg);
  const found = own
    ? { info: ownInfo(tensors, own, options), notes: unchecked ? [UNCHECKED] : [] }
    : foreignInfo(tensors, slowfast, options);
  expectFinite(stored);
  if ((options.channelOrder ?? slowfast?.channelOrder) !== 'bgr') return found;
  swapChannels(tensors);
  return {
    ...found,
    notes: [...found.notes, 'channels: blue, green, red; the first convolution is repacked for red, green, blue'],
  };
}

/**
 * Reads the weights of a checkpoint of this program, a foreign safetensors file or a PyTorch file, and recognises their model.
 * @throws in one sentence that names the file, and the field or the tensor that is wrong
 */
export function readWeights(path: string, options: LoadOptions = {}): Weights {
  expectOptions('readWeights', options, LOAD_OPTIONS);
  const contents = readFile(path, options.weightsKey);
  try {
    const { info, notes } = understand(contents, options);
    const { frames, segmentDim } = info.model;
    const found = recognise(contents.tensors, { frames, segmentDim });
    if (options.model) expectVariant(found, options.model);
    return { tensors: contents.tensors, info, what: describeModel(found), notes, key: contents.key };
  } catch (error) {
    throw new Error(`${path}: ${(error as Error).message}`, { cause: error });
  }
}

/**
 * Builds a classifier from a checkpoint of this program, a foreign safetensors file or a PyTorch file (`.pth`).
 * @throws if the file is not a MorphMLP, not the variant `options.model`, or a segmentation model
 */
export function load(path: string, options: LoadOptions = {}): LoadedModel {
  const weights = checkedWeights('load', path, options);
  if (weights.info.model.task === 'segment')
    throw new Error(`${path}: expected a model that classifies clips, got one that segments pictures`);
  return networkOf(path, weights) as LoadedModel;
}

/** As `load`, of a model that segments pictures. */
export function loadSegmenter(path: string, options: LoadOptions = {}): LoadedModel<SemanticFpn> {
  const weights = checkedWeights('loadSegmenter', path, options);
  if (weights.info.model.task !== 'segment')
    throw new Error(`${path}: expected a model that segments pictures, got one that classifies clips`);
  return networkOf(path, weights) as LoadedModel<SemanticFpn>;
}

/** As `load`, of a model of any task. */
export function loadNetwork(path: string, options: LoadOptions = {}): LoadedModel<Backbone> {
  return networkOf(path, checkedWeights('loadNetwork', path, options));
}

function checkedWeights(caller: string, path: string, options: LoadOptions): Weights {
  expectOptions(caller, options, LOAD_OPTIONS);
  return readWeights(path, options);
}

function networkOf(path: string, { tensors, info, notes, key }: Weights): LoadedModel<Backbone> {
  const network = buildNetwork(info.model);
  try {
    network.loadStateDict(tensors);
  } catch (error) {
    network.dispose();
    throw new Error(`${path}: ${(error as Error).message}`, { cause: error });
  }
  return { ...info, network, notes, key };
}
