/** Files of weights, whatever program wrote them and whatever they are called. */
import { checkedReader, metaOf } from './checkpoint';
import type { Checkpoint } from './checkpoint';
import type { TensorData } from './dtypes';
import { withFile } from './file';
import type { Source } from './file';
import { loadPyTorch } from './torch';
import type { PyTorchInfo } from './torch';
import { notReadReason, withSafetensors } from './safetensors';
import type { SafetensorsFile } from './safetensors';
import { keyOf } from './weight_sets';
import type { ChooseSet } from './weight_sets';

/** One set of weights out of a file. */
export interface WeightsFile {
  tensors: Map<string, TensorData>;
  /** Names of the set whose value is not read, and why: an error only where the model needs one. */
  notRead: Map<string, string>;
  /** Where the set stood: keys and prefix that its names had; `.` for the file's own names. */
  key: string;
  /** What a checkpoint of this program says of itself; empty for other files. */
  meta: Checkpoint['meta'];
  /** Plain values at the top of a PyTorch file. */
  extra: PyTorchInfo['extra'];
}

/** Bytes that tell the kinds apart. */
const START = 512;

/** Kinds that are met under the names of weights: the bytes at a place of the file, and what to do. */
const FOREIGN: readonly (readonly [at: number, magic: string, what: string])[] = [
  [0, '\x1f\x8b', 'a gzip file; unpack it first'],
  [0, '\xfd7zXZ', 'an xz file; unpack it first'],
  [0, '\x28\xb5\x2f\xfd', 'a Zstandard file; unpack it first'],
  [0, 'BZh', 'a bzip2 file; unpack it first'],
  [0, '\x89HDF\r\n', 'an HDF5 file (Keras), which is not read'],
  [0, '\x93NUMPY', 'a NumPy array, which is not read'],
  [0, 'GGUF', 'a GGUF file, which is not read'],
  [0, 'version https://git-lfs', 'the pointer of Git LFS, not the file itself; fetch it with: git lfs pull'],
  [257, 'ustar', 'a tar archive; unpack it, or, where PyTorch before 0.2 wrote it, save it again with a later one'],
];

function startOf(source: Source): string {
  return source.bytes(0, Math.min(START, source.size), 'the first bytes').toString('latin1');
}

/** Whether the bytes are those of a safetensors file: eight of a length below 2^32, then JSON. */
const isSafetensors = (start: string) => start.slice(4, 9) === '\0\0\0\0{';

const isPyTorch = (start: string) => start.startsWith('PK\x03\x04') || (start[0] === '\x80' && start[1]! <= '\x05');

/**
 * The kind of a file by its first bytes; where they say nothing, that of its name, whose reader then says what is wrong.
 * @throws where it is of a kind that is known and not read
 */
export function weightsKind(path: string): 'safetensors' | 'pytorch' {
  const start = withFile(path, startOf);
  if (isSafetensors(start)) return 'safetensors';
  if (isPyTorch(start)) return 'pytorch';
  const foreign = FOREIGN.find(([at, magic]) => start.startsWith(magic, at));
  if (foreign) throw new Error(`${path}: expected a PyTorch or safetensors file, got ${foreign[2]}`);
  return path.toLowerCase().endsWith('.safetensors') ? 'safetensors' : 'pytorch';
}

/**
 * Reads the set of weights that `choose` picks: from a checkpoint of this program, whose only set is its model, from a
 * safetensors file of another, or from a PyTorch file. Only these tensors are read from the disk.
 * @throws in one sentence that names the file
 */
export function readWeightsFile(path: string, choose: ChooseSet): WeightsFile {
  if (weightsKind(path) === 'safetensors') return withSafetensors(path, (file) => fromSafetensors(file, choose));
  const { tensors, notRead, info } = loadPyTorch(path, choose);
  return { tensors, notRead, key: info.key, meta: {}, extra: info.extra };
}

function fromSafetensors(file: SafetensorsFile, choose: ChooseSet): WeightsFile {
  const meta = metaOf(file);
  const read = checkedReader(file);
  const names = [...file.tensors.keys(), ...file.others.keys()].filter((name) => !name.startsWith('optimizer.'));
  const set = naming(file.path, () => choose([{ path: '', names }]));
  const tensors = new Map<string, TensorData>();
  const notRead = new Map<string, string>();
  for (const [name, wanted] of set.members) {
    const other = file.others.get(name);
    if (other) notRead.set(wanted, notReadReason(name, other));
    else tensors.set(wanted, read(name));
  }
  return { tensors, notRead, key: keyOf(set), meta, extra: new Map() };
}

function naming<T>(path: string, action: () => T): T {
  try {
    return action();
  } catch (error) {
    throw new Error(`${path}: ${(error as Error).message}`, { cause: error });
  }
}
