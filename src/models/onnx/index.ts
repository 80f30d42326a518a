import { rmSync } from 'node:fs';
import path from 'node:path';
import { expectOptions } from '../../core/options';
import { packageVersion } from '../../core/version';
import { writeFileAtomic } from '../../formats/atomic';
import type { ModelInfo } from '../load';
import type { Backbone } from '../morphmlp';
import { Graph, type Initialiser, type Place } from '../../formats/onnx/graph';
import { writeNetwork } from './network';

/** A network to export. The side of its frames is `input.crop`; the file fixes it, because the chunks depend on it. */
export type Exported = Pick<ModelInfo, 'input' | 'classNames'> & { network: Backbone };

/** Options of `exportOnnx`. */
export interface ExportOptions {
  /** The producer's version in the file; default that of this package. */
  version?: string;
  /** Total bytes of weights above which they go to a second file, NAME.data: protobuf is limited to 2 GB. */
  external?: number;
  /** Of a segmentation: the output is `classes`, those of the pixels, instead of `logits`. Default false. */
  argmax?: boolean;
}

/** ONNX operator set version of exported files. */
export const OPSET = 17;

const SMALL = 1024; // bytes; smaller weights stay in the model file, where optimisers can read them as constants
const ALIGNMENT = 4096; // offset alignment in the second file, so that weights can be memory-mapped

/** Assigns each large weight its offset in the second file. */
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
 * Writes a model as ONNX (opset 17) for inference, with its input specification and class names as JSON in `metadata_props`. Its
 * input is `pixels` [batch, 3, T, H, W] (images: [batch, 3, H, W]), its output `logits` [batch, classes], for any batch. Weights
 * have the model's names; those of FCs are stored as [in, out]. Of a segmentation, `logits` are [batch, classes, H, W], bilinear at
 * the picture's size; with `argmax` the output is `classes` instead, int64 [batch, H, W].
 * @param exported a network with its input specification and class names, such as `models.load` returns
 */
export function exportOnnx(exported: Exported, file: string, options: ExportOptions = {}): void {
  expectOptions('exportOnnx', options, { version: true, external: true, argmax: true });
  const { version = packageVersion(), external = 2 ** 31 - 2 ** 24, argmax = false } = options;
  const { network, input, classNames } = exported;
  const graph = new Graph();
  const ports = writeNetwork(graph, network, input.crop, argmax);
  const total = graph.initialisers.reduce((sum, { data }) => sum + data.byteLength, 0);
  const places = layOut(total > external ? graph.initialisers : [], `${path.basename(file)}.data`);
  const metadata = { input: JSON.stringify(input), classNames: JSON.stringify(classNames) };
  const about = { opset: OPSET, producer: 'morphmlp', version, metadata };
  if (places.size > 0) writeData(`${file}.data`, places);
  else rmSync(`${file}.data`, { force: true });
  const bytes = graph.encode(about, ports, (weight) => places.get(weight) ?? null);
  writeFileAtomic(file, (write) => write(bytes));
}
