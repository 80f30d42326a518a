import { existsSync } from 'node:fs';
import { crc32, deflateRawSync } from 'node:zlib';
import { MemorySource } from '../../../src/formats/file';
import { loadPyTorchFrom } from '../../../src/formats/torch/index';
import { archive, dict, legacy, op, pickle, simple, tensor, tuple, TWO, zip } from './pytorch_files';

const load = (bytes: Buffer) => loadPyTorchFrom(new MemorySource('x.pth', bytes)).tensors;
const two = { dtype: 'F32', shape: [2], data: new Float32Array([1.5, -2]) };
const expectRefused = (bytes: Buffer, message: string) => {
  expect(() => load(bytes)).toThrow(message);
  expect(() => load(bytes)).toThrow(/^x\.pth: /);
};

test('the builders make files that load', () => {
  expect(load(zip(simple())).get('w')).toEqual(two);
  expect(load(zip(simple(), { zip64: true })).get('w')).toEqual(two);
  expect(load(zip(simple().map((e) => ({ ...e, wide: true, localExtra: Buffer.alloc(64) })))).get('w')).toEqual(two);
  expect(load(zip(simple(), { comment: Buffer.from('PK\x05\x06 a comment') })).get('w')).toEqual(two);
  expect(load(legacy(pickle(dict({ w: tensor() })))).get('w')).toEqual(two);
});

test('big-endian archives are converted', () => {
  const swapped = Buffer.from(TWO).swap32();
  const entries = archive(pickle(dict({ w: tensor() })), { 0: swapped });
  expect(load(zip([...entries, { name: 'a/byteorder', data: Buffer.from('big') }])).get('w')).toEqual(two);
  expectRefused(zip([...entries, { name: 'a/byteorder', data: Buffer.from('middle') }]), 'byteorder is "middle"');
});

test('legacy views of a storage', () => {
  const part = { view: tuple(op.text('v'), op.int(1), op.int(1)), shape: [1] };
  expect(load(legacy(pickle(dict({ w: tensor(part) })))).get('w')!.data).toEqual(new Float32Array([-2]));
  const beyond = { view: tuple(op.text('v'), op.int(2), op.int(1)), shape: [1] };
  expectRefused(legacy(pickle(dict({ w: tensor(beyond) }))), 'beyond its 2 elements');
});

test('__proto__ and constructor are ordinary names', () => {
  const tensors = load(zip(archive(pickle(dict({ ['__proto__']: tensor(), constructor: tensor() })))));
  expect(tensors.size).toBeGreaterThan(0);
  expect(({} as Record<string, unknown>)['dtype']).toBeUndefined();
  const proto = Buffer.concat([op.dict, op.text('__proto__'), tensor(), op.setItem]);
  expect([...load(zip(archive(pickle(proto)))).keys()]).toEqual(['__proto__']);
});

