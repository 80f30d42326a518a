/** What rank 0 has read from files, for the other ranks, whose hosts may not have them. */
import { rngState, setRngState, type RngState } from '../core/generator';
import { expectSame } from '../distributed/connect';
import type { Ranks } from '../distributed/ranks';
import { load, type LoadedModel, type ModelInfo } from '../models/load';
import { MorphMLP, type Backbone } from '../models/morphmlp';
import type { Settings } from './settings';
import type { Learned } from './state';
import type { TrainerState } from './trainer';

/** Overwrites the tensors of a model on all ranks by those of rank 0. */
export function shareTensors(model: Backbone, ranks: Ranks): void {
  for (const [, t] of model.namedTensors()) {
    const values = t.floats();
    ranks.broadcast(values);
    if (!ranks.isMain) t.copyFrom(values);
  }
}

function shareValues(values: ReadonlyMap<string, Float32Array>, ranks: Ranks): ReadonlyMap<string, Float32Array> {
  for (const array of values.values()) ranks.broadcast(array);
  return values;
}

/** Overwrites weights, moments, averages and random state on all ranks by those of rank 0, and returns its progress. */
export function shareRun({ model, optimizer, average }: Learned, state: TrainerState, ranks: Ranks): TrainerState {
  const { step, moments } = optimizer.stateDict();
  const shared = ranks.broadcastJson<{ state: TrainerState; random: RngState; step: number }>({
    ...{ state, random: rngState(), step },
  });
  shareTensors(model, ranks);
  shareValues(moments, ranks);
  const averages = average?.stateDict();
  if (averages) shareValues(averages, ranks);
  if (ranks.isMain) return state;
  optimizer.loadStateDict({ step: shared.step, moments });
  if (averages) average!.loadStateDict(averages);
  setRngState(shared.random);
  return shared.state;
}

/** @throws on all ranks if one of them has other settings, such as another list of files */
export function expectSameSettings(settings: Settings, ranks: Ranks): void {
  if (ranks.size > 1) expectSame(ranks, settings);
}

/** Loads a checkpoint on rank 0 and gives the model to all. */
export function loadShared(checkpoint: string, ranks: Ranks): LoadedModel {
  if (ranks.size === 1) return load(checkpoint);
  const own = ranks.isMain ? load(checkpoint) : null;
  const { network, ...facts } = own ?? ({} as LoadedModel);
  const shared = ranks.broadcastJson(facts as Omit<LoadedModel, 'network'> & ModelInfo);
  const model = network ?? new MorphMLP(shared.model);
  shareTensors(model, ranks);
  return own ?? { ...shared, network: model };
}
