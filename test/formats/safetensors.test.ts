import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { allocate, bytesOf, DTYPES, halfToFloat, toFloat32 } from '../../src/formats/dtypes';
import type { TensorData } from '../../src/formats/dtypes';
import { value } from '../../src/formats/reference';
import { readSafetensors, SafetensorsFile, withSafetensors, writeSafetensors } from '../../src/formats/safetensors';
import { HEADER_LIMIT } from '../../src/formats/safetensors_header';

const fixtures = join(__dirname, '..', 'fixtures');
const mixed = join(fixtures, 'safetensors', 'mixed.safetensors');
let folder = '';
beforeAll(() => (folder = mkdtempSync(join(tmpdir(), 'safetensors-'))));
afterAll(() => rmSync(folder, { recursive: true }));

/** A file with the given header text and so many zero bytes of data. */
function fileOf(header: string | Buffer, dataBytes = 0, length = BigInt(Buffer.byteLength(header))): string {
  const path = join(folder, 'case.safetensors');
  const size = Buffer.alloc(8);
  size.writeBigUInt64LE(length);
  writeFileSync(path, Buffer.concat([size, Buffer.from(header), Buffer.alloc(dataBytes)]));
  return path;
}

const entry = (begin: number, end: number, shape = '[2]', dtype = 'F32') =>
  `{"dtype":"${dtype}","shape":${shape},"data_offsets":[${begin},${end}]}`;

describe('files of the reference library', () => {
  const files = [
    ...['modules', 'tiny_image', 'tiny_video16', 'tiny_video32'].map((n) => join('reference', `${n}.safetensors`)),
    ...['mixed', 'no_metadata', 'no_tensors'].map((n) => join('safetensors', `${n}.safetensors`)),
  ];

  test.each(files)('%s is written again byte for byte', (file) => {
    const path = join(fixtures, file);
    const { tensors, metadata } = readSafetensors(path);
    const copy = join(folder, 'copy.safetensors');
    writeSafetensors(copy, new Map([...tensors].reverse()), metadata);
    expect(readFileSync(copy).equals(readFileSync(path))).toBe(true);
  });

  test('every dtype has the values it was written with', () => {
    const { tensors } = readSafetensors(mixed);
    const w = value('w', [6, 8]);
    const get = (name: string) => tensors.get(name)!;
    expect(get('f32')).toEqual({ dtype: 'F32', shape: [6, 8], data: w });
    expect(get('f64').data).toEqual(Float64Array.from(w));
    for (const [name, eps] of [
      ['f16', 2 ** -11],
      ['bf16', 2 ** -8],
    ] as const)
      toFloat32(get(name)).forEach((v, i) => expect(Math.abs(v - w[i]!)).toBeLessThanOrEqual(Math.abs(w[i]!) * eps));
    expect(get('i64').data).toEqual(new BigInt64Array([-(2n ** 62n), -1n, 0n, 1n, 2n ** 53n + 1n]));
    expect(get('i32').data).toEqual(new Int32Array([-(2 ** 31), 7]));
    expect(get('i16').data).toEqual(new Int16Array([-32768, 32767]));
    expect(get('i8').data).toEqual(new Int8Array([-128, 127, 5]));
    expect(get('u8').data).toEqual(new Uint8Array([0, 255, 7]));
    expect(get('bool').data).toEqual(new Uint8Array([1, 0, 1]));
    expect(get('scalar')).toEqual({ dtype: 'F32', shape: [], data: new Float32Array([1.5]) });
    expect(get('empty')).toEqual({ dtype: 'F32', shape: [0, 4], data: new Float32Array(0) });
    const special = toFloat32(get('special'));
    expect(Array.from(special)).toEqual([NaN, Infinity, -Infinity, -0, 2 ** -24, 65504]);
  });

  test('unusual names are preserved', () => {
    const { tensors, metadata } = readSafetensors(mixed);
    expect(tensors.get('__proto__')!.data).toEqual(new Float32Array([4]));
    expect(tensors.get('a"quote\\and\nnewline')!.data).toEqual(new Float32Array([1]));
    expect(tensors.get('é中\u{1F600}')!.data).toEqual(new Float32Array([2]));
    expect(tensors.get('\u{1F601}')!.data).toEqual(new Float32Array([5]));
    expect(metadata.get('format')).toBe('pt é "x"\u0001\u2028');
  });
});

