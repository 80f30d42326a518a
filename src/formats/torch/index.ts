/** PyTorch checkpoints (`.pth`, `.pt`, `.pyth`) read without Python, and without running anything that they hold. */
import { allocate, bytesOf, dtypeSize, requireLittleEndian } from '../dtypes';
import type { TensorData, TypedArray } from '../dtypes';
import { withFile } from '../file';
import type { Source } from '../file';
import { openContainer } from './container';
import type { Container } from './container';
import { findState } from './state';
import type { State } from './state';
import { FormatError } from './values';
import type { StorageRef, TensorRef } from './values';

export type { Style } from './state';

/** How a file was recognised, and what it says beside the weights. */
export interface PyTorchInfo extends Omit<State, 'tensors'> {
  container: Container['kind'];
}

/** The weights of a file: contiguous, row-major, each with memory of its own. */
export interface PyTorchFile {
  tensors: Map<string, TensorData>;
  info: PyTorchInfo;
}

/**
 * Reads the weights of a PyTorch file: a plain state dict, SlowFast's `model_state`, DeiT's `model`, or `state_dict`;
 * zip or legacy container; the prefix `module.` is taken away.
 *
 * The pickle is read by a machine that knows tensors and plain containers only and runs nothing. All sizes are checked
 * before memory is taken; optimizer state is not read from the disk.
 * @throws in one sentence that names the file, what was expected and where; a refused global is named
 */
export function loadPyTorch(path: string): PyTorchFile {
  return withFile(path, loadPyTorchFrom);
}

/** The same from any source of bytes. */
export function loadPyTorchFrom(source: Source): PyTorchFile {
  requireLittleEndian();
  try {
    const container = openContainer(source);
    const { tensors, ...info } = findState(container.root);
    requireMemory(tensors, source.size);
    return { tensors: materialise(tensors, container), info: { ...info, container: container.kind } };
  } catch (error) {
    if (!(error instanceof FormatError)) throw error;
    throw new Error(`${source.path}: ${error.message}`, { cause: error });
  }
}

/** Views can name one storage many times, and repeat its elements: together they may not become much larger than the file. */
function requireMemory(tensors: Map<string, TensorRef>, fileSize: number): void {
  const limit = 4 * fileSize + (16 << 20);
  let total = 0;
  for (const [name, { count, shape, storage }] of tensors) {
    total += count * dtypeSize(storage.dtype);
    if (total > limit)
      throw new FormatError(
        `tensor ${JSON.stringify(name)} of shape [${shape}] repeats stored elements: ` +
          `${total} bytes in memory from a file of ${fileSize}, at most ${limit} are allowed`,
      );
  }
}

/** Reads every storage once. One that is exactly one tensor becomes it without a copy. */
function materialise(tensors: Map<string, TensorRef>, container: Container): Map<string, TensorData> {
  const byStorage = new Map<string, [string, TensorRef][]>();
  for (const pair of tensors) {
    const { key } = pair[1].storage;
    const users = byStorage.get(key);
    if (users) users.push(pair);
    else byStorage.set(key, [pair]);
  }
  const read = new Map<string, TensorData>();
  for (const users of byStorage.values()) readUsers(users, container, read);
  return new Map([...tensors.keys()].map((name) => [name, read.get(name) as TensorData]));
}

function readUsers(users: [string, TensorRef][], container: Container, read: Map<string, TensorData>): void {
  const { storage } = (users[0] as [string, TensorRef])[1];
  const whole = wholeStorage(storage, container);
  for (const [name, tensor] of users) {
    const { dtype } = tensor.storage;
    const data = users.length === 1 && isWhole(tensor) ? whole : gather(tensor, whole);
    read.set(name, { dtype, shape: [...tensor.shape], data });
  }
}

function wholeStorage(storage: StorageRef, container: Container): TypedArray {
  const whole = allocate(storage.dtype, storage.total);
  container.readStorage(storage, bytesOf(whole));
  return whole;
}

function isContiguous({ shape, stride }: TensorRef): boolean {
  let expected = 1;
  for (let d = shape.length - 1; d >= 0; d--) {
    if (shape[d] !== 1 && stride[d] !== expected) return false;
    expected *= shape[d] as number;
  }
  return true;
}

function isWhole(tensor: TensorRef): boolean {
  return tensor.count === tensor.storage.total && isContiguous(tensor);
}

/** The elements of a view in row-major order, in new memory. */
function gather(tensor: TensorRef, whole: TypedArray): TypedArray {
  const start = tensor.storage.start + tensor.offset;
  if (tensor.count === 0) return allocate(tensor.storage.dtype, 0);
  if (isContiguous(tensor)) return whole.slice(start, start + tensor.count);
  const out = allocate(tensor.storage.dtype, tensor.count);
  copyStrided(out, whole as Float32Array, start, tensor);
  return out;
}

/** Counts through all indices, the last fastest, and keeps the position in the storage. */
function copyStrided(out: TypedArray, whole: ArrayLike<unknown>, start: number, { shape, stride }: TensorRef): void {
  const index = shape.map(() => 0);
  let from = start;
  for (let i = 0; i < out.length; i++) {
    out[i] = whole[from] as number;
    for (let d = shape.length - 1; d >= 0; d--) {
      from += stride[d] as number;
      index[d] = (index[d] as number) + 1;
      if ((index[d] as number) < (shape[d] as number)) break;
      from -= (index[d] as number) * (stride[d] as number);
      index[d] = 0;
    }
  }
}
