/** Reads and writes safetensors files, byte-compatible with the reference library, one tensor in memory at a time. */
import { writeFileAtomic } from './atomic';
import { bytesOf, dtypeSize, elementCount, requireLittleEndian, toFloat32Into, viewAs } from './dtypes';
import { allocate, DTYPES } from './dtypes';
import type { DType, TensorData, TypedArray } from './dtypes';
import { InputFile } from './file';
import { compareUtf8, formatHeader, HEADER_LIMIT, parseHeader } from './safetensors_header';
import type { Header, OtherTensor, TensorInfo } from './safetensors_header';

export type { TensorInfo } from './safetensors_header';

/** Elements per piece of a conversion to float32. */
const CHUNK = 1 << 18;

/**
 * An open safetensors file. Opening reads and validates the header; each tensor is read when asked for.
 * Every error is one sentence that starts with the file's name.
 */
export class SafetensorsFile {
  /** Free-form text pairs of the header. */
  readonly metadata: ReadonlyMap<string, string>;
  /** Type, shape and place of every tensor, in the order of their data. */
  readonly tensors: ReadonlyMap<string, TensorInfo>;
  /** Tensors of unsupported element types, which do not prevent reading the others. */
  readonly others: ReadonlyMap<string, OtherTensor>;

  private constructor(
    private readonly file: InputFile,
    header: Header,
    private readonly dataStart: number,
  ) {
    this.metadata = header.metadata;
    this.tensors = header.tensors;
    this.others = header.others ?? new Map();
  }

  /** @throws if the file cannot be read, is truncated, or has an invalid header */
  static open(path: string): SafetensorsFile {
    requireLittleEndian();
    const file = InputFile.open(path);
    try {
      const { header, dataStart } = readHeader(file);
      return new SafetensorsFile(file, header, dataStart);
    } catch (error) {
      file.close();
      throw error;
    }
  }

  get path(): string {
    return this.file.path;
  }

  /** @throws if the file has no tensor of this name, or its element type is unsupported */
  info(name: string): TensorInfo {
    const info = this.tensors.get(name);
    if (info) return info;
    const other = this.others.get(name);
    if (other) throw new Error(`${this.path}: ${notReadReason(name, other)}`);
    throw new Error(`${this.path}: has no tensor ${JSON.stringify(name)}`);
  }

  /** Reads one tensor into new memory. */
  read(name: string): TensorData {
    const { dtype, shape, begin, end } = this.info(name);
    const data = allocate(dtype, (end - begin) / dtypeSize(dtype));
    this.readBytes(bytesOf(data), name, begin);
    return { dtype, shape: [...shape], data };
  }

  /** Reads one tensor into the caller's array, which must have the tensor's size in bytes. */
  readInto(name: string, target: ArrayBufferView): void {
    const { dtype, shape, begin, end } = this.info(name);
    if (target.byteLength !== end - begin) {
      const got = `a target of ${target.byteLength} bytes`;
      throw new Error(
        `${this.path}: tensor ${name}: ${dtype} of shape [${shape}] has ${end - begin} bytes, got ${got}`,
      );
    }
    this.readBytes(bytesOf(target), name, begin);
  }

  /** Reads one tensor as float32 into the caller's array, converting other types piece by piece. */
  readFloat32Into(name: string, target: Float32Array): void {
    const { dtype, begin, end } = this.info(name);
    const size = dtypeSize(dtype);
    const count = (end - begin) / size;
    if (target.length !== count)
      throw new Error(`${this.path}: tensor ${name} has ${count} elements, got a target of ${target.length}`);
    if (dtype === 'F32') return this.readBytes(bytesOf(target), name, begin);
    const buffer = allocate(dtype, Math.min(CHUNK, count));
    for (let done = 0; done < count; done += CHUNK) {
      const part = buffer.subarray(0, Math.min(CHUNK, count - done));
      this.readBytes(bytesOf(part), name, begin + done * size);
      toFloat32Into(target.subarray(done, done + part.length), dtype, part);
    }
  }

  /** Reads one tensor as float32 into new memory. */
  readFloat32(name: string): Float32Array {
    const { dtype, begin, end } = this.info(name);
    const target = new Float32Array((end - begin) / dtypeSize(dtype));
    this.readFloat32Into(name, target);
    return target;
  }

  /** Closes the file; arrays read before stay valid. */
  close(): void {
    this.file.close();
  }