describe('reading', () => {
  test('into the caller’s arrays', () => {
    withSafetensors(mixed, (file) => {
      const target = new Float32Array(50);
      file.readInto('f32', target.subarray(1, 49));
      expect(target.subarray(1, 49)).toEqual(value('w', [6, 8]));
      expect([target[0], target[49]]).toEqual([0, 0]);
      expect(() => file.readInto('f32', new Float32Array(47))).toThrow('F32 of shape [6,8] has 192 bytes');
      expect(() => file.readFloat32Into('i64', new Float32Array(4))).toThrow('i64 has 5 elements, got a target of 4');
      expect(() => file.read('f31')).toThrow('mixed.safetensors: has no tensor "f31"');
    });
  });

  test('as float32 in pieces equals the conversion of the whole', () => {
    const path = join(folder, 'large.safetensors');
    const data = Float64Array.from(value('large', [600_001]));
    writeSafetensors(path, new Map([['large', { dtype: 'F64', shape: [600_001], data }]]));
    expect(withSafetensors(path, (file) => file.readFloat32('large'))).toEqual(Float32Array.from(data));
    for (const name of ['f32', 'f16', 'bf16', 'i64', 'bool'])
      withSafetensors(mixed, (file) => expect(file.readFloat32(name)).toEqual(toFloat32(file.read(name))));
  });

  test('after closing is an error', () => {
    const file = SafetensorsFile.open(mixed);
    file.close();
    expect(() => file.read('f32')).toThrow('after the file was closed');
  });

  test('a missing file or a folder is named', () => {
    expect(() => SafetensorsFile.open(join(folder, 'none'))).toThrow('none: no such file');
    expect(() => SafetensorsFile.open(folder)).toThrow('expected a file, got a folder');
  });
});

describe('invalid files are refused with one sentence', () => {
  const cases: [string, string | Buffer, number, string][] = [
    ['not JSON', 'hello', 0, 'expected a value at character 0, got "hello"'],
    ['an array', '[]', 0, 'header: expected a JSON object, got []'],
    ['more after the object', '{} {}', 0, 'expected the end at character 3'],
    ['not UTF-8', Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x7d]), 0, 'header: expected UTF-8 text'],
    ['a repeated tensor', `{"a":${entry(0, 8)},"a":${entry(0, 8)}}`, 8, 'duplicate key "a"'],
    ['repeated offsets', '{"a":{"dtype":"F32","dtype":"F64"}}', 8, 'duplicate key "dtype"'],
    ['a dtype of Object', `{"a":${entry(0, 8, '[2]', 'constructor')}}`, 8, 'dtype "constructor" is not one'],
    ['no shape', '{"a":{"dtype":"F32","data_offsets":[0,8]}}', 8, 'tensor "a": shape: expected a list'],
    ['a negative size', `{"a":${entry(0, 8, '[-2]')}}`, 8, 'shape: expected a list of whole numbers'],
    ['half an element', `{"a":${entry(0, 8, '[2.5]')}}`, 8, 'shape: expected a list of whole numbers'],
    ['a size beyond 2^53', `{"a":${entry(0, 8, '[18446744073709551616]')}}`, 8, 'whole numbers from 0 to 2^53'],
    ['a product beyond 2^53', `{"a":${entry(0, 8, '[2147483648,2147483648,0]')}}`, 8, 'more than 2^53 elements'],
    [
      'a shape that does not fit',
      `{"a":${entry(0, 8, '[3]')}}`,
      8,
      'F32 of shape [3] needs 12 bytes, data_offsets hold 8',
    ],
    ['exchanged offsets', `{"a":${entry(8, 0)}}`, 8, 'data_offsets: expected [begin, end], got [8,0]'],
    [
      'three offsets',
      '{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8,8]}}',
      8,
      'expected [begin, end], got [0,8,8]',
    ],
    ['an unexpected key', '{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8],"x":1}}', 8, 'unexpected key "x"'],
    ['a gap', `{"a":${entry(0, 8)},"b":${entry(12, 20)}}`, 20, 'tensor "b": starts at byte 12, which leaves a gap'],
    ['a gap at the start', `{"a":${entry(4, 12)}}`, 12, 'starts at byte 4, which leaves a gap before it (ends at 0)'],
    ['an overlap', `{"a":${entry(0, 8)},"b":${entry(4, 12)}}`, 12, 'tensor "b": starts at byte 4, which overlaps'],
    ['too little data', `{"a":${entry(0, 8)}}`, 7, 'the tensors need 8 bytes, the file holds 7: file truncated'],
    ['too much data', `{"a":${entry(0, 8)}}`, 9, 'the tensors end at byte 8, the file holds 9: 1 bytes too many'],
    ['metadata other than strings', '{"__metadata__":{"a":1}}', 0, '__metadata__: expected a string for "a", got 1'],
    ['metadata that are a list', '{"__metadata__":[]}', 0, '__metadata__: expected an object of strings, got []'],
    ['deep nesting', '{"a":'.repeat(40), 0, 'at most 32 levels of nesting'],
    ['an open string', '{"a', 0, 'expected a closing quote'],
    ['a bad escape', '{"\\x":1}', 0, 'expected a valid escape'],
  ];

  test.each(cases)('%s', (_name, header, dataBytes, message) => {
    const path = fileOf(header, dataBytes);
    expect(() => SafetensorsFile.open(path)).toThrow(message);
    expect(() => SafetensorsFile.open(path)).toThrow('case.safetensors: ');
  });

  test.each([
    [BigInt(HEADER_LIMIT) + 1n, 'header of 100000001 bytes, at most 100000000'],
    [2n ** 64n - 1n, 'header of 18446744073709551615 bytes'],
    [0x7ff8000000000000n, 'at most 100000000'],
    [3n, 'the header needs 11 bytes, the file has 10: file truncated'],
  ])('a header length of %s', (length, message) => {
    expect(() => SafetensorsFile.open(fileOf('{}', 0, length))).toThrow(message);
  });

  test('an unknown dtype, where it is needed', () => {
    const path = fileOf(`{"a":${entry(0, 8, '[2]', 'F8_E4M3')},"b":${entry(8, 16)}}`, 16);
    withSafetensors(path, (file) => {
      expect(file.read('b').shape).toEqual([2]);
      expect(() => file.read('a')).toThrow('case.safetensors: tensor "a": dtype "F8_E4M3" is not one');
    });
    expect(() => readSafetensors(path)).toThrow('case.safetensors: tensor "a": dtype "F8_E4M3" is not one');
    const cut = fileOf(`{"a":${entry(0, 8, '[2]', 'F8_E4M3')},"b":${entry(8, 16)}}`, 15);
    expect(() => SafetensorsFile.open(cut)).toThrow('file truncated');
  });

  test('any truncation of a good file', () => {
    const whole = readFileSync(mixed);
    const path = join(folder, 'cut.safetensors');
    for (let size = 0; size < whole.length; size += 13) {
      writeFileSync(path, whole.subarray(0, size));
      expect(() => readSafetensors(path)).toThrow('truncated');
    }
  });

  test('a file that shrinks after it was opened', () => {
    const path = join(folder, 'shrinks.safetensors');
    writeFileSync(path, readFileSync(mixed));
    withSafetensors(path, (file) => {
      writeFileSync(path, readFileSync(mixed).subarray(0, 1700));
      expect(() => file.read('bool')).toThrow('file truncated');
    });
  });
});

