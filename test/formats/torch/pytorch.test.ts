import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { toFloat32 } from '../../../src/formats/dtypes';
import type { TensorData } from '../../../src/formats/dtypes';
import { loadPyTorch } from '../../../src/formats/torch/index';
import { weightSet } from '../../../src/formats/weight_sets';
import { fillParameter, value } from '../../../src/formats/reference';

const fixtures = join(__dirname, '..', '..', 'fixtures');
const checkpoint = (name: string) => join(fixtures, 'reference', 'checkpoints', name);
const own = (name: string) => join(fixtures, 'pytorch', name);
const w = value('w', [6, 8]);

/** A view of `w` by a rule for its elements. */
const view = (shape: number[], at: (...index: [number, number]) => number): TensorData => {
  const [rows, columns] = shape as [number, number];
  const data = Float32Array.from({ length: rows * columns }, (_, i) => w[at(Math.floor(i / columns), i % columns)]!);
  return { dtype: 'F32', shape, data };
};

describe('whole models', () => {
  const files: [string, object][] = [
    ['tiny_video16.pth', { container: 'zip', key: '.' }],
    ['tiny_video16_legacy.pth', { container: 'legacy', key: '.' }],
    ['tiny_video16_slowfast.pyth', { container: 'zip', key: 'model_state' }],
    ['tiny_image_deit_style.pth', { container: 'zip', key: 'model' }],
  ];

  test.each(files)('%s holds the reference weights', (file, info) => {
    const loaded = loadPyTorch(checkpoint(file), weightSet('head.weight'));
    expect(loaded.info).toMatchObject(info);
    expect(loaded.notRead.size).toBe(0);
    expect(loaded.tensors.size).toBe(file.includes('image') ? 128 : 158);
    for (const [name, { dtype, shape, data }] of loaded.tensors) {
      if (name.endsWith('num_batches_tracked')) expect([dtype, shape, data.length]).toEqual(['I64', [], 1]);
      else expect([name, dtype, data]).toEqual([name, 'F32', fillParameter(name, shape)]);
    }
  });

  test('all parameters of the tiny video model are there', () => {
    const { tensors } = loadPyTorch(checkpoint('tiny_video16.pth'));
    const parameters = [...tensors].filter(([name]) => !/running|num_batches/.test(name));
    const elements = parameters.map(([, { data }]) => data.length);
    expect(elements.reduce((a, b) => a + b)).toBe(129812);
    expect(tensors.get('head.weight')!.shape).toEqual([8, 64]);
  });

  test('a SlowFast checkpoint has its epoch and configuration', () => {
    const slowfast = loadPyTorch(checkpoint('tiny_video16_slowfast.pyth'), weightSet('head.weight'));
    const { extra } = slowfast.info;
    expect(extra.get('epoch')).toBe(3);
    expect(slowfast.tensors.get('patch_embed1.norm1.num_batches_tracked')!.data).toEqual(new BigInt64Array([1n]));
    expect(extra.get('cfg')).toContain('EMBED_DIMS: [16, 32, 32, 64]');
  });
});

test('every dtype and kind of view', () => {
  const { tensors } = loadPyTorch(checkpoint('dtypes_and_views.pth'));
  const get = (name: string) => tensors.get(name)!;
  expect(get('f64')).toEqual({ dtype: 'F64', shape: [6, 8], data: Float64Array.from(w) });
  for (const [name, eps] of [
    ['half', 2 ** -11],
    ['bf16', 2 ** -8],
  ] as const)
    toFloat32(get(name)).forEach((v, i) => expect(Math.abs(v - w[i]!)).toBeLessThanOrEqual(Math.abs(w[i]!) * eps));
  expect(get('param')).toEqual({ dtype: 'F32', shape: [6, 8], data: w });
  expect(get('transposed')).toEqual(view([8, 6], (i, j) => j * 8 + i));
  expect(get('slice')).toEqual(view([2, 4], (i, j) => (1 + 2 * i) * 8 + 2 + j));
  expect(get('scalar').shape).toEqual([]);
  expect(get('empty')).toEqual({ dtype: 'F32', shape: [0, 4], data: new Float32Array(0) });
  expect(get('i64').dtype).toBe('I64');
  expect(get('u8').dtype).toBe('U8');
  expect(get('bool').dtype).toBe('BOOL');
});

describe('data-parallel names, shared storages and views', () => {
  const saved = ['ddp_namespace_numpy.pth', 'protocol3.pth', 'protocol4.pth', 'protocol5.pth', 'views_legacy.pth'];
  // The archive of protocol 3 packed anew: with folders, deflated one level deeper, and written to a pipe.
  const files = [...saved, 'repacked.pth', 'deflated.pth', 'streamed.pth'];

  test.each(files)('%s', (file) => {
    const { tensors, info } = loadPyTorch(own(file), weightSet('w'));
    const wrapper = { 'ddp_namespace_numpy.pth': 'model.', 'views_legacy.pth': '' }[file] ?? 'state_dict.';
    expect(info.key).toBe(`${wrapper}module`);
    const plain = { dtype: 'F32', shape: [6, 8], data: w };
    expect(Object.fromEntries(tensors)).toEqual({
      w: plain,
      tied: plain,
      slice: view([2, 4], (i, j) => (1 + 2 * i) * 8 + 2 + j),
      transposed: view([8, 6], (i, j) => j * 8 + i),
      expanded: view([6, 3], (i) => i * 8),
      param: plain,
      scalar: { dtype: 'I16', shape: [], data: new Int16Array([3]) },
    });
  });

  test('tensors that share a storage do not share memory', () => {
    const { tensors } = loadPyTorch(own('ddp_namespace_numpy.pth'), weightSet('w'));
    (tensors.get('w')!.data as Float32Array).fill(0);
    expect(tensors.get('tied')!.data).toEqual(w);
  });

  test('plain values beside the weights are kept', () => {
    const { extra } = loadPyTorch(own('ddp_namespace_numpy.pth'), weightSet('w')).info;
    expect(Object.fromEntries(extra)).toMatchObject({
      args: { inner: null, layers: [1, 2], lr: 0.1, name: 'x' },
      max_accuracy: 81.25,
      count: 7,
      epoch: 12,
      device: 'cpu',
      big: 2n ** 70n,
      neg: -5,
    });
  });

  test('a file saved without checksums', () => {
    expect(loadPyTorch(own('no_crc.pth')).tensors.get('w')!.data).toEqual(w);
  });
});

