/** The subset of the protobuf wire format that event and ONNX files need: varints, doubles, floats, bytes. */

function varint(value: number): Buffer {
  if (!Number.isSafeInteger(value)) throw new Error(`protobuf: expected a whole number below 2^53, got ${value}`);
  const out: number[] = [];
  let rest = BigInt.asUintN(64, BigInt(value));
  for (; rest > 127n; rest >>= 7n) out.push(Number(rest & 127n) | 128);
  return Buffer.from([...out, Number(rest)]);
}

const tag = (field: number, wire: number) => varint(field * 8 + wire);

/** An int32, int64, uint or enum field. */
export function intField(field: number, value: number): Buffer {
  return Buffer.concat([tag(field, 0), varint(value)]);
}

/** A double field. */
export function doubleField(field: number, value: number): Buffer {
  const data = Buffer.alloc(8);
  data.writeDoubleLE(value);
  return Buffer.concat([tag(field, 1), data]);
}

/** A float field. */
export function floatField(field: number, value: number): Buffer {
  const data = Buffer.alloc(4);
  data.writeFloatLE(value);
  return Buffer.concat([tag(field, 5), data]);
}

/** A string, bytes or message field. */
export function bytesField(field: number, value: string | Uint8Array): Buffer {
  const data = typeof value === 'string' ? Buffer.from(value, 'utf8') : value;
  return Buffer.concat([tag(field, 2), varint(data.length), data]);
}

/** A packed repeated double field. */
export function packedDoubles(field: number, values: ArrayLike<number>): Buffer {
  const data = Buffer.alloc(8 * values.length);
  for (let i = 0; i < values.length; i++) data.writeDoubleLE(values[i] as number, 8 * i);
  return bytesField(field, data);
}

/** A decoded field: integers, doubles and floats as `number`, others as bytes. */
export interface Field {
  field: number;
  value: number | Buffer;
}

/** Decodes the fields of a message, in order. @throws on truncated data or an unknown wire type */
export function readFields(data: Buffer): Field[] {
  const fields: Field[] = [];
  let at = 0;
  const readVarint = (): number => {
    let value = 0n;
    for (let shift = 0n; shift < 70n; shift += 7n) {
      const byte = data.readUInt8(at++);
      value |= BigInt(byte & 127) << shift;
      if (byte < 128) return Number(BigInt.asIntN(64, value));
    }
    throw new Error(`protobuf: a varint at byte ${at} does not end`);
  };
  const readBytes = (length: number): Buffer => {
    if (length < 0 || at + length > data.length)
      throw new Error(`protobuf: ${length} bytes at ${at} of ${data.length}`);
    at += length;
    return data.subarray(at - length, at);
  };
  const readValue = (wire: number): number | Buffer => {
    if (wire === 0) return readVarint();
    if (wire === 1) return readBytes(8).readDoubleLE();
    if (wire === 2) return readBytes(readVarint());
    if (wire === 5) return readBytes(4).readFloatLE();
    throw new Error(`protobuf: wire type ${wire} at byte ${at}`);
  };
  while (at < data.length) {
    const key = readVarint();
    fields.push({ field: Math.floor(key / 8), value: readValue(key % 8) });
  }
  return fields;
}

/** The doubles of a packed field. */
export function unpackDoubles(data: Buffer): number[] {
  return Array.from({ length: Math.floor(data.length / 8) }, (_, i) => data.readDoubleLE(8 * i));
}
