/** Settings of a run that a resumed run is compared with. */
import { getDefaultDevice } from '../core/tensor';
import { PLUGGABLE, pluginFor } from '../core/plugins';
import type { Dataset } from '../data/types';
import type { RunOptions } from './options';

/** Values of settings by name, as text or a number. */
export type Settings = Record<string, string | number>;

const listOf = (dataset: Dataset): string => {
  const facts = dataset.describe();
  return String(facts['sha-256'] ?? facts['source']);
};

/** Settings that a resumed run must share with the original, so that its cursor refers to the same clips. */
export function fixedSettings(options: RunOptions, train: Dataset): Settings {
  const { batchSize, microBatch, seed, emaDecay, clips } = options;
  return {
    batchSize,
    microBatch,
    seed,
    emaDecay,
    samples: clips.samples ?? 1,
    clips: train.length,
    list: listOf(train),
  };
}

/** The leaves of a value as `a.b`, in JSON. Lists are leaves. */
function leaves(value: unknown, name: string): [string, string][] {
  if (value === undefined) return [];
  if (value === null || typeof value !== 'object' || Array.isArray(value)) return [[name, JSON.stringify(value)]];
  return Object.entries(value).flatMap(([key, inner]) => leaves(inner, name === '' ? key : `${name}.${key}`));
}

/** All other settings that change the results of a run. Those of speed, memory and output folders are not among them. */
export function otherSettings(options: RunOptions, val: Dataset | null): Settings {
  const { schedule, optimizer, clipNorm, labelSmoothing, mix, normalisation, testCrop, evalEvery, precision } = options;
  const clips = { ...options.clips, samples: undefined, timeoutMs: undefined }; // fixed, and without effect on results
  const plugins = PLUGGABLE.filter((op) => pluginFor(op)).map((op) => `${op} ${pluginFor(op)!.file}`);
  const device = { device: getDefaultDevice(), precision, ...(plugins.length > 0 ? { plugins } : {}) };
  const { freezeEpochs, balance } = options;
  const tuning = { ...(freezeEpochs > 0 ? { freezeEpochs } : {}), ...(balance === 'none' ? {} : { balance }) };
  const dropPath = options.architecture.dropPath;
  const layerDecay = optimizer.layerDecay === 1 ? undefined : optimizer.layerDecay;
  const reduction = options.fastReduction ? { reduction: 'fast' } : {}; // absent in older runs, which are exact
  const training = {
    ...reduction,
    ...(options.syncNorm ? { syncNorm: true } : {}),
    schedule,
    optimizer: { ...optimizer, layerDecay },
    clipNorm,
    labelSmoothing,
    mix,
    dropPath,
    ...tuning,
  };
  const data = { clips, normalisation, testCrop, evalEvery, validation: val && listOf(val) };
  return Object.fromEntries(leaves({ ...training, ...data, ...device }, ''));
}

/** `name now, was before` for each setting that differs. A setting that `before` lacks differs from nothing, if `whole` is false. */
export function changedSettings(before: Settings, now: Settings): string[] {
  const names = [...new Set([...Object.keys(before), ...Object.keys(now)])];
  const shown = (value: string | number | undefined): string => (value === undefined ? 'none' : String(value));
  return names
    .filter((name) => before[name] !== now[name])
    .map((name) => `${name} ${shown(now[name])} (was ${shown(before[name])})`);
}
