/** Learning rates that fall from the head down, for fine-tuning. */
import type { Backbone } from '../models/morphmlp';
import { parameterGroups, type ParameterGroup } from '../optim';

/** Number of each parameter's layer: the head is 0, the last block 1, …; a stage's embedding goes with its first block. */
export function layersFromHead(model: Backbone): Map<string, number> {
  const { layers } = model.config;
  const blocks = layers.reduce((a, b) => a + b, 0);
  const first = layers.map((_, stage) => layers.slice(0, stage).reduce((a, b) => a + b, 0));
  const layerOf = (name: string): number => {
    const [, part, stage, block = '0'] = /^(blocks|patch_embed)(\d)(?:\.(\d+))?/.exec(name) ?? [];
    if (part === undefined) return name.startsWith('head.') ? 0 : 1; // the last norm goes with the last block
    const at = first[Number(stage) - 1]! + (part === 'blocks' ? Number(block) : 0);
    return blocks - at;
  };
  return new Map(model.namedParameters().map(([name]) => [name, layerOf(name)]));
}

/**
 * Groups of parameters whose learning rate is `lr` · `decay`^layer (Clark et al., "ELECTRA", 2020); the head's come first. Weight
 * decay as in `parameterGroups`, or on all.
 */
export function layerGroups(
  model: Backbone,
  { lr, decay, weightDecay, decayAll }: { lr: number; decay: number; weightDecay: number; decayAll: boolean },
): ParameterGroup[] {
  const layers = layersFromHead(model);
  const named = model.namedParameters();
  return [...new Set(layers.values())]
    .sort((a, b) => a - b)
    .flatMap((layer) => {
      const params = named.filter(([name]) => layers.get(name) === layer).map(([, p]) => p);
      const groups = decayAll ? [{ params, weightDecay }] : parameterGroups(params, weightDecay);
      return groups.map((group) => ({ ...group, lr: lr * decay ** layer }));
    });
}