describe('objects that are not read', () => {
  const object = (module: string, name: string, ...args: Buffer[]) =>
    Buffer.concat([op.global(module, name), tuple(...args), op.reduce]);
  const beside = (value: Buffer) => zip(archive(pickle(dict({ a: value, w: tensor() }))));

  test.each([
    ['a call', object('posix', 'system', op.text('touch morphmlp_ran'))],
    ['a call of what a call gives', Buffer.concat([object('builtins', 'getattr', op.text('x')), tuple(), op.reduce])],
    ['a call with keywords', Buffer.concat([op.global('a', 'B'), tuple(), op.dict, Buffer.from([0x92])])],
    ['attributes', Buffer.concat([object('a', 'B'), dict({ ['__proto__']: dict({ polluted: op.int(1) }) }), op.build])],
    ['state of any type', Buffer.concat([object('a', 'B'), op.int(7), op.build])],
    ['items of a list', Buffer.concat([object('a', 'B'), op.none, Buffer.from('a')])],
    ['items of a dict', Buffer.concat([object('a', 'B'), op.text('__proto__'), op.none, op.setItem])],
    ['the name alone', op.global('a', 'B')],
    ['a tensor with an unknown bit', Buffer.concat([object('torch._utils', '_rebuild_xla_tensor', op.none)])],
    [
      'a class of its own for a tensor',
      object(
        'torch._tensor',
        '_rebuild_from_type_v2',
        op.global('os', 'system'),
        op.global('a', 'B'),
        tuple(),
        op.none,
      ),
    ],
  ])('%s is nothing but a placeholder', (_name, value) => {
    const { tensors } = loadPyTorchFrom(new MemorySource('x.pth', beside(value)));
    expect([...tensors]).toEqual([['w', two]]);
    expect(({} as Record<string, unknown>)['polluted']).toBeUndefined();
    expect(existsSync('morphmlp_ran')).toBe(false);
  });

  test('containers that contain themselves, and one in several places', () => {
    const self = Buffer.concat([op.dict, Buffer.from('q\x00'), op.text('self'), Buffer.from('h\x00'), op.setItem]);
    expect(load(zip(archive(pickle(dict({ a: self, w: tensor() }))))).get('w')).toEqual(two);
    // 60 levels, each of which holds the one below twice: 2^60 paths.
    let nested = Buffer.concat([op.dict, op.text('w'), tensor(), op.setItem]);
    for (let level = 0; level < 60; level++) {
      const memo = Buffer.from([0x71, level]);
      const get = Buffer.from([0x68, level]);
      nested = Buffer.concat([op.dict, op.text('a'), nested, memo, op.setItem, op.text('b'), get, op.setItem]);
    }
    expectRefused(zip(archive(pickle(nested))), 'the dict holds no tensors; its keys: a, b');
  });
});

describe('deflated archives', () => {
  const [data, storage] = simple() as [ReturnType<typeof simple>[0], ReturnType<typeof simple>[0]];
  const deflated = (bytes: Buffer, size = bytes.length) => {
    const packed = deflateRawSync(bytes);
    return { data: packed, method: 8, size, packed: packed.length, crc: crc32(bytes) };
  };

  test('are read', () => {
    const entries = [
      { name: 'a/', data: Buffer.alloc(0) },
      { ...data, ...deflated(data.data) },
      { ...storage, ...deflated(TWO) },
    ];
    expect(load(zip(entries)).get('w')).toEqual(two);
    expect(load(zip(entries.map((entry) => ({ ...entry, flags: 8 })))).get('w')).toEqual(two);
  });

  const million = Buffer.alloc(1 << 20);
  const large = (parts: object) =>
    zip([archive(pickle(dict({ w: tensor({ total: 2 ** 18, shape: [2] }) })))[0]!, { ...storage, ...parts }]);

  test('highly compressible contents are not a zip bomb', () => {
    expect(load(large(deflated(million))).get('w')!.data).toEqual(new Float32Array(2));
  });

  test.each([
    [
      'more than announced',
      large(deflated(Buffer.alloc(1 << 21), 1 << 20)),
      'a/data/0 is compressed (method 8) and damaged: ',
    ],
    [
      'less than announced',
      large(deflated(Buffer.alloc(1 << 19), 1 << 20)),
      'unpacks to 524288 bytes, expected 1048576',
    ],
    ['a wrong checksum', large({ ...deflated(million), crc: 7 }), 'a/data/0 is damaged: its checksum does not match'],
    ['another method in the header', large({ ...deflated(million), localMethod: 0 }), 'has no valid header'],
    [
      'a method that is not read',
      large({ ...deflated(million), method: 12 }),
      'compressed (method 12), expected stored or deflated',
    ],
    ['a bomb', large(deflated(million, 2 ** 31)), 'unpacks to 2147483648 bytes: too many for a file of'],
  ])('%s', (_name, bytes, message) => expectRefused(bytes, message));
});

