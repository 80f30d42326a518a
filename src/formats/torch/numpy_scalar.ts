/** NumPy scalars, as training scripts save them among their results (best accuracy, counts). */
import { halfToFloat } from '../dtypes';
import { NotRead, PickleTuple, describe } from './values';
import type { PickleValue } from './values';

const READERS = new Map<string, (bytes: Buffer) => PickleValue>([
  ['f8', (b) => b.readDoubleLE()],
  ['f4', (b) => b.readFloatLE()],
  ['f2', (b) => halfToFloat(b.readUInt16LE())],
  ['i8', (b) => b.readBigInt64LE()],
  ['i4', (b) => b.readInt32LE()],
  ['i2', (b) => b.readInt16LE()],
  ['i1', (b) => b.readInt8()],
  ['u8', (b) => b.readBigUInt64LE()],
  ['u4', (b) => b.readUInt32LE()],
  ['u2', (b) => b.readUInt16LE()],
  ['u1', (b) => b.readUInt8()],
  ['b1', (b) => b.readUInt8() !== 0],
]);

/** The number behind `numpy.core.multiarray.scalar(dtype, bytes)`; 64-bit integers beyond 2^53 stay bigints. */
export function numpyScalar(args: readonly PickleValue[]): PickleValue {
  const [dtype, bytes] = args;
  const code = dtype instanceof PickleTuple ? dtype.items[0] : undefined;
  const reader = typeof code === 'string' ? READERS.get(code) : undefined;
  if (!reader || !(bytes instanceof Uint8Array) || bytes.length !== Number((code as string)[1]))
    throw new NotRead(`a NumPy scalar of type ${describe(code)} from ${describe(bytes)}`);
  const value = reader(Buffer.from(bytes));
  return typeof value === 'bigint' && Number.isSafeInteger(Number(value)) ? Number(value) : value;
}
