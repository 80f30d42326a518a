import { inputSpec, type InputSpec } from '../data/input_spec';
import { NORMALISATION, type Normalisation } from '../data/normalisation';
import { type Clip } from '../data/types';
import { VARIANTS, type MorphMlpConfig } from '../models/config';
import { countOps } from '../models/flops';
import { load } from '../models/load';
import { MorphMLP } from '../models/morphmlp';

/** The JSON description of a studied model and its clips. */
export interface StudyModel {
  /** The variant, or the checkpoint's file name. */
  name: string;
  /** The weights file; null for random weights. */
  checkpoint: string | null;
  config: MorphMlpConfig;
  parameters: number;
  /** Multiply-adds of one forward pass of one clip. */
  macs: number;
  /** Side of the square frames, in pixels. */
  crop: number;
  classNames: readonly string[];
  /** The clips; empty if the model was studied without data. */
  clips: readonly { path: string; label: number }[];
}

/** The model under study with its input specification and clips. */
export interface Subject {
  name: string;
  /** The weights file; null for random weights. */
  checkpoint: string | null;
  network: MorphMLP;
  input: InputSpec;
  classNames: readonly string[];
  clips: readonly Clip[];
  /** Notes on what the file left unspecified; see `Weights`. */
  notes?: readonly string[];
}

/** The models that can be studied by name. */
export const STUDY_MODELS: Readonly<Record<string, MorphMlpConfig>> = Object.fromEntries(
  Object.entries(VARIANTS).map(([name, { config }]) => [name, config]),
);

/** Loads a checkpoint. @param name the variant that it must contain, if one is expected */
export function trainedSubject(checkpoint: string, name: string | undefined): Subject {
  const { network, classNames, input, notes } = load(checkpoint, name ? { model: name } : {});
  return { name: name ?? nameOf(network.config), checkpoint, network, classNames, input, clips: [], notes };
}

/** Creates a variant with random weights. */
export function randomSubject(name: string, crop = VARIANTS[name]?.crop ?? 224): Subject {
  const config = STUDY_MODELS[name];
  if (!config) throw new Error(`model '${name}' is not one of ${Object.keys(STUDY_MODELS).join(', ')}`);
  const classNames = Array.from({ length: config.numClasses }, (_, i) => `class ${i}`);
  const input = inputSpec({ frames: config.frames, rate: 4, crop, normalisation: NORMALISATION });
  return { name, checkpoint: null, network: new MorphMLP(config), input, classNames, clips: [] };
}

const shapeOf = ({ kind, layers, embedDims, frames }: MorphMlpConfig): string =>
  JSON.stringify([kind, layers, embedDims, frames]);

/** The name of the variant with this configuration, ignoring head and drop path, or its kind if no variant matches. */
function nameOf(config: MorphMlpConfig): string {
  const found = Object.entries(STUDY_MODELS).find(([, variant]) => shapeOf(variant) === shapeOf(config));
  return found?.[0] ?? `a ${config.kind} model`;
}

/** The frame size of the subject's clips, or of its input specification if it has none. */
export const cropOf = ({ clips, input }: Subject): number => clips[0]?.height ?? input.crop;

/** The normalisation of the subject's clips. */
export const normalisationOf = ({ input }: Subject): Normalisation => input.normalisation;

/** Describes the subject for the study's JSON. */
export function describeSubject(subject: Subject): StudyModel {
  const { name, checkpoint, network, classNames, clips } = subject;
  const crop = cropOf(subject);
  const { params, macs } = countOps(network.config, { height: crop, width: crop });
  const shown = clips.map(({ path, label }) => ({ path, label }));
  return { name, checkpoint, config: network.config, parameters: params, macs, crop, classNames, clips: shown };
}
