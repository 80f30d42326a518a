import { extname } from 'node:path';
import pc from 'picocolors';
import { readClassNames } from '../../data/lists/class_names';
import { describeInput } from '../../data/input_spec';
import { load, type LoadOptions } from '../../models/load';
import { describeModel, recognise } from '../../models/recognise';
import { saveWeights } from '../../train/state';
import { showNotes } from './notes';

/** Arguments of `morphmlp convert`. */
export interface ConvertArguments extends Omit<LoadOptions, 'input'> {
  /** File of class names, one per line. */
  classes?: string;
  mean?: number[];
  std?: number[];
  rate?: number;
  crop?: number;
  testScale?: number;
  sampling?: 'dense' | 'segment';
  targetFps?: number;
}

/** Runs `morphmlp convert`. */
export function convert(from: string, to: string, given: ConvertArguments): void {
  const { classes, mean, std, rate, crop, testScale, sampling, targetFps, ...options } = given;
  // Rejects a misleading extension; a name without extension is fine, because files are recognised by their bytes.
  if (!['.safetensors', ''].includes(extname(to))) throw new Error(`${to}: expected a name that ends in .safetensors`);
  const classNames = classes ? readClassNames(classes) : undefined;
  const settings = Object.entries({ mean, std, rate, crop, testScale, sampling, targetFps });
  const input = Object.fromEntries(settings.filter(([, value]) => value !== undefined));
  const { network, notes, key, ...info } = load(from, { ...options, classNames, input });
  showNotes(from, { notes });
  const { model } = info;
  const found = recognise(network.stateDict(), { frames: model.frames, segmentDim: model.segmentDim });
  saveWeights(to, network, info);
  network.dispose();
  console.log(`input: ${describeInput(info.input)}`);
  if (key !== '.') console.log(`${from}: the weights under ${key}`);
  console.log(`${from}: ${describeModel(found)}, ${model.numClasses} classes`);
  console.log(`written to ${pc.bold(to)}`);
}
