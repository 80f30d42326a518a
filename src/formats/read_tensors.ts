import type { TensorData } from './dtypes';
import { readSafetensors } from './safetensors';
import { loadPyTorch } from './torch';
import { weightsKind } from './weights_file';

/**
 * Reads the tensors of a safetensors or PyTorch file, which is recognised by its first bytes. Nothing in a PyTorch file is executed;
 * of several dicts of tensors the first is read.
 * @returns tensors by name, row-major, in the element type of the file
 * @throws naming the file, if it is of another kind, damaged, or has no tensors
 */
export function readTensors(path: string): Map<string, TensorData> {
  return weightsKind(path) === 'safetensors' ? readSafetensors(path).tensors : loadPyTorch(path).tensors;
}
