/** The header of a safetensors file: validated before any tensor is read, and written like the reference library does. */
import { dtypeSize, elementCount, isDType } from './dtypes';
import type { DType } from './dtypes';
import { parseJson } from './json';
import type { JsonMap, JsonValue } from './json';

/** Maximum header length in bytes, that of the reference library. */
export const HEADER_LIMIT = 100_000_000;

/** A tensor's entry in the header. `begin` and `end` count bytes from the end of the header. */
export interface TensorInfo {
  dtype: DType;
  shape: number[];
  begin: number;
  end: number;
}

/** A tensor of an unsupported element type. Its extent is validated, its bytes are not read. */
export interface OtherTensor {
  dtype: string;
  begin: number;
  end: number;
}

/** A whole header: free-form text pairs, and the tensors in the order of their data. */
export interface Header {
  metadata: Map<string, string>;
  tensors: Map<string, TensorInfo>;
  /** Tensors of unsupported element types. */
  others?: Map<string, OtherTensor>;
}

/** Throws a message without the file name, which the reader prepends. */
function fail(message: string): never {
  throw new Error(message);
}

/**
 * Parses and validates a header for a file with `dataBytes` bytes after it.
 * @throws on anything but a JSON object of well-formed entries that cover those bytes without gap or overlap
 */
export function parseHeader(bytes: Uint8Array, dataBytes: number): Header {
  const root = parseJson(decode(bytes));
  if (!(root instanceof Map)) fail(`header: expected a JSON object, got ${describe(root)}`);
  const metadata = metadataOf(root.get('__metadata__'));
  root.delete('__metadata__');
  const all = [...root].map(([name, entry]) => [name, tensorInfo(name, entry)] as [string, TensorInfo | OtherTensor]);
  all.sort(([, a], [, b]) => a.begin - b.begin || a.end - b.end);
  requireCover(all, dataBytes);
  const isOther = (pair: (typeof all)[number]) => !isDType(pair[1].dtype);
  return {
    metadata,
    tensors: new Map(all.filter((pair) => !isOther(pair)) as [string, TensorInfo][]),
    others: new Map(all.filter(isOther)),
  };
}

function decode(bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return fail('header: expected UTF-8 text');
  }
}

function describe(value: JsonValue | undefined): string {
  if (value === undefined) return 'nothing';
  const text = JSON.stringify(value instanceof Map ? Object.fromEntries(value) : value);
  return text.length > 60 ? `${text.slice(0, 57)}...` : text;
}

function metadataOf(value: JsonValue | undefined): Map<string, string> {
  if (value === undefined || value === null) return new Map();
  if (!(value instanceof Map)) return fail(`__metadata__: expected an object of strings, got ${describe(value)}`);
  for (const [key, text] of value)
    if (typeof text !== 'string')
      fail(`__metadata__: expected a string for ${JSON.stringify(key)}, got ${describe(text)}`);
  return value as Map<string, string>;
}

function tensorInfo(name: string, value: JsonValue): TensorInfo | OtherTensor {
  const where = `tensor ${JSON.stringify(name)}`;
  if (!(value instanceof Map)) return fail(`${where}: expected an object, got ${describe(value)}`);
  for (const key of value.keys())
    if (!['dtype', 'shape', 'data_offsets'].includes(key)) fail(`${where}: unexpected key ${JSON.stringify(key)}`);
  const dtype = dtypeOf(where, value);
  const shape = sizes(`${where}: shape`, value.get('shape'));
  const [begin, end, ...more] = sizes(`${where}: data_offsets`, value.get('data_offsets'));
  if (begin === undefined || end === undefined || more.length > 0 || end < begin)
    return fail(`${where}: data_offsets: expected [begin, end], got ${describe(value.get('data_offsets'))}`);
  if (!isDType(dtype)) return { dtype, begin, end };
  requireSize(where, dtype, shape, end - begin);
  return { dtype, shape, begin, end };
}

/** The dtype of an entry, which may be unsupported: the format keeps adding types (F8_E4M3, U16, C64, F4 …). */
function dtypeOf(where: string, entry: JsonMap): string {
  const dtype = entry.get('dtype');
  if (typeof dtype === 'string' && /^[A-Z][A-Z0-9_]{0,30}$/.test(dtype)) return dtype;
  return fail(`${where}: dtype ${describe(dtype)} is not one that can be read`);
}

function sizes(where: string, value: JsonValue | undefined): number[] {
  const valid = Array.isArray(value) && value.every((n) => Number.isSafeInteger(n) && (n as number) >= 0);
  if (!valid) fail(`${where}: expected a list of whole numbers from 0 to 2^53, got ${describe(value)}`);
  return value as number[];
}

function requireSize(where: string, dtype: DType, shape: number[], got: number): void {
  const count = elementCount(shape);
  if (count === undefined) return fail(`${where}: shape [${shape}] has more than 2^53 elements`);
  const expected = count * dtypeSize(dtype);
  if (got !== expected)
    fail(`${where}: ${dtype} of shape [${shape}] needs ${expected} bytes, data_offsets hold ${got}`);
}

function requireCover(tensors: [string, OtherTensor][], dataBytes: number): void {
  let at = 0;
  for (const [name, { begin, end }] of tensors) {
    if (begin !== at) {
      const problem = begin < at ? 'overlaps the tensor before it' : 'leaves a gap before it';
      fail(`tensor ${JSON.stringify(name)}: starts at byte ${begin}, which ${problem} (ends at ${at})`);
    }
    at = end;
  }
  if (at > dataBytes) fail(`the tensors need ${at} bytes, the file holds ${dataBytes}: file truncated`);
  if (at < dataBytes)
    fail(`the tensors end at byte ${at}, the file holds ${dataBytes}: ${dataBytes - at} bytes too many`);
}

/**
 * The bytes before the data: length, JSON without white space, spaces up to a multiple of 8. Metadata come first, sorted by key,
 * then the tensors in the order of the map.
 */
export function formatHeader(header: Header): Uint8Array {
  const entries = [...header.tensors].map(([name, t]) => {
    const body = `{"dtype":"${t.dtype}","shape":[${t.shape}],"data_offsets":[${t.begin},${t.end}]}`;
    return `${JSON.stringify(name)}:${body}`;
  });
  if (header.metadata.size > 0) entries.unshift(`"__metadata__":${formatMetadata(header.metadata)}`);
  const json = Buffer.from(`{${entries.join()}}`, 'utf8');
  const length = Math.ceil(json.length / 8) * 8;
  if (length > HEADER_LIMIT) fail(`header: ${length} bytes are more than the limit of ${HEADER_LIMIT}`);
  const out = Buffer.alloc(8 + length, ' ');
  out.writeBigUInt64LE(BigInt(length));
  json.copy(out, 8);
  return out;
}

function formatMetadata(metadata: Map<string, string>): string {
  const sorted = [...metadata].sort(([a], [b]) => compareUtf8(a, b));
  return `{${sorted.map(([key, text]) => `${JSON.stringify(key)}:${JSON.stringify(text)}`).join()}}`;
}

/** Order by UTF-8 bytes, which differs from JavaScript's order beyond the Basic Multilingual Plane. */
export function compareUtf8(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a, 'utf8'), Buffer.from(b, 'utf8'));
}