describe('zip archives', () => {
  const [data, storage] = simple() as [ReturnType<typeof simple>[0], ReturnType<typeof simple>[0]];
  const named = (name: string | Buffer) => zip([data, storage, { name, data: TWO }]);

  test.each([
    ['an entry twice', zip([data, storage, storage]), 'duplicate zip entry a/data/0'],
    ['a compressed entry', zip([data, { ...storage, method: 8 }]), 'a/data/0 is compressed (method 8)'],
    [
      'a bomb',
      zip([data, { ...storage, method: 8, size: 2 ** 32 - 2, packed: 8 }]),
      'a/data/0 is compressed (method 8)',
    ],
    ['an encrypted entry', zip([data, { ...storage, flags: 1 }]), 'a/data/0 is encrypted'],
    ['sizes that differ', zip([data, { ...storage, packed: 4 }]), 'a/data/0 has 4 stored bytes for 8'],
    ['a path upwards', named('a/../../etc/passwd'), 'name "a/../../etc/passwd" is not a plain path'],
    ['an absolute path', named('/etc/passwd'), 'is not a plain path'],
    ['a Windows path', named('C:\\windows'), 'is not a plain path'],
    ['a folder', named('a/'), 'is not a plain path'],
    ['a zero in a name', named('a/data/0\0.txt'), 'is not a plain path'],
    ['a name that is not UTF-8', named(Buffer.from([0x61, 0xff])), 'is not a plain path'],
    ['an empty name', named(''), 'is not a plain path'],
    ['a wrong checksum', zip([data, { ...storage, crc: 5 }]), 'a/data/0 is damaged: its checksum does not match'],
    ['another name in the header', zip([data, { ...storage, localName: 'a/data/1' }]), 'another name in its header'],
    ['an offset to nowhere', zip([data, { ...storage, offset: 3 }]), 'overlaps what follows it'],
    ['two entries on the same bytes', zip([data, storage, { ...storage, name: 'a/data/1', offset: 0 }]), 'overlaps'],
    ['a size beyond the file', zip([data, { ...storage, size: 1 << 20 }]), 'of 1048576 bytes overlaps what follows'],
    ['a huge 64-bit size', zip([data, { ...storage, size: 2 ** 60, wide: true }]), 'the zip directory holds the size'],
    ['more entries announced', zip([data, storage], { count: 3 }), 'has 2 entries, its end record says 3'],
    ['a directory elsewhere', zip([data, storage], { directoryAt: 0 }), 'the zip directory ends at byte'],
    ['several disks', zip([data, storage], { disk: 1 }), 'is one part of several'],
    ['no data.pkl', zip([storage]), 'a zip archive with 0 data.pkl, expected 1'],
    ['two data.pkl', zip([data, storage, { ...data, name: 'b/data.pkl' }]), 'with 2 data.pkl, expected 1'],
    ['no storage', zip([data]), 'needs 8 bytes in the zip entry a/data/0, which is not there'],
    ['a short storage', zip([data, { ...storage, data: TWO.subarray(4) }]), 'a/data/0, which has 4'],
    ['a long storage', zip([data, { ...storage, data: Buffer.concat([TWO, TWO]) }]), 'a/data/0, which has 16'],
    ['nothing', Buffer.alloc(0), '(it is empty)'],
    ['only the end', zip([]), 'not a PyTorch file'],
  ])('%s', (_name, bytes, message) => expectRefused(bytes, message));

  test('any truncation', () => {
    const whole = zip(simple(), { zip64: true });
    for (let size = 0; size < whole.length; size++) expect(() => load(whole.subarray(0, size))).toThrow(/^x\.pth: /);
  });
});

