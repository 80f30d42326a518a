/**
 * Checkpoints: one safetensors file with everything, so that weights and training state always belong to the same step. Any
 * safetensors reader can open it; additional data are in the file's metadata.
 *
 *   NAME.safetensors   tensors of the model under their own names (parameters and buffers)
 *                      tensors of the optimizer under `optimizer.` + name (absent in weights-only files)
 *                      __metadata__: format = "morphmlp", version = "1", meta = JSON text,
 *                                    crc32 = JSON text: the CRC-32 of each tensor's bytes by its name in the file
 */
import { crc32 } from 'node:zlib';
import { bytesOf } from './dtypes';
import type { TensorData } from './dtypes';
import { parseJson } from './json';
import { requireAllRead, withSafetensors, writeSafetensors } from './safetensors';
import type { SafetensorsFile } from './safetensors';
import { compareUtf8 } from './safetensors_header';

/** A value of a checkpoint's `meta`: plain JSON. Numbers must be finite; store integers beyond 2^53 as text. */
export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };

/** A checkpoint in memory. On disk, tensors are sorted by type and name. */
export interface Checkpoint {
  /** Parameters and buffers of the model, by their PyTorch names. */
  tensors: Map<string, TensorData>;
  /** Moments and other tensors of the optimizer; empty in a weights-only file. */
  optimizer: Map<string, TensorData>;
  /** The caller's data: model configuration, class names, epoch, step, data cursor, random state … */
  meta: { [key: string]: Json };
}

/** Argument of {@link saveCheckpoint}: a checkpoint whose optimizer tensors are optional. */
export type CheckpointInput = Omit<Checkpoint, 'optimizer'> & { optimizer?: Map<string, TensorData> };

const FORMAT = 'morphmlp';
const VERSION = '1';
const PREFIX = 'optimizer.';

/**
 * Writes a checkpoint atomically: after a crash at any moment the path holds the previous checkpoint or this one.
 * Equal contents give equal bytes.
 * @throws if a tensor's name starts with `optimizer.`, `meta` is not plain JSON, or writing fails
 */
export function saveCheckpoint(path: string, { tensors, optimizer = new Map(), meta }: CheckpointInput): void {
  const all = new Map<string, TensorData>();
  for (const [name, tensor] of tensors) {
    if (name.startsWith(PREFIX)) throw new Error(`${path}: tensor ${name}: names starting with ${PREFIX} are reserved`);
    all.set(name, tensor);
  }
  for (const [name, tensor] of optimizer) all.set(PREFIX + name, tensor);
  requireJson(path, 'meta', meta);
  const digests = [...all].sort(([a], [b]) => compareUtf8(a, b)).map(([name, t]) => [name, crc32(bytesOf(t.data))]);
  writeSafetensors(
    path,
    all,
    new Map([
      ...Object.entries({ format: FORMAT, version: VERSION, meta: JSON.stringify(meta) }),
      ['crc32', `{${digests.map(([name, crc]) => `${JSON.stringify(name)}:${crc}`).join()}}`],
    ]),
  );
}

/**
 * Reads a whole checkpoint. Also accepts other safetensors files; their `meta` is empty.
 * @throws if the file is invalid, or of a later version of this format
 */
export function loadCheckpoint(path: string): Checkpoint {
  return withSafetensors(path, (file) => {
    const meta = metaOf(file);
    requireAllRead(file);
    const read = checkedReader(file);
    const checkpoint: Checkpoint = { tensors: new Map(), optimizer: new Map(), meta };
    for (const name of file.tensors.keys()) {
      if (name.startsWith(PREFIX)) checkpoint.optimizer.set(name.slice(PREFIX.length), read(name));
      else checkpoint.tensors.set(name, read(name));
    }
    return checkpoint;
  });
}

/** Result of {@link verifyChecksums}. */
export interface Verified {
  tensors: number;
  /** Whether the file has checksums: checkpoints of earlier versions and files of other programs have none. */
  checked: boolean;
  /** A sentence for each tensor that is damaged, without the file's name. */
  problems: string[];
}

/** Whether an open file has checksums of its tensors. */
export const hasChecksums = (file: SafetensorsFile): boolean =>
  file.metadata.get('format') === FORMAT && file.metadata.has('crc32');

