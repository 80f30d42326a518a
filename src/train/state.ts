import { loadCheckpoint, saveCheckpoint, type Json } from '../io/checkpoint';
import { toFloat32, type TensorData } from '../io/dtypes';
import { storedTensors, type ModelInfo } from '../models/load';
import type { MorphMLP } from '../models/morphmlp';
import type { Optimizer } from '../optim';
import { rngState, setRngState, type RngState } from '../rng';

/** Where a run stands: what a resumed run needs besides weights, moments and random state. */
export interface RunState {
  epoch: number;
  /** Batches of the epoch that are done. */
  batch: number;
  [key: string]: Json;
}

function asData(data: Float32Array, shape: readonly number[]): TensorData {
  return { dtype: 'F32', shape: [...shape], data };
}

function weightsOf(model: MorphMLP): Map<string, TensorData> {
  return new Map([...model.stateDict()].map(([name, t]) => [name, asData(t.floats(), t.shape)]));
}

/** Writes weights and buffers alone. */
export function saveWeights(path: string, model: MorphMLP, info: ModelInfo): void {
  saveCheckpoint(path, { tensors: weightsOf(model), meta: { ...(info as unknown as Record<string, Json>) } });
}

/** Writes everything a run needs to go on as if it had never stopped. */
export function saveRun(path: string, model: MorphMLP, optimizer: Optimizer, info: ModelInfo, run: RunState): void {
  const { step, moments } = optimizer.stateDict();
  const kept = new Map([...moments].map(([name, data]) => [name, asData(data, [data.length])]));
  const training = { step, random: { ...rngState() }, run };
  const meta = { ...(info as unknown as Record<string, Json>), training };
  saveCheckpoint(path, { tensors: weightsOf(model), optimizer: kept, meta });
}

/** Puts a saved run back into a model and its optimizer, and the random state; says where the run stood. */
export function loadRun(path: string, model: MorphMLP, optimizer: Optimizer): RunState {
  const checkpoint = loadCheckpoint(path);
  const training = checkpoint.meta.training as unknown as { step: number; random: RngState; run: RunState } | undefined;
  if (!training) throw new Error(`${path}: it holds weights alone; a run resumes from last.safetensors`);
  model.loadStateDict(storedTensors(checkpoint.tensors));
  const moments = new Map([...checkpoint.optimizer].map(([name, t]) => [name, toFloat32(t)]));
  optimizer.loadStateDict({ step: training.step, moments });
  setRngState(training.random);
  return training.run;
}
