import { toFloat32, type TensorData } from '../formats/dtypes';
import { weightSet } from '../formats/weight_sets';
import { readWeightsFile } from '../formats/weights_file';
import type { StoredTensor } from '../nn/module';
import type { MorphMlpConfig } from './config';
import { foreignInput, readCfg, type Cfg, type InputGiven } from './foreign_input';
import { checkClassNames, expectSame, readInput, readModelInfo, type ModelInfo } from './model_info';
import { MorphMLP } from './morphmlp';
import { describeModel, expectVariant, recognise, type Hints } from './recognise';

export type { InputSpec } from '../data/input_spec';
export type { ModelInfo } from './model_info';

/** The weights of a file, and what is known of their model. */
export interface Weights {
  tensors: Map<string, StoredTensor>;
  info: ModelInfo;
  /** The model in a few words. */
  what: string;
  /** Sentences about the input that a file from elsewhere says or leaves open. Empty for checkpoints of this program. */
  notes: string[];
  /** Where in the file the weights stood, such as `state_dict.model`; `.` for the top. */
  key: string;
}

/** What a caller knows of a file that comes from elsewhere. */
export interface LoadOptions extends Hints {
  /** The variant that it must hold. */
  model?: string | undefined;
  /** Names of the classes; default `class 0`, `class 1`, … */
  classNames?: readonly string[] | undefined;
  /** Settings of the input, in place of what the file says. */
  input?: InputGiven | undefined;
  /** Order in which the network takes its channels. Default that of the file's configuration, else rgb. */
  channelOrder?: 'rgb' | 'bgr' | undefined;
  /** The set of weights that is meant where the file holds several, such as `model_ema`. */
  weightsKey?: string | undefined;
}

/** A network with everything that belongs to it: its classes, and the specification of its input. */
export interface LoadedModel extends ModelInfo {
  network: MorphMLP;
  /** See `Weights`. */
  notes: string[];
  /** See `Weights`. */
  key: string;
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
  /** Those that were read, as they stand in the file. */
  stored: ReadonlyMap<string, TensorData>;
  key: string;
  meta: object;
  /** SlowFast's configuration: text, or a dict. */
  cfg: unknown;
}

function readFile(path: string, weightsKey: string | undefined): FileContents {
  const { tensors, notRead, key, meta, extra } = readWeightsFile(path, weightSet(ANCHOR, weightsKey));
  const stored = storedTensors(tensors);
  for (const [name, reason] of notRead) stored.set(name, notReadTensor(`${name}: ${reason}`));
  return { tensors: stored, stored: tensors, key, meta, cfg: extra.get('cfg') };
}

/** Throws where a weight that was read is NaN or infinite: its scores would be too. */
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

/** Repacks the first convolution [out, 3, t, h, w] of a network that takes blue, green, red for red, green, blue. */
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

/** Frames and chunk lengths that `cfg` names, where the caller gives none. */
function hintsOf(cfg: Cfg | null, { frames, segmentDim }: Hints): Hints {
  const said = cfg?.input.frames;
  const chunks = cfg?.segmentDim;
  const fits = Array.isArray(chunks) && chunks.length === 4 && chunks.every((n) => Number.isInteger(n) && n > 0);
  return {
    frames: frames ?? (Number.isInteger(said) && (said as number) > 0 ? (said as number) : undefined),
    segmentDim: segmentDim ?? (fits ? (chunks as unknown as MorphMlpConfig['segmentDim']) : undefined),
  };
}

/** A checkpoint of our own: its metadata, held against its tensors. */
function ownInfo(tensors: Map<string, StoredTensor>, info: ModelInfo, { input }: LoadOptions): ModelInfo {
  const { frames, segmentDim } = info.model;
  expectSame(info.model, recognise(tensors, { frames, segmentDim }).config);
  if (!input) return info;
  const { mean = info.input.normalisation.mean, std = info.input.normalisation.std, ...others } = input;
  return { ...info, input: readInput({ ...info.input, ...others, normalisation: { mean, std } }, frames) };
}

/** A file from elsewhere: recognised by its tensors and SlowFast's configuration. */
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
  { tensors, stored, meta, cfg }: FileContents,
  options: LoadOptions,
): Pick<Weights, 'info' | 'notes'> {
  const own = readModelInfo(meta, options.classNames);
  const slowfast = cfg === undefined ? null : readCfg(cfg);
  const found = own
    ? { info: ownInfo(tensors, own, options), notes: [] as string[] }
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
 * The weights of a checkpoint of this program, a safetensors file of another, or a PyTorch file, with their model recognised.
 * @throws in one sentence that names the file, and the field or the tensor that is wrong
 */
export function readWeights(path: string, options: LoadOptions = {}): Weights {
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
 * A model with the weights of a file: a checkpoint of this program, safetensors from elsewhere, or PyTorch's `.pth`.
 * @throws where the file is not a MorphMLP, or not the variant asked for (`options.model`)
 */
export function load(path: string, options: LoadOptions = {}): LoadedModel {
  const { tensors, info, notes, key } = readWeights(path, options);
  const network = new MorphMLP(info.model);
  try {
    network.loadStateDict(tensors);
  } catch (error) {
    network.dispose();
    throw new Error(`${path}: ${(error as Error).message}`, { cause: error });
  }
  return { ...info, network, notes, key };
}
