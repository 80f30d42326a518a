import * as fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadCheckpoint, readCheckpointMeta, saveCheckpoint } from '../../src/formats/checkpoint';
import type { Json } from '../../src/formats/checkpoint';
import type { TensorData } from '../../src/formats/dtypes';
import { value } from '../../src/formats/reference';
import { readSafetensors, writeSafetensors } from '../../src/formats/safetensors';

let folder = '';
let path = '';
beforeAll(() => (folder = fs.mkdtempSync(join(tmpdir(), 'checkpoint-'))));
afterAll(() => fs.rmSync(folder, { recursive: true }));
beforeEach(() => (path = join(folder, 'last.safetensors')));

const tensor = (name: string, ...shape: number[]): TensorData => ({ dtype: 'F32', shape, data: value(name, shape) });
const meta = {
  model: { kind: 'video', layers: [1, 1, 2, 1] },
  classNames: ['left → right', '"quoted"\n', '__proto__'],
  epoch: 3,
  step: 1234,
  rng: { seed: '18446744073709551615', counter: 77 },
  best: null,
};

function full() {
  return {
    tensors: new Map([
      ['head.weight', tensor('w', 8, 64)],
      ['head.bias', tensor('b', 8)],
      ['norm.num_batches_tracked', { dtype: 'I64', shape: [], data: new BigInt64Array([5n]) } as TensorData],
    ]),
    optimizer: new Map([
      ['head.weight.exp_avg', tensor('m', 8, 64)],
      ['head.weight.exp_avg_sq', tensor('v', 8, 64)],
    ]),
    meta,
  };
}

test('a checkpoint is read as written', () => {
  saveCheckpoint(path, full());
  const loaded = loadCheckpoint(path);
  const expected = full();
  expect(Object.fromEntries(loaded.tensors)).toEqual(Object.fromEntries(expected.tensors));
  expect(Object.fromEntries(loaded.optimizer)).toEqual(Object.fromEntries(expected.optimizer));
  expect(loaded.meta).toEqual(meta);
  expect(readCheckpointMeta(path)).toEqual(meta);
});

test('every changed bit of the data is noticed, and the tensor named', () => {
  saveCheckpoint(path, full());
  const bytes = fs.readFileSync(path);
  const start = 8 + Number(bytes.readBigUInt64LE(0));
  const length = bytes.length - start;
  for (let i = 0; i < 1500; i++) {
    const at = start + ((i * 7919) % length);
    const bit = 1 << (i % 8);
    bytes[at]! ^= bit;
    fs.writeFileSync(path, bytes);
    expect(() => loadCheckpoint(path)).toThrow(
      /last\.safetensors: tensor ".*" is damaged: its checksum is \d+, not \d+$/,
    );
    bytes[at]! ^= bit;
  }
  fs.writeFileSync(path, bytes);
  expect(loadCheckpoint(path).tensors.size).toBe(3);
});

test('a checkpoint without digests is read; one that lacks a digest is not', () => {
  const { tensors } = full();
  const metadata = { format: 'morphmlp', version: '1', meta: '{}' };
  writeSafetensors(path, tensors, new Map(Object.entries(metadata)));
  expect(loadCheckpoint(path).tensors.size).toBe(3);
  writeSafetensors(path, tensors, new Map(Object.entries({ ...metadata, crc32: '{}' })));
  expect(() => loadCheckpoint(path)).toThrow('has no checksum');
  writeSafetensors(path, tensors, new Map(Object.entries({ ...metadata, crc32: '[' })));
  expect(() => loadCheckpoint(path)).toThrow('checkpoint metadata: crc32: ');
});

test('equal contents give equal bytes, in any order', () => {
  saveCheckpoint(path, full());
  const first = fs.readFileSync(path);
  const { tensors, optimizer } = full();
  const reversed = { tensors: new Map([...tensors].reverse()), optimizer: new Map([...optimizer].reverse()), meta };
  saveCheckpoint(path, reversed);
  expect(fs.readFileSync(path).equals(first)).toBe(true);
});

test('weights only, and the file is an ordinary safetensors file', () => {
  const { tensors } = full();
  saveCheckpoint(path, { tensors, meta });
  expect(loadCheckpoint(path).optimizer.size).toBe(0);
  expect([...readSafetensors(path).tensors.keys()].sort()).toEqual([...tensors.keys()].sort());
});

test('a foreign safetensors file has tensors and empty meta', () => {
  writeSafetensors(path, new Map([['w', tensor('w', 3)]]), new Map([['format', 'pt']]));
  const loaded = loadCheckpoint(path);
  expect(loaded.meta).toEqual({});
  expect(loaded.tensors.get('w')).toEqual(tensor('w', 3));
});

describe('invalid contents are refused, and the previous checkpoint is kept', () => {
  const map = new Map<string, number>();
  test.each([
    ['NaN', { loss: NaN }, 'meta.loss is NaN'],
    ['an infinity', { list: [1, Infinity] }, 'meta.list[1] is Infinity'],
    ['undefined', { a: { b: undefined } }, 'meta.a.b is undefined'],
    ['a bigint', { seed: 3n }, 'meta.seed is 3'],
    ['a Map', { map }, 'meta.map is Map'],
    ['a typed array', { a: new Float32Array(2) }, 'meta.a is Float32Array'],
    ['a date', { at: new Date(0) }, 'meta.at is Date'],
  ])('%s', (_name, bad, message) => {
    saveCheckpoint(path, full());
    const save = () => saveCheckpoint(path, { tensors: new Map(), meta: bad as unknown as Record<string, Json> });
    expect(save).toThrow(message);
    expect(readCheckpointMeta(path)).toEqual(meta);
  });

  test('a tensor of the model under the optimizer’s names', () => {
    const save = () => saveCheckpoint(path, { tensors: new Map([['optimizer.w', tensor('w', 1)]]), meta });
    expect(save).toThrow('tensor optimizer.w: names starting with optimizer. are reserved');
  });
});

test.each([
  ['2', '{}', 'checkpoint of format version 2, this program reads version 1'],
  ['1', '{', 'checkpoint metadata: '],
  ['1', '[1]', 'checkpoint metadata: expected a JSON object'],
])('metadata of version %s and text %s', (version, text, message) => {
  writeSafetensors(path, new Map(), new Map(Object.entries({ format: 'morphmlp', version, meta: text })));
  expect(() => loadCheckpoint(path)).toThrow(message);
});
