/** Reads PyTorch checkpoints (`.pth`, `.pt`, `.pyth`) without Python and without executing any of their code. */
import { allocate, bytesOf, dtypeSize, requireLittleEndian } from '../dtypes';
import type { DType, TensorData, TypedArray } from '../dtypes';
import { withFile } from '../file';
import type { Source } from '../file';
import { openContainer } from './container';
import type { Container } from './container';
import { keyOf, wholeDict } from '../weight_sets';
import type { ChooseSet, WeightSet } from '../weight_sets';
import { hasTensors, scalarsOf, tensorDicts } from './state';
import type { FoundDict } from './state';
import { FormatError, TensorRef } from './values';
import type { StorageRef } from './values';

/** Container, location of the weights, and plain values of a file. */
export interface PyTorchInfo {
  container: Container['kind'];
  /** Location of the tensors: the keys of their dict, and the prefix that was removed from their names. */
  key: string;
  /** Plain values at the top level: `epoch`, `cfg` (SlowFast's configuration as YAML) … */
  extra: ReturnType<typeof scalarsOf>;
}

/** The weights of a file: contiguous, row-major, without shared memory. */
export interface PyTorchFile {
  tensors: Map<string, TensorData>;
  /** Tensors of the set that are not read, with the reason, such as another class or element type. */
  notRead: Map<string, string>;
  info: PyTorchInfo;
}

/**
 * Reads one set of tensors of a PyTorch file, zip or legacy container: the one that `choose` picks among all dicts with tensors, at
 * any depth. Default: the first such dict.
 *
 * The pickle machine supports only tensors and plain containers and executes no code; other objects become placeholders. All sizes
 * are checked before memory is allocated; tensors that were not chosen are not read from the disk.
 * @throws naming the file, what was expected and where, and a refused global
 */
export function loadPyTorch(path: string, choose?: ChooseSet): PyTorchFile {
  return withFile(path, (file) => loadPyTorchFrom(file, choose));
}

/** `loadPyTorch` from any source of bytes. */
export function loadPyTorchFrom(source: Source, choose: ChooseSet = wholeFirst): PyTorchFile {
  requireLittleEndian();
  try {
    const container = openContainer(source);
    const { key, tensors, notRead } = chosen(tensorDicts(container.root), choose);
    requireMemory(tensors, container.size);
    const info = { container: container.kind, key, extra: scalarsOf(container.root) };
    return { tensors: materialise(tensors, container), notRead, info };
  } catch (error) {
    if (!(error instanceof FormatError)) throw error;
    throw new Error(`${source.path}: ${error.message}`, { cause: error });
  }
}

const wholeFirst: ChooseSet = (dicts) => wholeDict((dicts as FoundDict[]).find(hasTensors) as FoundDict);

/** The entries of the chosen set under the model's names. */
function chosen(
  dicts: FoundDict[],
  choose: ChooseSet,
): { key: string; tensors: Map<string, TensorRef>; notRead: Map<string, string> } {
  const set = chooseOrExplain(dicts, choose);
  const { entries } = set.dict as FoundDict;
  const tensors = new Map<string, TensorRef>();
  const notRead = new Map<string, string>();
  for (const [name, wanted] of set.members) {
    const entry = entries.get(name)!;
    if (entry instanceof TensorRef) tensors.set(wanted, entry);
    else notRead.set(wanted, entry.reason);
  }
  const [reason] = notRead.values();
  if (tensors.size === 0) throw new FormatError(reason ?? 'holds no tensors');
  return { key: keyOf(set), tensors, notRead };
}

/** Chooses a set. If none fits, the error names objects that are not read: the weights may be in one, such as a whole module. */
function chooseOrExplain(dicts: FoundDict[], choose: ChooseSet): WeightSet {
  try {
    return choose(dicts);
  } catch (error) {
    const objects = dicts.flatMap((dict) =>
      [...dict.entries].flatMap(([prefix, entry]) =>
        entry instanceof TensorRef ? [] : [`; ${keyOf({ dict, prefix })} is not read: ${entry.reason}`],
      ),
    );
    const hint = objects[0] ?? '';
    throw new FormatError((error as Error).message + hint, { cause: error });
  }
}

/** Limits the memory of all tensors relative to the file's size: views can share a storage and repeat its elements. */
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

/** Reads each storage once. A tensor that covers its storage exactly is not copied. */
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
    if (tensor.negative) negate(data, dtype);
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

/** Negates every element in place; F16 and BF16 are raw bits with the sign in the highest. */
function negate(data: TypedArray, dtype: DType): void {
  if (dtype === 'F16' || dtype === 'BF16') for (let i = 0; i < data.length; i++) (data as Uint16Array)[i]! ^= 0x8000;
  else if (data instanceof BigInt64Array) for (let i = 0; i < data.length; i++) data[i] = -data[i]!;
  else if (dtype !== 'BOOL') for (let i = 0; i < data.length; i++) data[i] = -(data[i] as number);
}

/** Copies a strided view in row-major order. */
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