/** Whether a file is a checkpoint of this program without checksums, from an earlier version. */
export const isUnchecked = (path: string): boolean =>
  withSafetensors(path, (file) => file.metadata.get('format') === FORMAT && !hasChecksums(file));

/** Note on a checkpoint without checksums. */
export const UNCHECKED =
  'it has no checksums, as an earlier version wrote it: damage to its numbers would not be noticed';

/**
 * Reads every tensor of a safetensors file and compares it with its checksum.
 * @throws if the file is not a whole safetensors file
 */
export function verifyChecksums(path: string): Verified {
  return withSafetensors(path, (file) => {
    const read = checkedReader(file);
    const problems: string[] = [];
    for (const name of file.tensors.keys()) {
      try {
        read(name);
      } catch (error) {
        problems.push((error as Error).message.replace(`${path}: `, ''));
      }
    }
    return { tensors: file.tensors.size, checked: hasChecksums(file), problems };
  });
}

/**
 * Returns a function that reads a tensor of an open file and verifies its CRC-32. Old checkpoints and files of other programs
 * have no checksums and are not verified.
 * @throws if the checksums are invalid or lack a tensor; the returned function throws if a tensor's bytes have changed
 */
export function checkedReader(file: SafetensorsFile): (name: string) => TensorData {
  if (!hasChecksums(file)) return (name) => file.read(name);
  const text = file.metadata.get('crc32')!;
  const digests = naming(file.path, () => parseJson(text));
  if (!(digests instanceof Map)) throw new Error(`${file.path}: checkpoint metadata: crc32: expected a JSON object`);
  return (name) => {
    const tensor = file.read(name);
    const [expected, got] = [digests.get(name), crc32(bytesOf(tensor.data))];
    if (got === expected) return tensor;
    const problem =
      expected === undefined ? 'has no checksum' : `is damaged: its checksum is ${got}, not ${String(expected)}`;
    throw new Error(`${file.path}: tensor ${JSON.stringify(name)} ${problem}`);
  };
}

function naming<T>(path: string, action: () => T): T {
  try {
    return action();
  } catch (error) {
    throw new Error(`${path}: checkpoint metadata: crc32: ${(error as Error).message}`, { cause: error });
  }
}

/** Reads the `meta` of a checkpoint without its tensors; `{}` for other safetensors files. */
export function readCheckpointMeta(path: string): Checkpoint['meta'] {
  return withSafetensors(path, metaOf);
}

/** The `meta` of an open checkpoint; `{}` for other safetensors files. */
export function metaOf(file: SafetensorsFile): Checkpoint['meta'] {
  if (file.metadata.get('format') !== FORMAT) return {};
  const version = file.metadata.get('version');
  if (version !== VERSION)
    throw new Error(`${file.path}: checkpoint of format version ${version}, this program reads version ${VERSION}`);
  const meta = parseMeta(file.path, file.metadata.get('meta') ?? '');
  if (typeof meta === 'object' && meta !== null && !Array.isArray(meta)) return meta;
  throw new Error(`${file.path}: checkpoint metadata: expected a JSON object`);
}

function parseMeta(path: string, text: string): Json {
  try {
    return JSON.parse(text) as Json;
  } catch (error) {
    throw new Error(`${path}: checkpoint metadata: ${(error as Error).message}`, { cause: error });
  }
}

/** Throws unless a value is plain JSON: `JSON.stringify` silently turns NaN into null and drops functions. */
function requireJson(path: string, where: string, value: unknown): void {
  if (value === null || typeof value === 'string' || typeof value === 'boolean' || Number.isFinite(value)) return;
  if (Array.isArray(value)) return value.forEach((item, i) => requireJson(path, `${where}[${i}]`, item));
  if (isPlainObject(value)) {
    for (const [key, item] of Object.entries(value)) requireJson(path, `${where}.${key}`, item);
    return;
  }
  throw new Error(`${path}: ${where} is ${describe(value)}, expected text, a finite number, a list or a plain object`);
}

function isPlainObject(value: unknown): value is object {
  if (typeof value !== 'object' || value === null || ArrayBuffer.isView(value)) return false;
  return Object.prototype.toString.call(value) === '[object Object]' && !('toJSON' in value);
}

function describe(value: unknown): string {
  return typeof value === 'object' ? Object.prototype.toString.call(value).slice(8, -1) : String(value);
}
