/** The two containers of `torch.save`: a zip archive (since 1.6) and a sequence of pickles followed by the storages. */
import { dtypeSize } from '../dtypes';
import type { Source } from '../file';
import { construct, requireKnown } from './globals';
import { PICKLE_LIMIT, unpickle } from './pickle';
import type { PickleHost } from './pickle';
import { StorageTable } from './rebuild';
import { FormatError, NotRead, PickleDict, PickleList, describe } from './values';
import type { PickleValue, StorageRef } from './values';
import { ZipArchive } from './zip';

/** An open file whose pickle was read; storages are read on demand. */
export interface Container {
  kind: 'zip' | 'legacy';
  root: PickleValue;
  /** Uncompressed bytes of the file. */
  size: number;
  /** Fills `target` with the little-endian bytes of a whole storage. */
  readStorage(storage: StorageRef, target: Uint8Array): void;
}

const NO_STORAGES: PickleHost = {
  call: (callable) => {
    throw new FormatError(`calls ${callable.name}, expected plain values`);
  },
  requireKnown: refuseUnknown,
  persistent: (id) => {
    throw new FormatError(`a persistent object ${describe(id)}, expected plain values`);
  },
};

/** Refuses every global: the pickles before the data of a legacy file contain plain values only. */
function refuseUnknown(name: string): void {
  try {
    requireKnown(name);
  } catch (error) {
    throw error instanceof NotRead ? new FormatError(error.message) : error;
  }
}

function hostOf(table: StorageTable): PickleHost {
  return { call: construct, requireKnown, persistent: (id) => table.resolve(id) };
}

/** Opens either container. @throws FormatError if the file is of another kind or damaged, or storages have wrong sizes */
export function openContainer(source: Source): Container {
  const start = source.bytes(0, Math.min(16, source.size), 'the first bytes');
  if (start.toString('latin1', 0, 4) === 'PK\u0003\u0004') return openZip(source);
  if (start[0] === 0x80 && start.length > 2) return openLegacy(source);
  throw new FormatError(`not a PyTorch file: it starts with ${JSON.stringify(start.toString('latin1'))}${hint(start)}`);
}

function hint(start: Buffer): string {
  if (start.length === 0) return ' (it is empty)';
  if (start[8] === 0x7b) return ' (a safetensors file?)';
  return ', expected a zip archive or a pickle';
}

function openZip(source: Source): Container {
  const archive = new ZipArchive(source);
  const root = rootFolder(archive);
  const pickleSize = archive.sizeOf(`${root}data.pkl`) as number;
  if (pickleSize > PICKLE_LIMIT)
    throw new FormatError(`data.pkl has ${pickleSize} bytes, at most ${PICKLE_LIMIT} are read`);
  const table = new StorageTable();
  const { value } = unpickle(archive.read(`${root}data.pkl`), 0, hostOf(table), 'data.pkl');
  for (const storage of table.byKey.values()) requireEntry(archive, `${root}data/${storage.key}`, storage);
  const swap = isBigEndian(archive, root);
  const readStorage = (storage: StorageRef, target: Uint8Array) => {
    archive.readInto(`${root}data/${storage.key}`, target);
    if (swap) swapBytes(target, dtypeSize(storage.dtype));
  };
  return { kind: 'zip', root: value, size: Math.max(source.size, archive.size), readStorage };
}

/** The folder of `data.pkl`, with trailing slash: `torch.save` writes one level, a repacked archive may have more. */
function rootFolder(archive: ZipArchive): string {
  const roots = archive.names.filter((name) => /(^|\/)data\.pkl$/.test(name)).map((name) => name.slice(0, -8));
  if (roots.length !== 1)
    throw new FormatError(`a zip archive with ${roots.length} data.pkl, expected 1: not written by torch.save`);
  const [root] = roots as [string];
  if (archive.names.some((name) => name === `${root}constants.pkl`))
    throw new FormatError(
      'a TorchScript archive, which holds a program; save the model with torch.save(model.state_dict())',
    );
  return root;
}

function requireEntry(archive: ZipArchive, entry: string, { key, dtype, total }: StorageRef): void {
  const expected = total * dtypeSize(dtype);
  const size = archive.sizeOf(entry);
  if (size === expected) return;
  const got = size === undefined ? 'which is not there' : `which has ${size}`;
  throw new FormatError(
    `storage ${key} (${total} x ${dtype}) needs ${expected} bytes in the zip entry ${entry}, ${got}`,
  );
}

