/* Reads `metadata_props` of an ONNX file, which ONNX Runtime Web does not show. */

/** Reads a protobuf varint; returns its value and the position behind it. */
function varint(bytes, at) {
  let [value, factor] = [0, 1];
  for (; bytes[at] & 128; at++, factor *= 128) value += (bytes[at] & 127) * factor;
  return [value + bytes[at] * factor, at + 1];
}

/** Yields the fields of a protobuf message that have a length: number and content. Others are passed over. */
function* fields(bytes) {
  for (let at = 0; at < bytes.length;) {
    let tag, length;
    [tag, at] = varint(bytes, at);
    const wire = tag & 7;
    if (wire === 0) [, at] = varint(bytes, at);
    else if (wire === 1) at += 8;
    else if (wire === 5) at += 4;
    else if (wire === 2) {
      [length, at] = varint(bytes, at);
      yield [Math.floor(tag / 8), bytes.subarray(at, at + length)];
      at += length;
    } else throw new Error('this is not an ONNX file');
  }
}

const METADATA_PROPS = 14; // of ModelProto: messages of a key (1) and a value (2)

/** The metadata of an ONNX file by key: `input` and `classNames` are JSON. */
export function metadata(bytes) {
  const text = new TextDecoder();
  const found = {};
  for (const [number, content] of fields(bytes)) {
    if (number !== METADATA_PROPS) continue;
    const pair = Object.fromEntries([...fields(content)].map(([n, value]) => [n, text.decode(value)]));
    found[pair[1]] = pair[2];
  }
  return found;
}
