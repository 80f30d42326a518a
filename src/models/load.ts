import { loadCheckpoint, type Checkpoint } from '../io/checkpoint';
import { toFloat32, type TensorData } from '../io/dtypes';
import type { StoredTensor } from '../nn/module';
import type { MorphMlpConfig } from './config';
import { MorphMLP } from './morphmlp';

/** How clips are taken for a model: what prediction must repeat. */
export interface InputSpec {
  frames: number;
  rate: number;
  crop: number;
}

/** What every checkpoint says of its model. */
export interface ModelInfo {
  model: MorphMlpConfig;
  classNames: string[];
  input: InputSpec;
}

function infoOf(path: string, { meta }: Checkpoint): ModelInfo {
  const { model, classNames, input } = meta as unknown as Partial<ModelInfo>;
  if (!model || !classNames || !input)
    throw new Error(`${path}: not a checkpoint of this program: it does not say which model it holds`);
  return { model, classNames, input };
}

/** The tensors of a file as `loadStateDict` takes them, all f32. */
export function storedTensors(tensors: Map<string, TensorData>): Map<string, StoredTensor> {
  return new Map([...tensors].map(([name, t]) => [name, { shape: t.shape, data: toFloat32(t) }]));
}

/** The model of a checkpoint that training wrote, with its weights, class names and input. */
export function load(path: string): ModelInfo & { network: MorphMLP } {
  const checkpoint = loadCheckpoint(path);
  const info = infoOf(path, checkpoint);
  const network = new MorphMLP(info.model);
  network.loadStateDict(storedTensors(checkpoint.tensors));
  return { ...info, network };
}
