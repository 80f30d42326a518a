import { statSync } from 'node:fs';
import pc from 'picocolors';
import { load } from '../../models/load';
import { exportOnnx, OPSET } from '../../formats/onnx';
import { packageVersion } from '../../core/version';

/** What the command line gives. */
export interface ExportArguments {
  opset: number;
  size?: number;
}

/** Runs `morphmlp export`. */
export function exportModel(checkpoint: string, file: string, { opset, size }: ExportArguments): void {
  if (opset !== OPSET) throw new Error(`--opset ${opset}: expected ${OPSET}, the version that is written`);
  if (!file.endsWith('.onnx')) throw new Error(`${file}: expected a name that ends in .onnx`);
  const { network, model, input } = load(checkpoint);
  exportOnnx(network, file, { size: size ?? input.crop, version: packageVersion() });
  network.dispose();
  const frames = model.kind === 'video' ? `${model.frames} frames of ` : '';
  const side = size ?? input.crop;
  console.log(`${checkpoint}: ${frames}${side}x${side}, ${model.numClasses} classes, opset ${OPSET}`);
  console.log(`written to ${pc.bold(file)}, ${(statSync(file).size / 1e6).toFixed(1)} MB`);
}