describe('objects beside the weights', () => {
  test.each(['objects_beside_2.pth', 'objects_beside_4.pth', 'objects_beside_legacy.pth'])('%s', (file) => {
    const { tensors, info } = loadPyTorch(own(file), weightSet('w'));
    expect(info.key).toBe('weights');
    expect(Object.fromEntries(tensors)).toEqual({ w: { dtype: 'F32', shape: [6, 8], data: w } });
  });

  test('each is an error if it is needed', () => {
    const asked = (name: string) => () =>
      loadPyTorch(own('objects_beside_2.pth'), (dicts) => {
        const dict = dicts.find(({ path }) => path === 'beside')!;
        return { dict, prefix: '', members: new Map([[name, name]]) };
      });
    for (const [name, refused] of [
      ['array', 'numpy._core.multiarray._reconstruct'],
      ['defaultdict', 'collections.defaultdict'],
      ['path', 'pathlib.PosixPath'],
      ['custom', '__main__.Custom'],
      ['u16', 'torch._utils._rebuild_tensor_v3'],
      ['complex', 'torch.ComplexFloatStorage'],
      ['sparse', 'torch._utils._rebuild_sparse_tensor'],
      ['quantised', 'torch._utils._rebuild_qtensor'],
    ]) {
      expect(asked(name!)).toThrow(
        new RegExp(`objects_beside_2.pth: data.pkl, byte \\d+: refuses the global ${refused}:`),
      );
    }
  });
});

test.each(['negative_bits.pth', 'negative_bits_legacy.pth'])('%s: the sign bit of views counts', (file) => {
  const { tensors } = loadPyTorch(own(file));
  const get = (name: string) => tensors.get(name)!;
  for (const name of ['w', 'imag', 'parameter']) expect(get(name).data).toEqual(w);
  expect(get('transposed')).toEqual(view([8, 6], (i, j) => j * 8 + i));
  expect(get('f64').data).toEqual(Float64Array.from(w));
  toFloat32(get('half')).forEach((v, i) => expect(Math.abs(v - w[i]!)).toBeLessThanOrEqual(Math.abs(w[i]!) * 2 ** -11));
  toFloat32(get('bf16')).forEach((v, i) => expect(Math.abs(v - w[i]!)).toBeLessThanOrEqual(Math.abs(w[i]!) * 2 ** -8));
  expect(get('i64').data).toEqual(new BigInt64Array([0n, 1n, 2n, 3n]));
  expect(get('i16').data).toEqual(new Int16Array([0, 1, 2, 3]));
});

describe('refused', () => {
  test.each([
    [checkpoint('hostile_os_system.pth'), 'data.pkl, byte 44: refuses the global posix.system: only tensors and plain'],
    [checkpoint('broken_truncated.pth'), 'the zip archive has no directory at its end: file truncated'],
    [
      checkpoint('broken_short_storage.pth'),
      'storage 0 (648 x F32) needs 2592 bytes in the zip entry tiny_video16/data/0',
    ],
    [checkpoint('broken_not_a_checkpoint.pth'), 'not a PyTorch file: it starts with "<html>404 Not Fo"'],
    [
      own('whole_module.pth'),
      'torch.nn.modules.linear.Linear: only tensors and plain containers are read, and nothing is run; save model.state_dict()',
    ],
    [own('torchscript.pt'), 'a TorchScript archive, which holds a program'],
    [own('complex.pth'), 'refuses the global torch.ComplexFloatStorage'],
    [own('sparse.pth'), 'refuses the global torch._utils._rebuild_sparse_tensor'],
    [own('quantized.pth'), 'refuses the global torch._utils._rebuild_qtensor'],
    [own('meta.pth'), 'refuses the global torch._utils._rebuild_meta_tensor_no_storage'],
    [own('uint16.pth'), 'refuses the global torch._utils._rebuild_tensor_v3'],
    [own('bare_tensor.pth'), 'holds a tensor of shape [6,8], expected a dict of named tensors'],
    [own('list.pth'), 'holds a list of 1 items, expected a dict of named tensors'],
    [own('no_tensors.pth'), 'the dict holds no tensors; its keys: epoch'],
    [join(fixtures, 'safetensors', 'mixed.safetensors'), '(a safetensors file?)'],
    [own('none.pth'), 'no such file'],
    [fixtures, 'expected a file, got a folder'],
  ])('%s', (path, message) => {
    expect(() => loadPyTorch(path)).toThrow(message);
    expect(() => loadPyTorch(path)).toThrow(`${path}: `);
  });

  test('the hostile file is the one that would run a command', () => {
    expect(readFileSync(checkpoint('hostile_os_system.pth')).includes('touch morphmlp_pickle_ran')).toBe(true);
  });
});
