import { rmSync } from 'node:fs';
import path from 'node:path';
import { writeFileAtomic } from '../../formats/atomic';
import type { ModelInfo } from '../load';
import type { MorphMLP } from '../morphmlp';
import { Graph, type Initialiser, type Place } from '../../formats/onnx/graph';
import { writeNetwork } from './network';

/** A network as a file holds it. The side of the frames is `input.crop`: fixed in the file, as the chunks depend on it. */
export type Exported = Pick<ModelInfo, 'input' | 'classNames'> & { network: MorphMLP };

/** What may be chosen of an export. */
export interface ExportOptions {
  /** Written into the file as the producer's version. */
  version: string;
  /** Weights of more bytes in all than this lie in a second file, NAME.data: protobuf ends at 2 GB. */
  external?: number;
}

/** The version of ONNX's operators that files are written for. */
export const OPSET = 17;

const SMALL = 1024; // bytes; below this a weight stays in the model file, where optimisers read constants
const ALIGNMENT = 4096; // of each weight in the second file, so that it can be mapped

/** Where the float weights lie in a second file. */
function layOut(weights: readonly Initialiser[], file: string): Map<Initialiser, Place> {
  const places = new Map<Initialiser, Place>();
  let end = 0;
  for (const weight of weights.filter(({ data }) => data.byteLength >= SMALL)) {
    const offset = Math.ceil(end / ALIGNMENT) * ALIGNMENT;
    places.set(weight, { file, offset });
    end = offset + weight.data.byteLength;
  }
  return places;
}

function writeData(file: string, places: ReadonlyMap<Initialiser, Place>): void {
  writeFileAtomic(file, (write) => {
    let at = 0;
    for (const [{ data }, place] of places) {
      write(new Uint8Array(place!.offset - at));
      write(data);
      at = place!.offset + data.byteLength;
    }
  });
}

/**
 * Writes a model as ONNX (opset 17), for inference, with its input specification and class names as JSON in `metadata_props`: input `pixels` [batch, 3, T, H, W] (images: [batch, 3, H, W]), output
 * `logits` [batch, classes], any batch. Names of weights are the model's own; those of FCs are stored as [in, out].
 */
export function exportOnnx(
  { network, input, classNames }: Exported,
  file: string,
  { version, external = 2 ** 31 - 2 ** 24 }: ExportOptions,
): void {
  const graph = new Graph();
  const ports = writeNetwork(graph, network, input.crop);
  const total = graph.initialisers.reduce((sum, { data }) => sum + data.byteLength, 0);
  const places = layOut(total > external ? graph.initialisers : [], `${path.basename(file)}.data`);
  const metadata = { input: JSON.stringify(input), classNames: JSON.stringify(classNames) };
  const about = { opset: OPSET, producer: 'morphmlp', version, metadata };
  if (places.size > 0) writeData(`${file}.data`, places);
  else rmSync(`${file}.data`, { force: true });
  const bytes = graph.encode(about, ports, (weight) => places.get(weight) ?? null);
  writeFileAtomic(file, (write) => write(bytes));
}
