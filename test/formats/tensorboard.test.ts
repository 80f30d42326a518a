import { appendFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import sharp from 'sharp';
import { crc32c, maskedCrc32c } from '../../src/formats/crc32c';
import { bytesField, intField, packedDoubles, readFields, unpackDoubles } from '../../src/formats/protobuf';
import { frame, histogramOf, pngSize, readEvents, TensorBoardWriter } from '../../src/formats/tensorboard';

let folder = '';
beforeEach(() => (folder = mkdtempSync(path.join(tmpdir(), 'events-'))));
afterEach(() => rmSync(folder, { recursive: true }));

const range = (n: number, from = 0, step = 1) => Uint8Array.from({ length: n }, (_, i) => from + i * step);

// The vectors of RFC 3720, appendix B.4, and the usual check value of a CRC.
test.each([
  [new Uint8Array(32), 0x8a9136aa],
  [new Uint8Array(32).fill(255), 0x62a8ab43],
  [range(32), 0x46dd794e],
  [range(32, 31, -1), 0x113fdb5c],
  [new TextEncoder().encode('123456789'), 0xe3069283],
  [new Uint8Array(0), 0],
])('crc32c of test vector %#', (data, crc) => expect(crc32c(data)).toBe(crc));

test('the mask rotates by 15 bits and adds a constant', () => {
  expect(maskedCrc32c(new Uint8Array(0))).toBe(0xa282ead8);
  const [crc, text] = [0xe3069283, new TextEncoder().encode('123456789')];
  const rotated = (BigInt(crc) >> 15n) | ((BigInt(crc) << 17n) & 0xffffffffn);
  expect(BigInt(maskedCrc32c(text))).toBe((rotated + 0xa282ead8n) & 0xffffffffn);
});

test('a record is framed as length, its checksum, data, its checksum', () => {
  const record = frame(Buffer.from('abc'));
  expect(record.length).toBe(8 + 4 + 3 + 4);
  expect(record.readBigUInt64LE(0)).toBe(3n);
  expect(record.readUInt32LE(8)).toBe(maskedCrc32c(record.subarray(0, 8)));
  expect(record.readUInt32LE(15)).toBe(maskedCrc32c(Buffer.from('abc')));
});

test('protobuf fields have the bytes that its documentation gives', () => {
  expect(intField(1, 150)).toEqual(Buffer.from([0x08, 0x96, 0x01]));
  expect(bytesField(2, 'testing')).toEqual(Buffer.from('120774657374696e67', 'hex'));
  expect(intField(1, -2).toString('hex')).toBe('08feffffffffffffffff01');
  expect(() => intField(1, 0.5)).toThrow('expected a whole number below 2^53, got 0.5');
});

test('protobuf fields are read back, and broken ones refused', () => {
  const data = Buffer.concat([intField(1, -2), intField(2, 2 ** 40), packedDoubles(20, [1.5, -0]), bytesField(3, 'é')]);
  const fields = readFields(data);
  expect(fields.map((f) => f.field)).toEqual([1, 2, 20, 3]);
  expect(fields.slice(0, 2).map((f) => f.value)).toEqual([-2, 2 ** 40]);
  expect(unpackDoubles(fields[2]?.value as Buffer)).toEqual([1.5, -0]);
  expect(String(fields[3]?.value)).toBe('é');
  expect(() => readFields(Buffer.from([0x12, 0x07, 0x74]))).toThrow('protobuf: 7 bytes at 2 of 3');
  expect(() => readFields(Buffer.from([0x0b]))).toThrow('protobuf: wire type 3');
});

test('a histogram counts each finite value once, limits included on their left', () => {
  const h = histogramOf([0, 1, 2, 3, 4, NaN, Infinity], 4);
  expect(h).toEqual({ min: 0, max: 4, num: 5, sum: 10, sumOfSquares: 30, limits: [1, 2, 3, 4], counts: [2, 1, 1, 1] });
  expect(histogramOf([7, 7])).toMatchObject({ limits: [7], counts: [2] });
  expect(histogramOf([NaN])).toMatchObject({ num: 0, counts: [0] });
  const many = Float32Array.from({ length: 100_000 }, (_, i) => Math.sin(i));
  const { counts, limits } = histogramOf(many);
  expect(counts.reduce((a, b) => a + b)).toBe(100_000);
  counts.forEach((n, i) => {
    const above = i === 0 ? -Infinity : (limits[i - 1] as number);
    expect(Math.abs(n - many.filter((v) => v > above && v <= (limits[i] as number)).length)).toBeLessThanOrEqual(1);
  });
});

test('scalars, images and histograms come back as they were written', async () => {
  const png = await sharp({ create: { width: 5, height: 3, channels: 3, background: 'red' } })
    .png()
    .toBuffer();
  const writer = new TensorBoardWriter(path.join(folder, 'a', 'b'), () => 1_700_000_000_500);
  writer.scalar('train/loss', 0.5, 10);
  writer.scalar('ü/nan', NaN, 2 ** 33);
  writer.image('clips', png, 11);
  writer.histogram('weights', [1, 2, 3], 12);
  writer.close();
  writer.close();
  expect(path.basename(writer.path)).toMatch(/^events\.out\.tfevents\.1700000000\..+/);
  expect(() => writer.scalar('late', 1, 1)).toThrow('is closed');
  const wallTime = 1_700_000_000.5;
  expect(readEvents(writer.path)).toEqual([
    { wallTime, step: 0, fileVersion: 'brain.Event:2' },
    { wallTime, step: 10, tag: 'train/loss', scalar: 0.5 },
    { wallTime, step: 2 ** 33, tag: 'ü/nan', scalar: NaN },
    { wallTime, step: 11, tag: 'clips', image: { width: 5, height: 3, png } },
    { wallTime, step: 12, tag: 'weights', histogram: histogramOf([1, 2, 3]) },
  ]);
});

// Written down from the definitions of Event and Summary: tag 5 > 1 > (1: tag, 2: simple_value).
test('a scalar event has exactly the bytes of its messages', () => {
  const writer = new TensorBoardWriter(folder, () => 2000);
  writer.scalar('a', 1, 3);
  writer.close();
  const first = 16 + 9 + 2 + 2 + 'brain.Event:2'.length;
  const event = readFileSync(writer.path).subarray(first + 12, -4);
  expect(event.toString('hex')).toBe('090000000000000040' + '1003' + '2a0a' + '0a08' + '0a0161' + '150000803f');
});

test('a wrong byte and a cut file are noticed', () => {
  const writer = new TensorBoardWriter(folder);
  writer.scalar('a', 1, 1);
  writer.close();
  const data = readFileSync(writer.path);
  for (const [at, message] of [
    [data.length - 8, 'checksum of the record'],
    [0, 'checksum of the length'],
  ] as const) {
    const broken = Buffer.from(data);
    broken[at] = (broken[at] as number) ^ 1;
    writeFileSync(writer.path, broken);
    expect(() => readEvents(writer.path)).toThrow(message);
  }
  writeFileSync(writer.path, data.subarray(0, -3));
  expect(() => readEvents(writer.path)).toThrow('cut off in the record');
  writeFileSync(writer.path, data);
  appendFileSync(writer.path, 'torn');
  expect(() => readEvents(writer.path)).toThrow('cut off in the header');
});

test('only PNGs are images', () => {
  expect(() => pngSize(Buffer.from('GIF89a'))).toThrow('expected the bytes of a PNG, got 6 bytes of something else');
});
