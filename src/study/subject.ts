import { inputSpec, type InputSpec } from '../data/input_spec';
import { NORMALISATION, type Clip, type Normalisation } from '../data/types';
import { QUICKSTART, VARIANTS, type MorphMlpConfig } from '../models/config';
import { countOps } from '../models/flops';
import { load } from '../models/load';
import { MorphMLP } from '../models/morphmlp';
import type { StudyModel } from './types';

/** A model on the table: its network, how clips are taken for it, and the clips. */
export interface Subject {
  name: string;
  /** The file of the weights; null for random ones. */
  checkpoint: string | null;
  network: MorphMLP;
  input: InputSpec;
  classNames: readonly string[];
  clips: readonly Clip[];
  /** What its file left open; see `Weights`. */
  notes?: readonly string[];
}

/** The models that can be studied by name. */
export const STUDY_MODELS: Readonly<Record<string, MorphMlpConfig>> = {
  quickstart: QUICKSTART,
  ...Object.fromEntries(Object.entries(VARIANTS).map(([name, { config }]) => [name, config])),
};

/** The weights of a checkpoint. @param name the variant it must hold, where one is expected */
export function trainedSubject(checkpoint: string, name: string | undefined): Subject {
  const { network, classNames, input, notes } = load(checkpoint, name && name !== 'quickstart' ? { model: name } : {});
  return { name: name ?? nameOf(network.config), checkpoint, network, classNames, input, clips: [], notes };
}

/** A variant with random weights. */
export function randomSubject(name: string, crop = name === 'quickstart' ? 64 : 224): Subject {
  const config = STUDY_MODELS[name];
  if (!config) throw new Error(`model '${name}' is not one of ${Object.keys(STUDY_MODELS).join(', ')}`);
  const classNames = Array.from({ length: config.numClasses }, (_, i) => `class ${i}`);
  const input = inputSpec({ frames: config.frames, rate: 4, crop, normalisation: NORMALISATION });
  return { name, checkpoint: null, network: new MorphMLP(config), input, classNames, clips: [] };
}

const shapeOf = ({ kind, layers, embedDims, frames }: MorphMlpConfig): string =>
  JSON.stringify([kind, layers, embedDims, frames]);

/** The variant of a configuration, whatever its head and its drop path; else what kind of model it is. */
function nameOf(config: MorphMlpConfig): string {
  const found = Object.entries(STUDY_MODELS).find(([, variant]) => shapeOf(variant) === shapeOf(config));
  return found?.[0] ?? `a ${config.kind} model`;
}

/** The side of the frames of a subject's clips; of its input, where there are none. */
export const cropOf = ({ clips, input }: Subject): number => clips[0]?.height ?? input.crop;

/** How a subject's clips are normalised. */
export const normalisationOf = ({ input }: Subject): Normalisation => input.normalisation;

/** What a study says of its model. */
export function describeSubject(subject: Subject): StudyModel {
  const { name, checkpoint, network, classNames, clips } = subject;
  const crop = cropOf(subject);
  const { params, macs } = countOps(network.config, { height: crop, width: crop });
  const shown = clips.map(({ path, label }) => ({ path, label }));
  return { name, checkpoint, config: network.config, parameters: params, macs, crop, classNames, clips: shown };
}
