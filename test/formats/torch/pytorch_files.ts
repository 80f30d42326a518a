/** Builders of PyTorch files for tests: zip archives with any defect, and pickles written opcode by opcode. */
import { crc32 } from 'node:zlib';
import { bytesOf, type DType, type TensorData } from '../../../src/formats/dtypes';

/** One entry; every field of its headers can be set to something wrong. */
export interface ZipEntry {
  name: string | Buffer;
  data: Buffer;
  method?: number;
  /** The method in the entry's own header, where it is another than in the directory. */
  localMethod?: number;
  flags?: number;
  crc?: number;
  size?: number;
  packed?: number;
  offset?: number;
  localName?: string;
  localExtra?: Buffer;
  /** Write sizes and offset into a zip64 extra field, all ones in the ordinary ones. */
  wide?: boolean;
}

/** Options of the whole archive. */
export interface ZipOptions {
  count?: number;
  directoryAt?: number;
  disk?: number;
  zip64?: boolean;
  comment?: Buffer;
}

const fields = (...pairs: [bytes: 2 | 4 | 8, value: number][]): Buffer =>
  Buffer.concat(
    pairs.map(([bytes, value]) => {
      const out = Buffer.alloc(8);
      out.writeBigUInt64LE(BigInt.asUintN(64, BigInt(value)));
      return out.subarray(0, bytes);
    }),
  );

function local(entry: ZipEntry): Buffer {
  const name = Buffer.from(entry.localName ?? entry.name);
  const extra = entry.localExtra ?? Buffer.alloc(0);
  const head = fields(
    [4, 0x04034b50],
    [2, 20],
    [2, entry.flags ?? 0],
    [2, entry.localMethod ?? entry.method ?? 0],
    [4, 0],
    [4, 0],
  );
  const sizes = fields([4, entry.data.length], [4, entry.data.length], [2, name.length], [2, extra.length]);
  return Buffer.concat([head, sizes, name, extra, entry.data]);
}

function central(entry: ZipEntry, at: number): Buffer {
  const name = Buffer.from(entry.name);
  const size = entry.size ?? entry.data.length;
  const packed = entry.packed ?? size;
  const offset = entry.offset ?? at;
  const crc = entry.crc ?? crc32(entry.data);
  const extra = entry.wide ? fields([2, 1], [2, 24], [8, size], [8, packed], [8, offset]) : Buffer.alloc(0);
  const ones = 0xffffffff;
  const head = fields([4, 0x02014b50], [2, 20], [2, 20], [2, entry.flags ?? 0], [2, entry.method ?? 0], [4, 0]);
  const sizes = fields([4, crc], [4, entry.wide ? ones : packed], [4, entry.wide ? ones : size]);
  const rest = fields([2, name.length], [2, extra.length], [2, 0], [2, 0], [2, 0], [4, 0]);
  return Buffer.concat([head, sizes, rest, fields([4, entry.wide ? ones : offset]), name, extra]);
}

/** A zip archive of stored entries. */
export function zip(entries: ZipEntry[], options: ZipOptions = {}): Buffer {
  let at = 0;
  const locals = entries.map(local);
  const directory = Buffer.concat(
    entries.map((entry, i) => {
      const record = central(entry, at);
      at += (locals[i] as Buffer).length;
      return record;
    }),
  );
  const start = options.directoryAt ?? at;
  return Buffer.concat([...locals, directory, endOf(entries.length, directory.length, start, at, options)]);
}

function endOf(entries: number, size: number, start: number, at: number, options: ZipOptions): Buffer {
  const count = options.count ?? entries;
  const comment = options.comment ?? Buffer.alloc(0);
  const record = fields([4, 0x06064b50], [8, 44], [2, 45], [2, 45], [4, 0], [4, 0], [8, count], [8, count]);
  const wide = [record, fields([8, size], [8, start]), fields([4, 0x07064b50], [4, 0], [8, at + size], [4, 1])];
  const ones = (bytes: 2 | 4, value: number): [2 | 4, number] => [bytes, options.zip64 ? 2 ** (8 * bytes) - 1 : value];
  const disk = options.disk ?? 0;
  const end = fields(
    [4, 0x06054b50],
    [2, disk],
    [2, disk],
    ones(2, count),
    ones(2, count),
    ones(4, size),
    ones(4, start),
  );
  return Buffer.concat([...(options.zip64 ? wide : []), end, fields([2, comment.length]), comment]);
}

/** Opcodes of the pickle language, as far as tests write them. Text is UTF-8. */
export const op = {
  mark: Buffer.from('('),
  stop: Buffer.from('.'),
  none: Buffer.from('N'),
  dict: Buffer.from('}'),
  list: Buffer.from(']'),
  emptyTuple: Buffer.from(')'),
  tuple: Buffer.from('t'),
  setItem: Buffer.from('s'),
  reduce: Buffer.from('R'),
  build: Buffer.from('b'),
  persistent: Buffer.from('Q'),
  false: Buffer.from([0x89]),
  text: (value: string) => Buffer.concat([Buffer.from('X'), fields([4, Buffer.byteLength(value)]), Buffer.from(value)]),
  int: (value: number) => Buffer.concat([Buffer.from([0x8a, 8]), fields([8, value])]),
  global: (module: string, name: string) => Buffer.from(`c${module}\n${name}\n`),
};