describe('tensors', () => {
  const make = (parts: object) => zip(archive(pickle(dict({ w: tensor(parts) }))));
  test.each([
    [
      'beyond the storage',
      { shape: [3] },
      'shape [3], strides [1] and offset 0 reaches element 2 of storage "0", which has 2',
    ],
    ['an offset beyond', { offset: 1 }, 'offset 1 reaches element 2'],
    ['a stride beyond', { stride: [2] }, 'strides [2] and offset 0 reaches element 2'],
    ['a negative offset', { offset: -1 }, 'offset -1, expected a whole number from 0'],
    ['a negative size', { shape: [-1] }, 'whose shape is a tuple of 1 items'],
    ['a negative stride', { stride: [-1] }, 'whose stride is a tuple of 1 items'],
    ['too few strides', { shape: [1, 2], stride: [1] }, 'shape [1,2] with strides [1]'],
    ['too many elements', { shape: [2 ** 40, 2 ** 40], stride: [0, 0] }, 'more than 2^53 elements'],
    ['65 dimensions', { shape: Array(65).fill(1), stride: Array(65).fill(0) }, 'whose shape is a tuple of 65 items'],
    ['a bomb of repeated elements', { shape: [2 ** 30], stride: [0] }, 'repeats stored elements: 4294967296 bytes'],
    ['a negative storage', { total: -2 }, 'a storage called "0" of -2 elements'],
    ['a path as key', { key: '../x' }, 'needs 8 bytes in the zip entry a/data/../x, which is not there'],
    ['a type other than a storage', { type: 'float32' }, 'a storage of type torch.float32'],
    ['an unknown type', { type: 'QInt8Storage' }, 'refuses the global torch.QInt8Storage'],
  ])('%s', (_name, parts, message) => expectRefused(make(parts), message));

  test('one storage with two types', () => {
    const both = pickle(dict({ a: tensor(), b: tensor({ type: 'IntStorage' }) }));
    expectRefused(zip(archive(both)), 'storage "0" is I32 with 2 elements, before it was F32 with 2');
  });

  test('many views that together are too large', () => {
    const views = Array.from({ length: 40 }, (_, i) => [`w${i}`, tensor({ shape: [2 ** 18], stride: [0] })]);
    expectRefused(zip(archive(pickle(dict(Object.fromEntries(views))))), 'repeats stored elements');
  });
});

