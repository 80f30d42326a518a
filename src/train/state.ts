import { loadCheckpoint, readCheckpointMeta, saveCheckpoint, type Json } from '../formats/checkpoint';
import { toFloat32, type TensorData } from '../formats/dtypes';
import { storedTensors, type ModelInfo } from '../models/load';
import type { Backbone } from '../models/morphmlp';
import { expectSizes } from '../models/recognise';
import type { MovingAverage, Optimizer } from '../optim';
import { rngState, setRngState, type RngState } from '../core/generator';

/** Progress of a run: all that resuming needs besides weights, moments and random state. */
export interface RunState {
  epoch: number;
  /** Completed batches of the epoch. */
  batch: number;
  [key: string]: Json;
}

function asData(data: Float32Array, shape: readonly number[]): TensorData {
  return { dtype: 'F32', shape: [...shape], data };
}

function weightsOf(model: Backbone): Map<string, TensorData> {
  return new Map([...model.stateDict()].map(([name, t]) => [name, asData(t.floats(), t.shape)]));
}

/**
 * Writes a model's parameters and buffers to one safetensors file, which `models.load` reads: atomically, with a CRC-32 of each tensor.
 * @param info the configuration, class names and input specification that go with the weights
 * @param epoch number of the epoch after which a run had these weights, from 1
 * @throws if writing fails; the path then holds what it held before
 */
export function saveWeights(path: string, model: Backbone, info: ModelInfo, epoch?: number): void {
  const meta = { ...(info as unknown as Record<string, Json>), ...(epoch === undefined ? {} : { epoch }) };
  saveCheckpoint(path, { tensors: weightsOf(model), meta });
}

/** The epoch of saved weights; undefined if the file does not say. @throws if it is not a safetensors file */
export function savedEpoch(path: string): number | undefined {
  const { epoch } = readCheckpointMeta(path);
  return typeof epoch === 'number' ? epoch : undefined;
}

/** State that training changes, besides the random state: weights, moments, averaged weights. */
export interface Learned {
  model: Backbone;
  optimizer: Optimizer;
  average: MovingAverage | null;
}

/** Writes all state that resuming needs. */
export function saveRun(path: string, { model, optimizer, average }: Learned, info: ModelInfo, run: RunState): void {
  const { step, moments } = optimizer.stateDict();
  const all = [...moments, ...(average?.stateDict() ?? [])];
  const kept = new Map(all.map(([name, data]) => [name, asData(data, [data.length])]));
  const training = { step, random: { ...rngState() }, run };
  const meta = { ...(info as unknown as Record<string, Json>), training };
  saveCheckpoint(path, { tensors: weightsOf(model), optimizer: kept, meta });
}

/** Reads the progress of a saved run without its tensors. @throws if the file contains weights only */
export function readRunState(path: string): RunState {
  const training = readCheckpointMeta(path).training as unknown as { run: RunState } | undefined;
  if (!training) throw new Error(`${path}: it holds weights alone; a run resumes from last.safetensors`);
  return training.run;
}

/** Throws one sentence with both models if depth, width or a switch differs, in place of a list of tensors. */
function expectModel(path: string, { model: saved }: Partial<ModelInfo>, model: Backbone): void {
  try {
    if (saved) expectSizes(saved, model.config);
  } catch (error) {
    throw new Error(`${path}: ${(error as Error).message}`, { cause: error });
  }
}

/** Restores a saved run's model, optimizer and random state; returns its progress. */
export function loadRun(path: string, { model, optimizer, average }: Learned): RunState {
  const checkpoint = loadCheckpoint(path);
  const training = checkpoint.meta.training as unknown as { step: number; random: RngState; run: RunState } | undefined;
  if (!training) throw new Error(`${path}: it holds weights alone; a run resumes from last.safetensors`);
  expectModel(path, checkpoint.meta as unknown as Partial<ModelInfo>, model);
  model.loadStateDict(storedTensors(checkpoint.tensors));
  const moments = new Map([...checkpoint.optimizer].map(([name, t]) => [name, toFloat32(t)]));
  optimizer.loadStateDict({ step: training.step, moments });
  average?.loadStateDict(moments);
  setRngState(training.random);
  return training.run;
}