/** A protocol 2 pickle of these opcodes. */
export function pickle(...opcodes: Buffer[]): Buffer {
  return Buffer.concat([Buffer.from([0x80, 2]), ...opcodes, op.stop]);
}

/** A tuple of whole numbers. */
export function tuple(...values: Buffer[]): Buffer {
  return Buffer.concat([op.mark, ...values, op.tuple]);
}

/** Parts of a tensor pickle; each can be invalid. */
export interface TensorParts {
  type?: string;
  key?: string;
  total?: number;
  offset?: number;
  shape?: number[];
  stride?: number[];
  view?: Buffer;
}

/** The opcodes of a float32 tensor of two elements in storage 0, unless said otherwise. */
export function tensor(parts: TensorParts = {}): Buffer {
  const { type = 'FloatStorage', key = '0', total = 2, offset = 0, shape = [2], stride = [1], view } = parts;
  const storage = [op.text('storage'), op.global('torch', type), op.text(key), op.text('cpu'), op.int(total)];
  const args = [
    Buffer.concat([tuple(...storage, ...(view ? [view] : [])), op.persistent]),
    op.int(offset),
    tuple(...shape.map(op.int)),
    tuple(...stride.map(op.int)),
    op.false,
    Buffer.concat([op.global('collections', 'OrderedDict'), op.emptyTuple, op.reduce]),
  ];
  return Buffer.concat([op.global('torch._utils', '_rebuild_tensor_v2'), tuple(...args), op.reduce]);
}

/** A dict of named values. */
export function dict(entries: Record<string, Buffer>): Buffer {
  const items = Object.entries(entries).flatMap(([name, value]) => [op.text(name), value, op.setItem]);
  return Buffer.concat([op.dict, ...items]);
}

/** Two float32 numbers: the contents of the default storage. */
export const TWO = Buffer.from(new Float32Array([1.5, -2]).buffer);

/** A `torch.save` archive around a pickle. */
export function archive(data: Buffer, storages: Record<string, Buffer> = { 0: TWO }): ZipEntry[] {
  const entries = Object.entries(storages).map(([key, bytes]) => ({ name: `a/data/${key}`, data: bytes }));
  return [{ name: 'a/data.pkl', data }, ...entries];
}

/** The file with one tensor called `w`, with values 1.5 and -2. */
export function simple(parts?: TensorParts): ZipEntry[] {
  return archive(pickle(dict({ w: tensor(parts) })));
}

/** A legacy file: the same pickle, the list of storage keys, and the storages. */
export function legacy(
  data: Buffer,
  keys: string[] = ['0'],
  storages: Buffer[] = [TWO],
  counts: number[] = [2],
): Buffer {
  const magic = Buffer.from('80028a0a6cfc9c46f9206aa850192e', 'hex');
  const system = pickle(op.dict, op.text('little_endian'), Buffer.from([0x88]), op.setItem);
  const list = pickle(op.list, op.mark, ...keys.map(op.text), Buffer.from('e'));
  const blocks = storages.map((bytes, i) => Buffer.concat([fields([8, counts[i] as number]), bytes]));
  return Buffer.concat([magic, pickle(op.int(1001)), system, data, list, ...blocks]);
}

/** Contents for {@link torchFile}: nested dicts, numbers, and tensors by name. */
export type Tree = number | ReadonlyMap<string, TensorData> | { [key: string]: Tree };

const STORAGE_NAMES: Partial<Record<DType, string>> = { F32: 'FloatStorage', I64: 'LongStorage' };

/** A file as `torch.save` writes it, with every tensor in a storage of its own. */
export function torchFile(tree: Tree): Buffer {
  const storages: Record<string, Buffer> = {};
  const one = ({ dtype, shape, data }: TensorData): Buffer => {
    const key = String(Object.keys(storages).length);
    storages[key] = Buffer.from(bytesOf(data));
    const stride = shape.map((_, d) => shape.slice(d + 1).reduce((a, b) => a * b, 1));
    return tensor({ type: STORAGE_NAMES[dtype]!, key, total: data.length, shape, stride });
  };
  const opcodes = (value: Tree): Buffer => {
    if (typeof value === 'number') return op.int(value);
    if (value instanceof Map)
      return dict(Object.fromEntries([...value].map(([name, t]) => [name, one(t as TensorData)])));
    return dict(Object.fromEntries(Object.entries(value).map(([name, item]) => [name, opcodes(item as Tree)])));
  };
  const data = pickle(opcodes(tree));
  return zip(archive(data, storages));
}