describe('pickles', () => {
  const run = (...opcodes: Buffer[]) => zip(archive(pickle(...opcodes)));
  const raw = (bytes: number[] | string) => Buffer.from(bytes as string);
  const call = (module: string, name: string, ...args: Buffer[]) =>
    run(op.global(module, name), tuple(...args), op.reduce);

  test.each([
    ['builtins.eval', call('builtins', 'eval', op.text('1')), 'byte 2: refuses the global builtins.eval'],
    ['builtins.getattr', call('builtins', 'getattr', op.text('a')), 'refuses the global builtins.getattr'],
    ['a global of two opcodes', run(op.text('os'), op.text('system'), raw([0x93])), 'refuses the global os.system'],
    ['torch.load inside', call('torch.storage', '_load_from_bytes', op.text('')), 'torch.storage._load_from_bytes'],
    [
      'a global whose name is not text',
      run(op.int(1), op.text('x'), raw([0x93])),
      'a global called 1."x", expected two texts',
    ],
    ['a name without end', run(raw('cos')), 'expected a name of at most 500 bytes and a line end'],
    ['an instance', run(op.mark, raw('ios\nsystem\n')), 'opcode 0x69 (INST) is not one that PyTorch writes'],
    ['an extension', run(raw([0x82, 1])), 'opcode 0x82 is not one'],
    ['a call of a text', run(op.text('x'), op.emptyTuple, op.reduce), 'calls "x", expected a global'],
    [
      'a call of a type',
      run(op.global('torch', 'float32'), op.emptyTuple, op.reduce),
      'torch.float32, which is not a function',
    ],
    [
      'a call without a tuple',
      run(op.global('torch', 'Size'), op.none, op.reduce),
      'calls torch.Size with None, not a tuple',
    ],
    ['a strange Size', call('torch', 'Size', op.int(1)), 'calls torch.Size with (1)'],
    [
      'an OrderedDict of items',
      call('collections', 'OrderedDict', op.list),
      'calls collections.OrderedDict with (a list',
    ],
    [
      'a parameter of a text',
      call('torch._utils', '_rebuild_parameter', op.text('x')),
      '_rebuild_parameter with ("x")',
    ],
    [
      'a tensor of a text',
      call('torch._utils', '_rebuild_tensor_v2', op.text('x')),
      'a tensor of "x", expected a storage',
    ],
    ['a long byte text', call('_codecs', 'encode', op.text('x'.repeat(65)), op.text('latin1')), 'calls _codecs.encode'],
    [
      'another encoding',
      call('_codecs', 'encode', op.text('x'), op.text('zlib')),
      'calls _codecs.encode with ("x", "zlib")',
    ],
    [
      'a strange NumPy scalar',
      call('numpy.core.multiarray', 'scalar', op.none, op.none),
      'a NumPy scalar of type nothing',
    ],
    [
      'another persistent object',
      run(tuple(op.text('module')), op.persistent),
      'a persistent object a tuple of 1 items',
    ],
    ['an unset memo', run(raw('h\x05')), 'memo 5 is not set'],
    ['an empty stack', run(raw('0')), 'takes a value from an empty stack'],
    ['a value below a mark', run(op.none, op.mark, raw('0')), 'takes a value from an empty stack'],
    ['no mark', run(op.tuple), 'has no mark before it'],
    [
      'an item of a list',
      run(op.list, op.none, op.none, op.setItem),
      'sets an item of a list of 0 items, expected a dict',
    ],
    ['a key without a value', run(op.dict, op.mark, op.none, raw('u')), 'has a key without a value'],
    ['an append to a dict', run(op.dict, op.none, raw('a')), 'appends to a dict of 0 entries, expected a list'],
    ['attributes of a number', run(op.int(1), op.dict, op.build), 'sets attributes of 1'],
    ['attributes from a list', run(op.dict, op.list, op.build), 'sets attributes from a list'],
    ['a text beyond the end', run(raw('X\xff\xff\xff\x7f')), 'bytes, '],
    ['a length beyond 2^53', run(raw([0x8d, 255, 255, 255, 255, 255, 255, 255, 255])), 'is beyond 2^53'],
    ['a huge integer', run(raw([0x8b, 0, 1, 0, 0])), 'an integer of 256 bytes, expected at most 255'],
    ['protocol 6', zip(archive(raw([0x80, 6, 0x2e]))), 'a protocol above 5'],
    ['no end', zip(archive(raw([0x80, 2, 0x4e]))), 'needs 1 bytes, 0 are left'],
    ['two values at the end', run(op.none, op.none), '2 values at the end, expected 1'],
    ['an open mark at the end', run(op.mark, op.none), 'values at the end, expected 1'],
    [
      'a tensor under a number',
      run(op.dict, op.int(7), tensor(), op.setItem),
      'a tensor under the name 7, expected a text',
    ],
  ])('%s', (_name, bytes, message) => expectRefused(bytes, message));

  test('more opcodes than any model needs', () => {
    expectRefused(run(op.none, Buffer.alloc(2_000_001, 'N0')), 'more than 2000000 opcodes');
  });

  test('a list that contains itself is read', () => {
    const self = Buffer.concat([op.list, raw('q\x00'), raw('h\x00'), raw('a')]);
    expect(load(run(dict({ self, w: tensor() }))).get('w')).toEqual(two);
  });
});

describe('legacy files', () => {
  const good = pickle(dict({ w: tensor() }));
  test.each([
    ['another magic number', pickle(op.int(5)), 'its magic number is 5, expected 119547037146038801333356'],
    [
      'a global before the data',
      pickle(op.global('os', 'system')),
      'magic number, byte 2: refuses the global os.system',
    ],
    ['an unknown storage', legacy(good, ['0', '1']), 'storage keys: "1" belongs to no tensor'],
    ['a storage twice', legacy(good, ['0', '0']), 'storage keys: "0" is there twice'],
    ['a missing storage', legacy(good, []), 'storage keys: "0", which a tensor needs, is missing'],
    ['another number of elements', legacy(good, ['0'], [TWO], [3]), 'storage 0 (2 x F32) has 3 elements at byte'],
    ['a short storage', legacy(good, ['0'], [TWO.subarray(1)]), 'file truncated'],
    ['no storage', legacy(good, ['0'], []), 'file truncated'],
  ])('%s', (_name, bytes, message) => expectRefused(bytes, message));
});