function isBigEndian(archive: ZipArchive, root: string): boolean {
  const name = `${root}byteorder`;
  const size = archive.sizeOf(name);
  if (size === undefined) return false;
  const order = size > 16 ? `${size} bytes` : archive.read(name).toString('latin1');
  if (order === 'little' || order === 'big') return order === 'big';
  throw new FormatError(`byteorder is ${JSON.stringify(order)}, expected little or big`);
}

function swapBytes(bytes: Uint8Array, size: number): void {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (size === 2) buffer.swap16();
  if (size === 4) buffer.swap32();
  if (size === 8) buffer.swap64();
}

const MAGIC = 0x1950a86a20f9469cfc6cn;
const PROTOCOL = 1001;

function openLegacy(source: Source): Container {
  const bytes = source.bytes(0, Math.min(source.size, PICKLE_LIMIT), 'the pickles');
  const table = new StorageTable();
  let at = 0;
  const next = (what: string, host = NO_STORAGES): PickleValue => {
    const { value, end } = unpickle(bytes, at, host, what);
    at = end;
    return value;
  };
  requireEqual('magic number', next('magic number'), MAGIC);
  requireEqual('protocol version', next('protocol version'), PROTOCOL);
  requireLittle(next('system information'));
  const root = next('main pickle', hostOf(table));
  const places = placeStorages(source, next('storage keys'), table, at);
  return {
    kind: 'legacy',
    root,
    size: source.size,
    readStorage: (storage, target) => readPlaced(source, places, storage, target),
  };
}

function requireEqual(what: string, value: PickleValue, expected: PickleValue): void {
  if (value !== expected)
    throw new FormatError(`not a PyTorch file: its ${what} is ${describe(value)}, expected ${expected}`);
}

function requireLittle(info: PickleValue): void {
  if (info instanceof PickleDict && info.entries.get('little_endian') === true) return;
  throw new FormatError(
    'a legacy file written on a big-endian machine, which is not read; save it again as a zip archive',
  );
}

/** Computes the positions of a legacy file's storages: in the order of the keys, each preceded by its number of elements. */
function placeStorages(source: Source, keys: PickleValue, table: StorageTable, at: number): Map<string, number> {
  if (!(keys instanceof PickleList)) throw new FormatError(`storage keys: expected a list, got ${describe(keys)}`);
  const places = new Map<string, number>();
  for (const key of keys.items) {
    const storage = typeof key === 'string' ? sizeOf(table, key) : undefined;
    if (!storage || places.has(storage.key))
      throw new FormatError(`storage keys: ${describe(key)} ${storage ? 'is there twice' : 'belongs to no tensor'}`);
    places.set(storage.key, at + 8);
    at = afterStorage(source, storage, at);
  }
  for (const key of table.byKey.keys())
    if (!places.has(key)) throw new FormatError(`storage keys: ${describe(key)}, which a tensor needs, is missing`);
  return places;
}

/** Size of a storage, including those of unsupported types. */
interface StorageSize {
  key: string;
  type: string;
  total: number;
  /** Bytes per element. */
  size: number;
}

function sizeOf(table: StorageTable, key: string): StorageSize | undefined {
  const known = table.byKey.get(key);
  if (known) return { key, type: known.dtype, total: known.total, size: dtypeSize(known.dtype) };
  const other = table.others.get(key);
  if (other && other.size === undefined)
    throw new FormatError(`storage ${key} is of an unknown type, so those after it cannot be found`);
  return other && { key, type: 'another type', total: other.total, size: other.size as number };
}

function afterStorage(source: Source, { key, type, total, size }: StorageSize, at: number): number {
  const what = `storage ${key} (${total} x ${type})`;
  const count = source.bytes(at, 8, what).readBigInt64LE();
  if (count !== BigInt(total)) throw new FormatError(`${what} has ${count} elements at byte ${at}`);
  const end = at + 8 + total * size;
  if (end > source.size)
    throw new FormatError(`${what} ends at byte ${end}, the file has ${source.size}: file truncated`);
  return end;
}

function readPlaced(source: Source, places: Map<string, number>, { key }: StorageRef, target: Uint8Array): void {
  source.read(target, places.get(key) as number, `storage ${key}`);
}
