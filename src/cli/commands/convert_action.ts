import { extname } from 'node:path';
import pc from 'picocolors';
import { readClassNames } from '../../data/lists/class_names';
import { load, type LoadOptions } from '../../models/load';
import { describeModel, recognise } from '../../models/recognise';
import { saveWeights } from '../../train/state';

/** What the command line gives. */
export interface ConvertArguments extends LoadOptions {
  /** A file of class names, one a line. */
  classes?: string;
}

/** Runs `morphmlp convert`. */
export function convert(from: string, to: string, { classes, ...options }: ConvertArguments): void {
  // Another ending would be a lie; files are recognised by their bytes, so a name may do without any.
  if (!['.safetensors', ''].includes(extname(to))) throw new Error(`${to}: expected a name that ends in .safetensors`);
  const classNames = classes ? readClassNames(classes) : undefined;
  const { network, key, ...info } = load(from, { ...options, classNames });
  const { model } = info;
  const found = recognise(network.stateDict(), { frames: model.frames, segmentDim: model.segmentDim });
  saveWeights(to, network, info);
  network.dispose();
  if (key !== '.') console.log(`${from}: the weights under ${key}`);
  console.log(`${from}: ${describeModel(found)}, ${model.numClasses} classes`);
  console.log(`written to ${pc.bold(to)}`);
}
