import { statSync } from 'node:fs';
import pc from 'picocolors';
import { describeInput } from '../../data/input_spec';
import { loadNetwork, type InputSpec } from '../../models/load';
import { exportOnnx, OPSET } from '../../models/onnx';
import { showNotes } from './notes';

/** Arguments of `morphmlp export`. */
export interface ExportArguments {
  opset: number;
  size?: number;
  argmax?: boolean;
}

/** Input specification for another crop, with the short side scaled in proportion. */
function resized(input: InputSpec, size: number | undefined): InputSpec {
  if (size === undefined) return input;
  return { ...input, crop: size, testScale: Math.round((input.testScale * size) / input.crop) };
}

/** Runs `morphmlp export`. */
export function exportModel(checkpoint: string, file: string, { opset, size, argmax = false }: ExportArguments): void {
  if (opset !== OPSET) throw new Error(`--opset ${opset}: expected ${OPSET}, the version that is written`);
  if (!file.endsWith('.onnx')) throw new Error(`${file}: expected a name that ends in .onnx`);
  const { network, model, classNames, notes, ...info } = loadNetwork(checkpoint);
  showNotes(checkpoint, { notes });
  const input = resized(info.input, size);
  exportOnnx({ network, input, classNames }, file, { argmax });
  network.dispose();
  const frames = model.kind === 'video' ? `${model.frames} frames of ` : '';
  console.log(`input: ${describeInput(input)}`);
  console.log(`${checkpoint}: ${frames}${input.crop}x${input.crop}, ${model.numClasses} classes, opset ${OPSET}`);
  console.log(`written to ${pc.bold(file)}, ${(statSync(file).size / 1e6).toFixed(1)} MB`);
}
