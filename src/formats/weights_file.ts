/** Reads weight files of any supported format, recognised by content. */
import { checkedReader, hasChecksums, metaOf } from './checkpoint';
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

/** One set of weights of a file. */
export interface WeightsFile {
  tensors: Map<string, TensorData>;
  /** Tensors of the set that are not read, with the reason; an error only if the model needs one. */
  notRead: Map<string, string>;
  /** Key of the set: path and removed prefix; `.` for unprefixed names at the top level. */
  key: string;
  /** Metadata of a checkpoint of this program; empty for other files. */
  meta: Checkpoint['meta'];
  /** Whether it is a checkpoint of this program without checksums, from an earlier version. */
  unchecked: boolean;
  /** Plain values at the top level of a PyTorch file. */
  extra: PyTorchInfo['extra'];
}

/** Bytes read to recognise the format. */
const START = 512;

/** Other formats with the same file extensions: magic bytes at a position, and advice for the error message. */
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

/** True for the start of a safetensors file: eight bytes of a length below 2^32, then JSON. */
const isSafetensors = (start: string) => start.slice(4, 9) === '\0\0\0\0{';

const isPyTorch = (start: string) => start.startsWith('PK\x03\x04') || (start[0] === '\x80' && start[1]! <= '\x05');

/**
 * Recognises the format of a file by its first bytes, or else by its name; the format's reader then reports the error.
 * @throws if the format is known but unsupported
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
 * Reads the set of weights that `choose` picks from a checkpoint of this program, whose only set is its model, a foreign
 * safetensors file, or a PyTorch file. Other tensors are not read from the disk.
 * @throws naming the file
 */
export function readWeightsFile(path: string, choose: ChooseSet): WeightsFile {
  if (weightsKind(path) === 'safetensors') return withSafetensors(path, (file) => fromSafetensors(file, choose));
  const { tensors, notRead, info } = loadPyTorch(path, choose);
  return { tensors, notRead, key: info.key, meta: {}, unchecked: false, extra: info.extra };
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
  const unchecked = Object.keys(meta).length > 0 && !hasChecksums(file);
  return { tensors, notRead, key: keyOf(set), meta, unchecked, extra: new Map() };
}

function naming<T>(path: string, action: () => T): T {
  try {
    return action();
  } catch (error) {
    throw new Error(`${path}: ${(error as Error).message}`, { cause: error });
  }
}
