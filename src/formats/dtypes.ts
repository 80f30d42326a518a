/** Element types of tensors in files, and their conversion to float32. */
import { endianness } from 'node:os';

/** Element types, named as safetensors names them. */
export type DType = 'F64' | 'F32' | 'F16' | 'BF16' | 'I64' | 'I32' | 'I16' | 'I8' | 'U8' | 'BOOL';

/** Typed array of an element type. F16 and BF16 are stored as raw bits, BOOL as one byte per element. */
export type TypedArray =
  Float64Array | Float32Array | Uint16Array | BigInt64Array | Int32Array | Int16Array | Int8Array | Uint8Array;

/** A tensor on the host: row-major elements in the array type of its dtype. */
export interface TensorData {
  dtype: DType;
  shape: number[];
  data: TypedArray;
}

interface ArrayOf {
  new (buffer: ArrayBuffer, byteOffset?: number, length?: number): TypedArray;
  readonly BYTES_PER_ELEMENT: number;
}

/** Array types by dtype, in the order of the reference library's enumeration, which sorts tensors in files. */
const ARRAYS: Record<DType, ArrayOf> = {
  BOOL: Uint8Array,
  U8: Uint8Array,
  I8: Int8Array,
  I16: Int16Array,
  F16: Uint16Array,
  BF16: Uint16Array,
  I32: Int32Array,
  F32: Float32Array,
  F64: Float64Array,
  I64: BigInt64Array,
};

/** All dtypes, smallest alignment first. */
export const DTYPES = Object.keys(ARRAYS) as readonly DType[];

/** True if `text` is one of {@link DTYPES}. */
export function isDType(text: string): text is DType {
  return (DTYPES as readonly string[]).includes(text);
}

/** Bytes of one element. */
export function dtypeSize(dtype: DType): number {
  return ARRAYS[dtype].BYTES_PER_ELEMENT;
}

/** A view of `count` elements of a buffer; `byteOffset` must be a multiple of the element size. */
export function viewAs(dtype: DType, buffer: ArrayBuffer, byteOffset = 0, count?: number): TypedArray {
  return new ARRAYS[dtype](buffer, byteOffset, count);
}

/** A zeroed array for `count` elements. */
export function allocate(dtype: DType, count: number): TypedArray {
  return viewAs(dtype, new ArrayBuffer(count * dtypeSize(dtype)));
}

/** The bytes of a typed array, without a copy. */
export function bytesOf(data: ArrayBufferView): Uint8Array {
  return new Uint8Array(data.buffer as ArrayBuffer, data.byteOffset, data.byteLength);
}

/** Product of a shape (1 for a scalar), or undefined if it or a partial product exceeds 2^53. */
export function elementCount(shape: readonly number[]): number | undefined {
  let count = 1;
  for (const n of shape) {
    count *= n;
    if (!Number.isSafeInteger(count)) return undefined;
  }
  return count;
}

/** Throws on a big-endian machine: little-endian files are read directly into typed arrays. */
export function requireLittleEndian(): void {
  if (endianness() !== 'LE') throw new Error('tensor files can only be read and written on little-endian machines');
}

const bits = new Uint32Array(1);
const float = new Float32Array(bits.buffer);

/** The float32 value of an IEEE half; NaN and infinities included. */
export function halfToFloat(half: number): number {
  const exponent = (half >> 10) & 31;
  const fraction = half & 1023;
  const sign = half & 0x8000 ? -1 : 1;
  if (exponent === 31) return fraction ? NaN : sign * Infinity;
  return exponent === 0 ? sign * fraction * 2 ** -24 : sign * (1024 + fraction) * 2 ** (exponent - 25);
}

/** The float32 value of a bfloat16. */
export function bfloat16ToFloat(bf16: number): number {
  bits[0] = bf16 << 16;
  return float[0] as number;
}

function converter(dtype: DType): ((element: never) => number) | undefined {
  if (dtype === 'F16') return halfToFloat;
  if (dtype === 'BF16') return bfloat16ToFloat;
  if (dtype === 'I64') return (element: bigint) => Number(element);
  if (dtype === 'BOOL') return (element: number) => (element ? 1 : 0);
  return undefined;
}

/**
 * Converts elements to float32 (rounding to nearest for F64, I64 and I32; BOOL gives 0 and 1) into `out`.
 * @throws if `out` has another length than `data`
 */
export function toFloat32Into(out: Float32Array, dtype: DType, data: TypedArray): Float32Array {
  if (out.length !== data.length) throw new Error(`conversion: target has ${out.length} elements, got ${data.length}`);
  const convert = converter(dtype) as ((element: unknown) => number) | undefined;
  if (convert) for (let i = 0; i < out.length; i++) out[i] = convert(data[i]);
  else out.set(data as ArrayLike<number>);
  return out;
}

/** The tensor's elements as float32; the same array, not a copy, if it is F32. */
export function toFloat32(tensor: TensorData): Float32Array {
  if (tensor.dtype === 'F32') return tensor.data as Float32Array;
  return toFloat32Into(new Float32Array(tensor.data.length), tensor.dtype, tensor.data);
}