  private readBytes(target: Uint8Array, name: string, begin: number): void {
    this.file.read(target, this.dataStart + begin, `tensor ${JSON.stringify(name)}`);
  }
}

/** Message of the error for reading a tensor of an unsupported element type. */
export function notReadReason(name: string, { dtype }: OtherTensor): string {
  return `tensor ${JSON.stringify(name)}: dtype ${JSON.stringify(dtype)} is not one that can be read`;
}

function readHeader(file: InputFile): { header: Header; dataStart: number } {
  const length = file.bytes(0, 8, 'the length of the header').readBigUInt64LE(0);
  if (length > BigInt(HEADER_LIMIT))
    throw new Error(
      `${file.path}: not a safetensors file, or broken: header of ${length} bytes, at most ${HEADER_LIMIT}`,
    );
  const dataStart = 8 + Number(length);
  const bytes = file.bytes(8, Number(length), 'the header');
  try {
    return { header: parseHeader(bytes, file.size - dataStart), dataStart };
  } catch (error) {
    throw new Error(`${file.path}: not a safetensors file, or broken: ${(error as Error).message}`, { cause: error });
  }
}

/** Opens a file for the duration of `use`. */
export function withSafetensors<T>(path: string, use: (file: SafetensorsFile) => T): T {
  const file = SafetensorsFile.open(path);
  try {
    return use(file);
  } finally {
    file.close();
  }
}

/** @throws if the file has a tensor of an unsupported element type */
export function requireAllRead(file: SafetensorsFile): void {
  for (const name of file.others.keys()) file.info(name);
}

/** Reads a whole file: every tensor, in the order of the data. */
export function readSafetensors(path: string): { tensors: Map<string, TensorData>; metadata: Map<string, string> } {
  return withSafetensors(path, (file) => {
    requireAllRead(file);
    const tensors = new Map([...file.tensors.keys()].map((name) => [name, file.read(name)]));
    return { tensors, metadata: new Map(file.metadata) };
  });
}

/** Largest alignment first, then by name: the order in which the reference library lays tensors out. */
function layoutOrder([nameA, a]: [string, TensorData], [nameB, b]: [string, TensorData]): number {
  return DTYPES.indexOf(b.dtype) - DTYPES.indexOf(a.dtype) || compareUtf8(nameA, nameB);
}

function requireConsistent(path: string, name: string, { dtype, shape, data }: TensorData): void {
  const where = `${path}: tensor ${JSON.stringify(name)}`;
  if (name === '__metadata__') throw new Error(`${where}: this name is reserved by the format`);
  if (/\p{Surrogate}/u.test(name)) throw new Error(`${where}: the name is not valid Unicode`);
  if (!shape.every((n) => Number.isSafeInteger(n) && n >= 0))
    throw new Error(`${where}: shape [${shape}] must hold whole numbers from 0`);
  const expected = elementCount(shape);
  const kind = viewAs(dtype, new ArrayBuffer(0)).constructor.name;
  if (data.constructor.name !== kind || data.length !== expected)
    throw new Error(
      `${where}: ${dtype} of shape [${shape}] needs a ${kind} of ${expected} elements, ` +
        `got a ${data.constructor.name} of ${data.length}`,
    );
}

/**
 * Writes a safetensors file atomically (see `writeFileAtomic`): same tensors and metadata give the same bytes.
 * @throws if a tensor's data do not fit its dtype and shape, or the file cannot be written; the previous file is then kept
 */
export function writeSafetensors(
  path: string,
  tensors: ReadonlyMap<string, TensorData>,
  metadata: ReadonlyMap<string, string> = new Map(),
): void {
  requireLittleEndian();
  for (const [name, tensor] of tensors) requireConsistent(path, name, tensor);
  const ordered = [...tensors].sort(layoutOrder);
  const header = formatHeader({ metadata: new Map(metadata), tensors: new Map(place(ordered)) });
  writeFileAtomic(path, (write) => {
    write(header);
    for (const [, { data }] of ordered) write(bytesOf(data));
  });
}

function place(ordered: [string, { dtype: DType; shape: number[]; data: TypedArray }][]): [string, TensorInfo][] {
  let at = 0;
  return ordered.map(([name, { dtype, shape, data }]) => {
    const begin = at;
    at += data.byteLength;
    return [name, { dtype, shape, begin, end: at }];
  });
}