describe('writing', () => {
  const write =
    (tensor: unknown, name = 'a') =>
    () =>
      writeSafetensors(join(folder, 'bad.safetensors'), new Map([[name, tensor as TensorData]]));

  test.each(DTYPES.map((d) => [d]))('%s survives', (dtype) => {
    const path = join(folder, `${dtype}.safetensors`);
    const data = allocate(dtype, 6);
    bytesOf(data).forEach((_, i, bytes) => (bytes[i] = i + 1));
    writeSafetensors(path, new Map([['t', { dtype, shape: [2, 3], data }]]));
    expect(readSafetensors(path).tensors.get('t')).toEqual({ dtype, shape: [2, 3], data });
  });

  test('the header starts with the metadata and ends on a multiple of 8', () => {
    const path = join(folder, 'meta.safetensors');
    writeSafetensors(
      path,
      new Map(),
      new Map([
        ['b', '2'],
        ['a', '1'],
      ]),
    );
    const bytes = readFileSync(path);
    expect(bytes.length % 8).toBe(0);
    expect(bytes.toString('utf8', 8).trimEnd()).toBe('{"__metadata__":{"a":"1","b":"2"}}');
  });

  test('data that do not fit are refused before the file is touched', () => {
    expect(write({ dtype: 'F32', shape: [2], data: new Float32Array(3) })).toThrow(
      'bad.safetensors: tensor "a": F32 of shape [2] needs a Float32Array of 2 elements, got a Float32Array of 3',
    );
    expect(write({ dtype: 'F16', shape: [2], data: new Int16Array(2) })).toThrow('needs a Uint16Array of 2');
    expect(write({ dtype: 'F32', shape: [-1], data: new Float32Array(0) })).toThrow('whole numbers from 0');
    expect(write({ dtype: 'F32', shape: [0], data: new Float32Array(0) }, '__metadata__')).toThrow('reserved');
    expect(write({ dtype: 'F32', shape: [0], data: new Float32Array(0) }, '\ud800')).toThrow('not valid Unicode');
    expect(readdirSync(folder)).not.toContain('bad.safetensors');
  });
});

test('halves at the edges of their range', () => {
  expect([0x0001, 0x03ff, 0x0400, 0x3c00, 0xc000, 0x7bff, 0x8000].map(halfToFloat)).toEqual([
    2 ** -24,
    1023 * 2 ** -24,
    2 ** -14,
    1,
    -2,
    65504,
    -0,
  ]);
});
