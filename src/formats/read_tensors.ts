import type { TensorData } from './dtypes';
import { readSafetensors } from './safetensors';
import { loadPyTorch } from './torch';
import { weightsKind } from './weights_file';

/**
 * Reads the tensors of a safetensors or PyTorch file, which of them it is by its first bytes. Nothing in a PyTorch file is run; where it has
 * several dicts of tensors, the first is read.
 * @returns tensors by name, row-major, in the element type of the file
 * @throws in one sentence that names the file, if it is neither, damaged, or holds no tensors
 */
export function readTensors(path: string): Map<string, TensorData> {
  return weightsKind(path) === 'safetensors' ? readSafetensors(path).tensors : loadPyTorch(path).tensors;
}
