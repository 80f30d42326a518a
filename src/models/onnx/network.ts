/** The network as ONNX nodes (opset 17), stage by stage as in models/morphmlp.ts. All sizes except the batch are fixed. */
import { timeSteps, type MorphMlpConfig } from '../config';
import { MorphMLP, type Backbone } from '../morphmlp';
import { SemanticFpn } from '../semantic_fpn';
import type { Graph, Port } from '../../formats/onnx/graph';
import { writeSemanticHead } from './semantic_head';
import { half, Writer, type Tokens } from './writer';

/** The model's input for frames of `size` × `size`; images have no time dimension. */
export function inputPort({ kind, frames }: MorphMlpConfig, size: number): Port {
  return { name: 'pixels', shape: kind === 'image' ? ['batch', 3, size, size] : ['batch', 3, frames, size, size] };
}

/** Writes the stages of a model for square frames of `size`; returns the names of their tokens and their sizes. */
function writeStages(write: Writer, model: Backbone, clip: string, size: number): { x: string; at: Tokens }[] {
  const { config } = model;
  const t = timeSteps(config);
  const stages = [model.blocks1, model.blocks2, model.blocks3, model.blocks4];
  const embeds = [null, model.patch_embed2, model.patch_embed3, model.patch_embed4];
  let x = write.stem(clip, 'patch_embed1', model.patch_embed1);
  let side = half(half(size));
  return stages.map((blocks, i) => {
    const embed = embeds[i];
    if (embed) {
      side = half(side);
      x = write.downsample(x, `patch_embed${i + 1}`, embed);
    }
    const at = { t, h: side, w: side, c: config.embedDims[i]! };
    blocks.forEach((block, j) => (x = write.block(x, `blocks${i + 1}.${j}`, at, block)));
    return { x, at };
  });
}

/** Writes a model for square frames of `size` into a graph, and returns its input and output. @param argmax see `ExportOptions` */
export function writeNetwork(g: Graph, model: Backbone, size: number, argmax = false): [Port, Port] {
  const { config } = model;
  const input = inputPort(config, size);
  const write = new Writer(g);
  const clip =
    config.kind === 'image' ? g.node('Reshape', 'pixels', [input.name, g.ints([-1, 3, 1, size, size])]) : input.name;
  const stages = writeStages(write, model, clip, size);
  if (model instanceof SemanticFpn) return [input, writeSemanticHead(g, write, { model, stages, size, argmax })];
  if (!(model instanceof MorphMLP)) throw new Error('only MorphMLP and SemanticFpn are written as ONNX');
  if (argmax) throw new Error('argmax is of models that segment pictures; this one classifies clips');
  const { x, at } = stages.at(-1)!;
  const pooled = write.mean(write.layerNorm(x, 'norm', model.norm), 'norm', at);
  g.output('logits', write.linear(pooled, 'head', model.head));
  return [input, { name: 'logits', shape: ['batch', config.numClasses] }];
}
