import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  digestError,
  digestOf,
  fillFor,
  fillParameter,
  fnv1a32,
  parameterKind,
  relativeError,
  value,
} from '../../src/formats/reference';
import type { Digest } from '../../src/formats/reference';

const fixtures = join(__dirname, '..', 'fixtures', 'reference');
const read = (name: string) => JSON.parse(readFileSync(join(fixtures, name), 'utf8'));

describe('the generator', () => {
  const vectors = read('hash.json') as { fnv1a: Record<string, number>; u: Record<string, number[]> };

  test.each(Object.entries(vectors.fnv1a))('hashes %j as the reference does', (text, hash) => {
    expect(fnv1a32(text)).toBe(hash);
  });

  test.each(Object.entries(vectors.u))('makes the values of %j bit for bit', (name, expected) => {
    expect(Array.from(value(name, [expected.length]))).toEqual(expected);
  });

  test('does not depend on the shape, only on the flat position', () => {
    expect(value('x', [2, 3, 4])).toEqual(value('x', [24]));
    expect(value('x', [100]).subarray(0, 8)).toEqual(value('x', [8]));
  });

  test('rounds to float32 after the product and after the sum', () => {
    const u = value('x', [1000]);
    const [scale, offset] = [Math.fround(0.2), Math.fround(0.1)];
    const filled = value('x', [1000], 0.2, 0.1);
    const expected = u.map((v) => Math.fround(Math.fround(v * scale) + offset));
    expect(filled).toEqual(expected);
  });

  test('scalars and empty arrays', () => {
    expect(value('x', [])).toHaveLength(1);
    expect(value('x', [0, 4])).toHaveLength(0);
  });
});

describe('the fill of parameters', () => {
  test.each([
    ['blocks1.0.mlp.fc1.weight', [336, 112], 'weight', Math.fround(Math.sqrt(3 / 112)), 0],
    ['patch_embed1.proj1.weight', [8, 3, 3, 3, 3], 'weight', Math.fround(Math.sqrt(3 / 81)), 0],
    ['blocks1.0.norm1.weight', [112], 'normWeight', 0.2, 1],
    ['blocks1.0.norm1.bias', [112], 'bias', 0.1, 0],
    ['patch_embed1.norm1.running_mean', [8], 'runningMean', 0.1, 0],
    ['patch_embed1.norm1.running_var', [8], 'runningVar', 0.5, 1],
    ['patch_embed1.norm1.num_batches_tracked', [], 'counter', 0, 0],
  ])('%s', (name, shape, kind, scale, offset) => {
    expect(parameterKind(name, shape)).toBe(kind);
    expect(fillFor(name, shape)).toEqual({ scale, offset });
  });

  test('a prefix changes the values and not the rule', () => {
    expect(fillParameter('norm.bias', [4], 'case/')).toEqual(value('case/norm.bias', [4], 0.1));
  });

  test('an unknown name is refused', () => {
    expect(() => parameterKind('blocks1.0.gamma', [3])).toThrow('blocks1.0.gamma is neither a weight');
  });
});

describe('digests', () => {
  const shape = [3, 5, 7];
  const array = value('array', shape);
  const digest = digestOf(array, shape, 'case/array', [0, 50, 104]);

  test('an array agrees with its own digest', () => {
    expect(digestError(array, digest, 'case/array', shape)).toEqual({ norm: 0, proj: 0, samples: 0 });
  });

  test('a stored digest is reproduced from the stored tensor', () => {
    const tiny = read('tiny.json') as Record<string, { grads: Record<string, Digest> }>;
    const file = readFileSync(join(fixtures, 'tiny_video16.safetensors'));
    const length = Number(file.readBigUInt64LE(0));
    const header = JSON.parse(file.toString('utf8', 8, 8 + length));
    for (const [name, stored] of Object.entries(tiny['tiny_video16']!.grads)) {
      if (/proj[12]\.bias$/.test(name) && name.startsWith('patch_embed1')) continue;
      const [begin, end] = header[`grad.${name}`].data_offsets as [number, number];
      const bytes = Uint8Array.from(file.subarray(8 + length + begin, 8 + length + end));
      const error = digestError(new Float32Array(bytes.buffer), stored, `tiny_video16/grad.${name}`);
      expect(Math.max(error.norm, error.proj, error.samples)).toBeLessThan(1e-7);
    }
  });

  test('a uniform relative error is reported as such', () => {
    const error = digestError(
      Float64Array.from(array, (v) => v * 1.001),
      digest,
      'case/array',
    );
    expect(error.norm).toBeCloseTo(1e-3, 6);
    expect(error.samples).toBeGreaterThan(1e-4);
    expect(error.proj).toBeGreaterThan(0);
  });

  test('two exchanged elements keep the norm and change a projection', () => {
    const exchanged = array.slice();
    [exchanged[1], exchanged[2]] = [array[2]!, array[1]!];
    const error = digestError(exchanged, digest, 'case/array');
    expect(error.norm).toBeLessThan(1e-12);
    expect(error.proj).toBeGreaterThan(1e-3);
  });

  test('one wrong sample is seen', () => {
    const wrong = array.slice();
    wrong[50] = wrong[50]! + 1;
    expect(digestError(wrong, digest, 'case/array').samples).toBeGreaterThan(0.1);
  });

  test('NaN is reported before a wrong shape', () => {
    const broken = new Float32Array([1, NaN]);
    expect(() => digestError(broken, digest, 'case/array')).toThrow('case/array: element 1 is NaN');
    expect(() => digestError(new Float32Array(2), digest, 'case/array')).toThrow('expected shape [3,5,7]');
    expect(() => digestError(array, digest, 'case/array', [5, 3, 7])).toThrow('got shape [5,3,7]');
  });

  test('an array whose digest is zero is compared absolutely', () => {
    const zero = digestOf(new Float32Array(4), [4], 'z', [0]);
    expect(digestError(new Float32Array(4), zero, 'z')).toEqual({ norm: 0, proj: 0, samples: 0 });
    expect(digestError(new Float32Array([3, 0, 0, 0]), zero, 'z').norm).toBe(3);
  });
});

test('relativeError', () => {
  expect(relativeError([3, 4], [3, 4])).toBe(0);
  expect(relativeError([3, 5], [3, 4])).toBeCloseTo(0.2, 12);
  expect(() => relativeError([1, Infinity], [1])).toThrow('element 1 is Infinity');
  expect(() => relativeError([1], [1, 2], 'loss')).toThrow('loss: expected 2 elements, got 1');
});
