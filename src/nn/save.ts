import type { DType } from '../core/native';
import { expectOptions } from '../core/options';
import type { Tensor } from '../core/tensor';
import { readCheckpointMeta, saveCheckpoint, type Json } from '../formats/checkpoint';
import { toFloat32, type DType as FileDType, type TensorData } from '../formats/dtypes';
import { readTensors } from '../formats/read_tensors';
import { Module, type StoredTensor } from './module';

const FILE_DTYPES: Record<DType, FileDType> = { f32: 'F32', bf16: 'BF16', i32: 'I32', u8: 'U8' };

/** Data of the caller's that `save` stores beside tensors: plain JSON. */
export interface Metadata {
  [key: string]: Json;
}

/**
 * Writes the tensors of a module, or a map such as `stateDict()`, to a safetensors file: atomically, with a CRC-32 of each. `load`
 * reads it, as does any reader of safetensors. `models.load` recognises a MorphMLP by its tensors, but only `saveWeights` keeps the
 * input specification and class names that go with them.
 * @throws if the metadata are not plain JSON or writing fails; the path then holds what it held before
 */
export function save(
  what: Module | ReadonlyMap<string, Tensor>,
  path: string,
  options: { metadata?: Metadata } = {},
): void {
  expectOptions('save', options, { metadata: true });
  const { metadata = {} } = options;
  const named = what instanceof Module ? what.stateDict() : what;
  const tensors = new Map(
    [...named].map(([name, t]): [string, TensorData] => [
      name,
      { dtype: FILE_DTYPES[t.dtype], shape: [...t.shape], data: t.data() },
    ]),
  );
  saveCheckpoint(path, { tensors, meta: { metadata } });
}

/**
 * Reads the tensors of a safetensors or PyTorch file for `loadStateDict`: `module.loadStateDict(load(path))`. 32-bit integers and
 * bytes stay as they are; all other types become float32. `readTensors` gives the types of the file.
 * @throws naming the file, if it is of another kind, damaged, or has no tensors
 */
export function load(path: string): Map<string, StoredTensor> {
  const values = ({ dtype, data }: TensorData) =>
    dtype === 'I32' || dtype === 'U8' ? (data as Int32Array | Uint8Array) : toFloat32({ dtype, shape: [], data });
  return new Map([...readTensors(path)].map(([name, t]) => [name, { shape: t.shape, data: values(t) }]));
}

/** The metadata that `save` stored in a safetensors file; empty in other safetensors files. */
export function readMetadata(path: string): Metadata {
  return (readCheckpointMeta(path).metadata ?? {}) as Metadata;
}
